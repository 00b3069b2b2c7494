#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/parser.h"
#include "http/writer.h"

using namespace causeway;
using http::Framing;
using http::Kind;
using http::Parser;

namespace {

// What a message came to, for comparing different splits of the same bytes.
struct Outcome {
  bool refused = false;
  bool complete = false;
  std::string raw_head;
  std::string body;
  std::string wire;
  std::size_t taken = 0;
  std::string error;

  bool operator==(const Outcome& other) const {
    if (refused || other.refused) return refused == other.refused && error == other.error;
    return complete == other.complete && raw_head == other.raw_head && body == other.body &&
           wire == other.wire && taken == other.taken;
  }
};

std::ostream& operator<<(std::ostream& out, const Outcome& o) {
  return out << (o.refused    ? "refused: " + o.error
                 : o.complete ? "complete"
                              : "incomplete")
             << " taken=" << o.taken << " body=" << o.body << " wire=" << o.wire;
}

// Feeds the pieces one after the other until the message is complete or refused.
Outcome run(Parser& parser, const std::vector<std::string_view>& pieces, bool eof = false) {
  Outcome out;
  for (std::string_view piece : pieces) {
    while (!piece.empty() && !parser.complete()) {
      const auto taken = parser.feed(piece);
      if (!taken.ok()) {
        out.refused = true;
        out.error = taken.error().message;
        return out;
      }
      out.body += parser.body();
      out.wire += parser.wire();
      out.taken += *taken;
      piece.remove_prefix(*taken);
    }
  }
  if (eof) {
    if (const auto status = parser.finish(); !status.ok()) {
      out.refused = true;
      out.error = status.error().message;
      return out;
    }
  }
  out.complete = parser.complete();
  if (parser.head_done()) out.raw_head = parser.head().raw;
  return out;
}

// The outcome of `input`, which must be the same however it is split. A parser that is used again
// must behave as a new one.
Outcome parse(Kind kind, std::string_view input, bool eof = false, bool head_request = false,
              http::Limits limits = {}) {
  Parser used(kind, limits);
  const auto once = [&](const std::vector<std::string_view>& pieces) {
    used.reset();
    used.set_head_request(head_request);
    return run(used, pieces, eof);
  };
  const Outcome whole = once({input});
  CHECK(once({input}) == whole);
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < input.size(); ++i) bytes.push_back(input.substr(i, 1));
  CHECK(once(bytes) == whole);
  if (input.size() < 3000) {
    for (std::size_t i = 1; i < input.size(); ++i) {
      CAPTURE(i);
      CHECK(once({input.substr(0, i), input.substr(i)}) == whole);
    }
  }
  return whole;
}

std::string get(std::string_view fields) {
  return "GET /_ping HTTP/1.1\r\nHost: docker\r\n" + std::string(fields) + "\r\n";
}
std::string chunked(std::string_view body) {
  return "POST /x HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n" +
         std::string(body);
}

}  // namespace

TEST_CASE("http/parser: a request without a body ends with its head, what follows stays") {
  const std::string ping = get("User-Agent: x\r\n");
  Parser parser(Kind::request);
  const std::string two = ping + ping;
  const auto taken = parser.feed(two);
  REQUIRE(taken.ok());
  CHECK(*taken == ping.size());
  CHECK(parser.complete());
  CHECK(parser.wire() == ping);
  CHECK(parser.head().method == "GET");
  CHECK(parser.head().target == "/_ping");
  CHECK(parser.head().version == 11);
  CHECK(*parser.head().find("USER-agent") == "x");
  CHECK_FALSE(parser.head().find("Accept").has_value());
  CHECK(parser.framing() == Framing::none);
  CHECK(parser.keep_alive());
  CHECK(*parser.feed("more") == 0);
}

TEST_CASE("http/parser: bodies") {
  struct Case {
    const char* name;
    Kind kind;
    std::string input;
    bool eof;
    const char* body;
    bool complete;
    std::size_t left;  // bytes behind the message
  };
  const std::string post = "POST /x HTTP/1.1\r\nHost: d\r\n";
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<Case> cases = {
      {"length", Kind::request, post + "Content-Length: 5\r\n\r\nhello!", false, "hello", true, 1},
      {"length 0", Kind::request, post + "Content-Length: 0\r\n\r\nG", false, "", true, 1},
      {"length, partly", Kind::request, post + "Content-Length: 5\r\n\r\nhel", false, "hel", false,
       0},
      {"chunks", Kind::request, chunked("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nG"), false, "hello!",
       true, 1},
      {"no chunk", Kind::request, chunked("0\r\n\r\n"), false, "", true, 0},
      {"zeros", Kind::request, chunked("0005\r\nhello\r\n0000\r\n\r\n"), false, "hello", true, 0},
      {"hex", Kind::request, chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), false,
       "01234567890123456789", true, 0},
      {"extension", Kind::request, chunked("5;a=b\r\nhello\r\n0;x=\"y\"\r\n\r\n"), false, "hello",
       true, 0},
      {"trailers", Kind::request, chunked("5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\nG"), false,
       "hello", true, 1},
      {"chunks hold CRLF", Kind::request, chunked("6\r\n\r\n\r\n\r\n\r\n0\r\n\r\n"), false,
       "\r\n\r\n\r\n", true, 0},
      {"coding in another case", Kind::request,
       post + "transfer-encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", false, "x", true, 0},
      {"chunked response", Kind::response,
       ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", false, "x", true, 0},
      {"until close", Kind::response, ok + "\r\nabc", true, "abc", true, 0},
      {"until close, open", Kind::response, ok + "\r\nabc", false, "abc", false, 0},
      {"204", Kind::response, "HTTP/1.1 204 No Content\r\n\r\nH", false, "", true, 1},
      {"304 with a length", Kind::response,
       "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nH", false, "", true, 1},
      {"100", Kind::response, "HTTP/1.1 100 Continue\r\n\r\nH", false, "", true, 1},
      {"101", Kind::response,
       "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n\1\2", false, "", true,
       2},
      {"no reason", Kind::response, "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", false, "x", true,
       0},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const Outcome out = parse(c.kind, c.input, c.eof);
    CHECK_FALSE(out.refused);
    CHECK(out.complete == c.complete);
    CHECK(out.body == c.body);
    CHECK(c.input.size() - out.taken == c.left);
    if (c.complete) CHECK(out.wire == c.input.substr(0, out.taken));
  }
}

TEST_CASE("http/parser: smuggling and nonsense in requests is refused") {
  const std::string post = "POST /x HTTP/1.1\r\nHost: d\r\n";
  struct Case {
    const char* name;
    std::string input;
  };
  const std::vector<Case> cases = {
      {"length and coding", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"coding and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"},
      {"length twice", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
      {"lengths differ", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"},
      {"length list", post + "Content-Length: 5, 5\r\n\r\n"},
      {"length signed", post + "Content-Length: +5\r\n\r\n"},
      {"length negative", post + "Content-Length: -5\r\n\r\n"},
      {"length hex", post + "Content-Length: 0x5\r\n\r\n"},
      {"length with a blank", post + "Content-Length: 5 5\r\n\r\n"},
      {"length empty", post + "Content-Length:\r\n\r\n"},
      {"length above int64", post + "Content-Length: 9223372036854775808\r\n\r\n"},
      {"length above uint64", post + "Content-Length: 18446744073709551621\r\n\r\n"},
      {"coding gzip", post + "Transfer-Encoding: gzip\r\n\r\n"},
      {"coding list", post + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
      {"coding chunked list", post + "Transfer-Encoding: chunked, chunked\r\n\r\n"},
      {"coding identity", post + "Transfer-Encoding: identity\r\n\r\n"},
      {"coding odd", post + "Transfer-Encoding: xchunked\r\n\r\n"},
      {"coding quoted", post + "Transfer-Encoding: \"chunked\"\r\n\r\n"},
      {"coding with a vertical tab", post + "Transfer-Encoding: \vchunked\r\n\r\n"},
      {"coding empty", post + "Transfer-Encoding:\r\n\r\n"},
      {"coding twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"coding twice, one odd",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"},
      {"coding in 1.0", "POST /x HTTP/1.0\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"blank before colon", post + "Content-Length : 5\r\n\r\n"},
      {"tab before colon", post + "Transfer-Encoding\t: chunked\r\n\r\n"},
      {"folded", post + "A: b\r\n c\r\n\r\n"},
      {"folded with a tab", post + "A: b\r\n\tc\r\n\r\n"},
      {"folded first field", "GET / HTTP/1.1\r\n A: b\r\nHost: d\r\n\r\n"},
      {"bare LF", "GET / HTTP/1.1\nHost: d\n\n"},
      {"bare LF in a field", post + "A: b\nC: d\r\n\r\n"},
      {"bare LF at the end", post + "A: b\r\n\n"},
      {"bare CR in a field", post + "A: b\rC: d\r\n\r\n"},
      {"bare CR at the end", post + "A: b\r\n\rX"},
      {"two CR", post + "A: b\r\r\n\r\n"},
      {"NUL in a value", post + std::string("A: b\0c\r\n\r\n", 10)},
      {"NUL in the target", std::string("GET /\0x HTTP/1.1\r\n", 18)},
      {"NUL in a name", post + std::string("A\0: b\r\n\r\n", 9)},
      {"control in a value", post + "A: \x01\r\n\r\n"},
      {"DEL in a value", post + "A: \x7f\r\n\r\n"},
      {"no colon", post + "Nonsense\r\n\r\n"},
      {"no name", post + ": x\r\n\r\n"},
      {"blank in a name", post + "A b: x\r\n\r\n"},
      {"name not ASCII", post + "\xc3\xa4: x\r\n\r\n"},
      {"no host", "GET / HTTP/1.1\r\nA: b\r\n\r\n"},
      {"no field", "GET / HTTP/1.1\r\n\r\n"},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"},
      {"two hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"HTTP/0.9", "GET /\r\n"},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: d\r\n\r\n"},
      {"HTTP/2", "GET / HTTP/2\r\nHost: d\r\n\r\n"},
      {"lower case version", "GET / http/1.1\r\nHost: d\r\n\r\n"},
      {"no version", "GET / \r\nHost: d\r\n\r\n"},
      {"no target", "GET  HTTP/1.1\r\nHost: d\r\n\r\n"},
      {"two blanks", "GET  / HTTP/1.1\r\nHost: d\r\n\r\n"},
      {"blank in the target", "GET /a b HTTP/1.1\r\nHost: d\r\n\r\n"},
      {"tab as blank", "GET\t/\tHTTP/1.1\r\nHost: d\r\n\r\n"},
      {"trailing blank", "GET / HTTP/1.1 \r\nHost: d\r\n\r\n"},
      {"leading blank", " GET / HTTP/1.1\r\nHost: d\r\n\r\n"},
      {"leading empty line", "\r\nGET / HTTP/1.1\r\nHost: d\r\n\r\n"},
      {"bad method", "G@T / HTTP/1.1\r\nHost: d\r\n\r\n"},
      {"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"},
      {"CONNECT of a path", "CONNECT /x HTTP/1.1\r\nHost: a:1\r\n\r\n"},
      {"absolute target", "GET http://x/_ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a TLS client", std::string("\x16\x03\x01\x02\x00\x01", 6)},
      {"bad Connection", post + "Connection: @\r\n\r\n"},
      {"chunk size empty", chunked("\r\n")},
      {"chunk size signed", chunked("+5\r\nhello\r\n0\r\n\r\n")},
      {"chunk size negative", chunked("-1\r\n")},
      {"chunk size 0x", chunked("0x5\r\nhello\r\n0\r\n\r\n")},
      {"chunk size with a blank before", chunked(" 5\r\nhello\r\n0\r\n\r\n")},
      {"chunk size with a blank behind", chunked("5 \r\nhello\r\n0\r\n\r\n")},
      {"chunk size with a blank before the extension", chunked("5 ;a\r\nhello\r\n0\r\n\r\n")},
      {"chunk size not hex", chunked("g\r\n")},
      {"chunk size of 17 digits", chunked("00000000000000005\r\nhello\r\n0\r\n\r\n")},
      {"chunk size overflows", chunked("fffffffffffffffff\r\n")},
      {"chunk size above int64", chunked("8000000000000000\r\n")},
      {"chunk size ends with a bare LF", chunked("5\nhello\r\n0\r\n\r\n")},
      {"chunk size ends with a bare CR", chunked("5\rhello\r\n0\r\n\r\n")},
      {"chunk too long", chunked("5\r\nhello!\r\n0\r\n\r\n")},
      {"chunk too short", chunked("5\r\nhell\r\n0\r\n\r\n")},
      {"chunk ends with a bare LF", chunked("5\r\nhello\n0\r\n\r\n")},
      {"bare CR in an extension", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n")},
      {"bare LF in an extension", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n")},
      {"bad extension", chunked("5;=\r\nhello\r\n0\r\n\r\n")},
      {"NUL in an extension", chunked(std::string("5;a\0\r\nhello\r\n0\r\n\r\n", 19))},
      {"bare LF after the last chunk", chunked("0\r\n\n")},
      {"bare LF in a trailer", chunked("0\r\nA: b\n\r\n")},
      {"folded trailer", chunked("0\r\nA: b\r\n c\r\n\r\n")},
      {"first trailer folded", chunked("0\r\n A: b\r\n\r\n")},
      {"trailer without a colon", chunked("0\r\nA\r\n\r\n")},
      {"length in a trailer", chunked("0\r\nContent-Length: 5\r\n\r\n")},
      {"coding in a trailer", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n")},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const Outcome out = parse(Kind::request, c.input);
    CHECK(out.refused);
  }
}

TEST_CASE("http/parser: odd but harmless requests are taken") {
  const std::vector<std::string> inputs = {
      get(""),
      get("Connection: keep-alive, Upgrade\r\nUpgrade: tcp\r\n"),
      get("X-Empty:\r\n"),
      get("X-Blanks: \t a \t \r\n"),
      get("X-Utf: gr\xc3\xbc\xc3\x9f\r\n"),
      "GET / HTTP/1.1\r\nHost: /var/run/docker.sock\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: \r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "GET /%63ontainers//../json?a=b&c=%00#x HTTP/1.1\r\nHost: docker\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 00\r\n\r\n",
  };
  for (const std::string& input : inputs) {
    CAPTURE(input);
    const Outcome out = parse(Kind::request, input);
    CHECK(out.complete);
    CHECK(out.wire == input);
  }
}

TEST_CASE("http/parser: which forms of target are served is the endpoint's policy") {
  using http::TargetForm;
  const http::Forms paths_only;
  const http::Forms proxy = {false, true, true, false};  // a forward proxy
  const http::Forms all = {true, true, true, true};
  const std::string host = " HTTP/1.1\r\nHost: x\r\n\r\n";
  const char* const no_path = "request: the target is not a path";
  const char* const no_url = "request: the target is neither a path nor a URL";
  const char* const no_connect = "request: CONNECT is not served here";
  const char* const no_authority = "request: the target of CONNECT is not a host and a port";
  struct Case {
    http::Forms forms;
    std::string input;
    TargetForm form;      // when it is served
    const char* refused;  // else
  };
  const std::vector<Case> cases = {
      {paths_only, "GET /_ping" + host, TargetForm::origin, ""},
      {paths_only, "OPTIONS /" + host, TargetForm::origin, ""},
      {paths_only, "GET http://x/_ping" + host, {}, no_path},
      {paths_only, "OPTIONS *" + host, {}, no_path},
      {paths_only, "CONNECT x:1" + host, {}, no_connect},
      {paths_only, "CONNECT /x" + host, {}, no_connect},

      {proxy, "GET /_ping" + host, {}, "request: the target is only a path"},
      {proxy, "GET http://x/_ping" + host, TargetForm::absolute, ""},
      {proxy, "GET http://x" + host, TargetForm::absolute, ""},
      {proxy, "GET HTTPS://[::1]:2/a?b" + host, TargetForm::absolute, ""},
      {proxy, "CONNECT x:1" + host, TargetForm::authority, ""},
      {proxy, "CONNECT 10.0.0.1:65535" + host, TargetForm::authority, ""},
      {proxy, "CONNECT [2001:db8::1]:443" + host, TargetForm::authority, ""},
      {proxy, "OPTIONS *" + host, {}, no_url},

      {all, "GET /_ping" + host, TargetForm::origin, ""},
      {all, "OPTIONS *" + host, TargetForm::asterisk, ""},
      {all, "GET *" + host, {}, no_url},
      {all, "GET x/_ping" + host, {}, no_url},
      {all, "GET x:1" + host, {}, no_url},
      {all, "GET http://" + host, {}, no_url},
      {all, "GET ://x" + host, {}, no_url},
      {all, "GET 1a://x" + host, {}, no_url},
      {all, "GET a_b://x" + host, {}, no_url},
      {all, "CONNECT x" + host, {}, no_authority},
      {all, "CONNECT :1" + host, {}, no_authority},
      {all, "CONNECT x:" + host, {}, no_authority},
      {all, "CONNECT x:0" + host, {}, no_authority},
      {all, "CONNECT x:65536" + host, {}, no_authority},
      {all, "CONNECT x:+1" + host, {}, no_authority},
      {all, "CONNECT u@x:1" + host, {}, no_authority},
      {all, "CONNECT x:1/a" + host, {}, no_authority},
      {all, "CONNECT ::1:443" + host, {}, no_authority},
      {all, "CONNECT http://x:1" + host, {}, no_authority},
      {all, "CONNECT /x" + host, {}, no_authority},
      {all, "CONNECT *" + host, {}, no_authority},
      {all,
       "CONNECT x:1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
       {},
       "request: CONNECT with a body"},
      {all,
       "CONNECT x:1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
       {},
       "request: CONNECT with a body"},
      {all, "CONNECT x:1 HTTP/1.1\r\n\r\n", {}, "request: no Host"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.input);
    http::Limits limits;
    limits.forms = c.forms;
    const Outcome out = parse(Kind::request, c.input, false, false, limits);
    CHECK(out.error == c.refused);
    if (out.refused) continue;
    Parser parser(Kind::request, limits);
    const std::string with_more = c.input + "behind";
    REQUIRE(parser.feed(with_more).ok());
    CHECK(parser.complete());
    CHECK(parser.wire() == c.input);  // what stands behind CONNECT is the tunnel's
    CHECK(parser.head().form == c.form);
    // A head that comes again is the same; another one is another.
    parser.reset();
    REQUIRE(parser.feed(c.input).ok());
    CHECK(parser.head().form == c.form);
  }
}

TEST_CASE("http/parser: bad responses are refused") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<std::string> inputs = {
      ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
      ok + "Transfer-Encoding: gzip\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n5 \r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 0200 OK\r\n\r\n",
      "HTTP/1.1 099 X\r\n\r\n",
      "HTTP/2 200\r\n\r\n",
      "200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\n\n",
      "garbage\r\n",
  };
  for (const std::string& input : inputs) {
    CAPTURE(input);
    CHECK(parse(Kind::response, input).refused);
  }
}

TEST_CASE("http/parser: limits hold, and what just fits is taken") {
  http::Limits limits;
  limits.head = 100;
  limits.target = 10;
  limits.fields = 3;
  limits.chunk_line = 10;
  limits.trailers = 20;
  const auto refused = [&](const std::string& input) {
    return parse(Kind::request, input, false, false, limits).refused;
  };
  const std::string start = "GET / HTTP/1.1\r\nHost: d\r\nA: ";
  CHECK_FALSE(refused(start + std::string(100 - start.size() - 4, 'x') + "\r\n\r\n"));
  CHECK(refused(start + std::string(101 - start.size() - 4, 'x') + "\r\n\r\n"));
  CHECK(refused(start + std::string(1000, 'x')));  // its end never came
  CHECK_FALSE(refused("GET /123456789 HTTP/1.1\r\nHost: d\r\n\r\n"));
  CHECK(refused("GET /1234567890 HTTP/1.1\r\nHost: d\r\n\r\n"));
  CHECK_FALSE(refused("GET / HTTP/1.1\r\nHost: d\r\nA: b\r\nA: b\r\n\r\n"));
  CHECK(refused("GET / HTTP/1.1\r\nHost: d\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"));
  const std::string post = "POST / HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK_FALSE(refused(post + "1;aaaaaa\r\nx\r\n"));
  CHECK(refused(post + "1;aaaaaaa\r\nx\r\n"));
  CHECK(refused(post + "0;aaaaaaaaaaaaaaaaa"));
  CHECK_FALSE(refused(post + "0\r\nA: b\r\nA: bcd\r\n\r\n"));
  CHECK(refused(post + "0\r\nA: b\r\nA: bcdefghi\r\n\r\n"));
}

TEST_CASE("http/parser: by itself it takes what Go takes, and says when a head is too large") {
  // net/http: DefaultMaxHeaderBytes, and 4096 bytes that it reads ahead.
  constexpr std::size_t kGo = (1 << 20) + 4096;
  const std::string start = "GET /images/json?filters=";
  const std::string end = " HTTP/1.1\r\nHost: d\r\n\r\n";
  for (const std::size_t over : {std::size_t{0}, std::size_t{1}}) {
    Parser parser(Kind::request);
    const std::string head = start + std::string(kGo + over - start.size() - end.size(), 'f') + end;
    std::size_t at = 0;
    bool refused = false;
    while (at < head.size() && !refused && !parser.head_done()) {
      const auto taken = parser.feed(std::string_view(head).substr(at, 64 * 1024));
      refused = !taken.ok();
      if (!refused) at += *taken;
    }
    CHECK(refused == (over > 0));
    CHECK(parser.too_large() == (over > 0));
    CHECK(parser.held() >= (over > 0 ? kGo - 64 * 1024 : kGo));
    if (over == 0) CHECK(parser.head().target.size() > 1'000'000);
    if (over == 0) parser.reset();
    if (over == 0) CHECK(parser.held() < 8'192);
  }
  std::string fields = "GET / HTTP/1.1\r\nHost: d\r\n";
  for (int i = 0; i < 100'000; ++i) fields += "a: b\r\n";
  fields += "\r\n";
  Parser many(Kind::request);
  REQUIRE(many.feed(fields).ok());
  CHECK(many.head().fields.size() == 100'001);
  CHECK(many.held() > 100'001 * sizeof(http::Field));
  many.reset();
  CHECK(many.held() < 8'192);
  Parser bad(Kind::request);
  CHECK_FALSE(bad.feed("GET / HTTP/1.1\r\nbad\r\n\r\n").ok());
  CHECK_FALSE(bad.too_large());
}

TEST_CASE("http/parser: keep-alive and upgrade") {
  struct Case {
    Kind kind;
    std::string input;
    bool keep_alive;
    bool upgrade;
  };
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  const std::vector<Case> cases = {
      {Kind::request, get(""), true, false},
      {Kind::request, get("Connection: close\r\n"), false, false},
      {Kind::request, get("Connection: x, CLOSE\r\n"), false, false},
      {Kind::request, get("Connection: Upgrade\r\nUpgrade: h2c\r\n"), true, true},
      {Kind::request, get("Connection: Upgrade\r\n"), true, false},
      {Kind::request, get("Upgrade: h2c\r\n"), true, false},
      {Kind::request, "GET / HTTP/1.0\r\n\r\n", false, false},
      {Kind::request, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, false},
      {Kind::response, ok + "\r\n", true, false},
      {Kind::response, ok + "Connection: close\r\n\r\n", false, false},
      {Kind::response, "HTTP/1.1 200 OK\r\n\r\n", false, false},
      {Kind::response, "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", true, true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.input);
    Parser parser(c.kind);
    REQUIRE(parser.feed(c.input).ok());
    REQUIRE(parser.head_done());
    CHECK(parser.keep_alive() == c.keep_alive);
    CHECK(parser.upgrade() == c.upgrade);
  }
}

TEST_CASE("http/parser: the answer to HEAD has no body, whatever its head says") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
  const Outcome out = parse(Kind::response, head + "HTTP", false, true);
  CHECK(out.complete);
  CHECK(out.taken == head.size());
  CHECK(parse(Kind::response, "HTTP/1.1 200 OK\r\n\r\n", false, true).complete);
  CHECK(parse(Kind::response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, true)
            .complete);
}

TEST_CASE("http/parser: an input that ends within a message is an error, between messages not") {
  CHECK_FALSE(parse(Kind::request, "", true).refused);
  CHECK_FALSE(parse(Kind::request, get(""), true).refused);
  CHECK(parse(Kind::request, "G", true).refused);
  CHECK(parse(Kind::request, "POST / HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\nx", true)
            .refused);
  CHECK(parse(Kind::request, chunked("1\r\nx\r\n"), true).refused);
  CHECK(parse(Kind::response, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", true).refused);
}

TEST_CASE("http/parser: the CRLF behind a chunk is passed on without waiting for the next chunk") {
  Parser parser(Kind::request);
  const auto wire_of = [&](std::string_view in) {
    std::string wire;
    while (!in.empty()) {
      const auto taken = parser.feed(in);
      REQUIRE(taken.ok());
      wire += parser.wire();
      in.remove_prefix(*taken);
    }
    return wire;
  };
  wire_of(chunked(""));
  CHECK(wire_of("5\r\nhello\r\n") == "5\r\nhello\r\n");
  CHECK(wire_of("1") == "");
  CHECK(wire_of("\r\nx") == "1\r\nx");
  CHECK(wire_of("\r") == "");
  CHECK(wire_of("\n0\r\n") == "\r\n");
  CHECK(wire_of("\r\n") == "0\r\n\r\n");
  CHECK(parser.complete());
}

TEST_CASE("http/parser: a head like the one before means the same, another one does not") {
  const std::string get_x = "GET /x HTTP/1.1\r\nHost: d\r\n\r\n";
  const std::string get_y = "GET /y HTTP/1.1\r\nHost: d\r\n\r\n";
  const std::string longer = "GET /x HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n";
  const std::string post = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc";
  const std::string other_body = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nxyz";
  Parser used(Kind::request);
  for (const std::string& input :
       {get_x, get_x, get_y, get_x, longer, longer, get_x, post, post, other_body,
        chunked("1\r\nx\r\n0\r\n\r\n"), chunked("1\r\ny\r\n0\r\n\r\n"), get_x}) {
    CAPTURE(input);
    Parser fresh(Kind::request);
    used.reset();
    CHECK_FALSE(used.started());
    CHECK(run(used, {input + "rest"}) == run(fresh, {input + "rest"}));
    CHECK(used.head().target == fresh.head().target);
    CHECK(used.head().fields.size() == fresh.head().fields.size());
    CHECK(used.keep_alive() == fresh.keep_alive());
    CHECK(used.content_length() == fresh.content_length());
    CHECK(used.framing() == fresh.framing());
  }
  // In pieces, and with an error behind it.
  used.reset();
  CHECK(run(used, {get_x.substr(0, 9), get_x.substr(9)}).complete);
  used.reset();
  CHECK(run(used, {get_x}).complete);
  used.reset();
  CHECK(run(used, {get_x.substr(0, get_x.size() - 2) + "\n"}).refused);
  used.reset();
  CHECK(run(used, {get_x}).complete);
}

TEST_CASE("http/parser: the same head answers HEAD and GET differently") {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
  Parser parser(Kind::response);
  for (const bool head_request : {true, false, false, true, true, false}) {
    parser.reset();
    parser.set_head_request(head_request);
    REQUIRE(parser.feed(answer).ok());
    CHECK(parser.complete() == head_request);
    if (!head_request) {
      CHECK(*parser.feed("OKHTTP") == 2);
      CHECK(parser.complete());
    }
  }
}

TEST_CASE("http/writer: what it writes, the parser reads") {
  http::Response response;
  response.status = 503;
  response.body = "{\"message\":\"x\"}";
  const Outcome out = parse(Kind::response, write(response));
  CHECK(out.complete);
  CHECK(out.body == response.body);
  response.head_request = true;
  CHECK(parse(Kind::response, write(response), false, true).complete);

  http::Request request;
  request.method = "POST";
  request.target = "/v1/x";
  request.body = "{}";
  request.fields = {{"X-A", "b"}};
  Parser parser(Kind::request);
  const Outcome sent = run(parser, {write(request)});
  CHECK(sent.complete);
  CHECK(sent.body == "{}");
  CHECK(*parser.head().find("x-a") == "b");
  CHECK_FALSE(parser.keep_alive());

  const std::string stream = http::write_chunked_head(200, "text/plain") + http::chunk("hello") +
                             http::chunk(std::string(300, 'x')) + http::chunk("");
  const Outcome streamed = parse(Kind::response, stream);
  CHECK(streamed.complete);
  CHECK(streamed.body == "hello" + std::string(300, 'x'));
}
