#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine_api/json_text.h"
#include "engine_api/json_tokenizer.h"

using namespace causeway;
using engine_api::FoldedKey;
using engine_api::JsonTokenizer;
using Token = JsonTokenizer::Token;

namespace {

// One letter a token; texts behind keys and strings. What follows a key named "skip" is skipped.
std::string tokens(const std::vector<std::string_view>& pieces, std::size_t longest = 100) {
  JsonTokenizer tokenizer(longest);
  std::string out;
  for (const std::string_view piece : pieces) {
    const std::string own(piece);
    tokenizer.give(own);
    for (Token token = tokenizer.next(); token != Token::more; token = tokenizer.next()) {
      switch (token) {
        case Token::object_begin:
          out += '{';
          break;
        case Token::object_end:
          out += '}';
          break;
        case Token::array_begin:
          out += '[';
          break;
        case Token::array_end:
          out += ']';
          break;
        case Token::key:
        case Token::string:
          out += token == Token::key ? 'k' : 's';
          out += tokenizer.too_long() ? "!" : "(" + std::string(tokenizer.text()) + ")";
          out += std::to_string(tokenizer.begin()) + "-" + std::to_string(tokenizer.end());
          if (token == Token::key && tokenizer.text() == "skip") tokenizer.skip();
          break;
        case Token::null:
          out += 'n';
          break;
        case Token::scalar:
          out += 'c';
          break;
        case Token::skipped:
          out += '_';
          break;
        case Token::error:
          return out + "E " + tokenizer.error();
        case Token::more:
          break;
      }
    }
  }
  return out + (tokenizer.finish() ? "." : "?");
}

}  // namespace

TEST_CASE("engine_api/json_tokenizer: tells tokens and where they are, however cut") {
  struct Case {
    const char* in;
    const char* expected;
  };
  const std::vector<Case> cases = {
      {"{}", "{}."},
      {"[]", "[]."},
      {"", "?"},
      {" 12", "."},
      {"12 ", "c."},
      {"-", "?"},
      {"1.", "?"},
      {"nul", "?"},
      {"null", "n."},
      {R"("a\"b")", R"(s(a\"b)0-6.)"},
      {R"({"a":[1,"x",{}],"b":null})", "{k(a)1-4[cs(x)8-11{}]k(b)16-19n}."},
      {R"({"skip":{"a":[1,"x",{}]},"b":"c"})", "{k(skip)1-7_k(b)25-28s(c)29-32}."},
      {R"({"skip":1,"skip":"x\"}","skip":[],"skip":true})",
       "{k(skip)1-7_k(skip)10-16_k(skip)24-30_k(skip)34-40_}."},
      {R"([{"skip":[[{"skip":1}]]},2])", "[{k(skip)2-8_}c]."},
      {R"({"skip":{"a":}})", "{k(skip)1-7E no value where there should be one at byte 13"},
      {R"({"skip":"\x"})", "{k(skip)1-7E a string that is none at byte 10"},
      {R"(["a" "b"])", R"([s(a)1-4E no comma and no end behind a value at byte 5)"},
      {R"([] [])", "[]E something stands behind the JSON value at byte 3"},
      {R"(["" , ""])", "[s()1-3s()6-8]."},
  };
  for (const Case& c : cases) {
    CAPTURE(c.in);
    const std::string_view in = c.in;
    CHECK(tokens({in}) == c.expected);
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < in.size(); ++i) bytes.push_back(in.substr(i, 1));
    CHECK(tokens(bytes) == c.expected);
    for (std::size_t i = 0; i <= in.size(); ++i) {
      REQUIRE(tokens({in.substr(0, i), in.substr(i)}) == c.expected);
    }
  }
}

TEST_CASE("engine_api/json_tokenizer: doesn't keep what is too long") {
  CHECK(tokens({R"(["aaaa","aaaaa"])"}, 4) == "[s(aaaa)1-7s!8-15].");
  CHECK(tokens({R"(["a)", "aa", R"(a","aa)", R"(aaa","b"])"}, 4) == "[s(aaaa)1-7s!8-15s(b)16-19].");
  CHECK(tokens({R"(["aaaaa)", R"(","b"])"}, 4) == "[s!1-8s(b)9-12].");
}

// Each byte at each place of a word of eight, which is how strings are read.
TEST_CASE("engine_api/json_tokenizer: finds the end of a string wherever it is") {
  for (std::size_t length = 0; length < 40; ++length) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string before(length, 'a');
      const char c = static_cast<char>(byte);
      const std::string in = "\"" + before + c + "bbbbbbbbbbbbbbbb\"";
      const std::string out = tokens({in});
      CAPTURE(length);
      CAPTURE(byte);
      if (c == '"') {
        REQUIRE(out.starts_with("s(" + before + ")0-" + std::to_string(length + 2) + "E some"));
      } else if (byte < 0x20 || c == '\\') {  // \b is fine
        REQUIRE(out.starts_with(
            c == '\\' ? "s(" : "E a string that is none at byte " + std::to_string(length + 1)));
      } else {
        REQUIRE(out == "s(" + before + c + "bbbbbbbbbbbbbbbb)0-" + std::to_string(in.size()) + ".");
      }
    }
  }
}

TEST_CASE("engine_api/json_text: keys fold as Go folds them") {
  struct Case {
    const char* key;
    bool binds;
  };
  const std::vector<Case> cases = {
      {"Binds", true},
      {"binds", true},
      {"BINDS", true},
      {"bINdS", true},
      {"bind\xc5\xbf", true},
      {R"(bind\u017f)", true},
      {R"(\u0042inds)", true},
      {R"(BIND\u017F)", true},
      {"bind", false},
      {"bindss", false},
      {"b\xc4\xb1nds", false},  // a dotless i doesn't fold
      {"b\xc4\xb0nds", false},  // nor does a dotted I
      {R"(bind\\u017f)", false},
      {"bind\xc5", false},
      {"\xef\xbb\xbf"
       "binds",
       false},
      {"Binds ", false},
      {"bind\x13", false},  // 's' with bits cleared
      {"\x02inds", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.key);
    const std::string_view key = c.key;
    CHECK(FoldedKey(key, key.find('\\') != std::string_view::npos).is("binds") == c.binds);
  }
  CHECK(FoldedKey("\xe2\x84\xaa"
                  "elvin",
                  false)
            .is("kelvin"));
  CHECK(FoldedKey(R"(\u212aelvin)", true).is("kelvin"));
  CHECK_FALSE(FoldedKey(std::string(32, 'a') + "b", false).is("b"));
  CHECK_FALSE(FoldedKey(std::string(64, 'a') + "binds", false).is("binds"));
  CHECK(FoldedKey(std::string(32, 'A'), false).is(std::string(32, 'a')));
}

TEST_CASE("engine_api/json_text: every text survives quoting") {
  for (const std::string& text :
       {std::string("a\"b\\c/\n\r\t\b\f"), std::string("\0\x01\x1f\x7f", 4),
        std::string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3 \xe2\x80\xa8"),
        std::string()}) {
    std::string token;
    engine_api::append_quoted(token, text);
    CHECK(engine_api::unquoted(std::string_view(token).substr(1, token.size() - 2)) == text);
    CHECK(tokens({token}, 1000).ends_with("."));
  }
}
