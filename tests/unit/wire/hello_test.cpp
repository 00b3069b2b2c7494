#include "wire/hello.h"

#include <doctest/doctest.h>

#include <vector>

using namespace causeway;
using namespace causeway::wire;

namespace {

Nonce nonce_of(std::uint8_t first) {
  Nonce out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

Hello sample() {
  Hello hello;
  hello.role = Role::shim;
  hello.features = 0x01020304;
  hello.nonce = nonce_of(0x10);
  hello.expected = nonce_of(0xf0);
  return hello;
}

// What a reader makes of `pieces`, one after the other: the hello or the error's text.
struct Outcome {
  std::optional<Hello> hello;
  std::string error;
  std::string rest;
  std::optional<std::uint16_t> foreign;
};

Outcome read(const std::vector<std::string>& pieces, Role peer = Role::shim) {
  HelloReader reader(peer);
  Outcome out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::string_view bytes = pieces[i];
    auto got = reader.take(bytes);
    out.rest = bytes;
    out.foreign = reader.foreign_major();
    if (!got) {
      out.error = got.error().message;
      return out;
    }
    if (*got) {
      out.hello = **got;
      for (++i; i < pieces.size(); ++i) out.rest += pieces[i];
      return out;
    }
    CHECK(bytes.empty());
  }
  return out;
}

std::vector<std::string> bytes_of(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) out.emplace_back(1, c);
  return out;
}

}  // namespace

TEST_CASE("wire/hello: read whole, byte by byte and split anywhere it is the same") {
  auto hello = sample();
  SUBCASE("without a refusal") {}
  SUBCASE("with one") { hello.refusal = "the wrong nonce"; }
  const std::string text = encode(hello);
  CHECK(text.size() == kHelloSize + hello.refusal.size());
  const auto check = [&](const Outcome& got) {
    REQUIRE(got.hello.has_value());
    CHECK(got.hello->major == kMajor);
    CHECK(got.hello->minor == kMinor);
    CHECK(got.hello->features == hello.features);
    CHECK(got.hello->nonce == hello.nonce);
    CHECK(got.hello->expected == hello.expected);
    CHECK(got.hello->refusal == hello.refusal);
    CHECK(got.rest == "behind it");
  };
  check(read({text + "behind it"}));
  auto single = bytes_of(text);
  single.emplace_back("behind it");
  check(read(single));
  for (std::size_t at = 1; at < text.size(); ++at)
    check(read({text.substr(0, at), text.substr(at) + "behind it"}));
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto got = read({text.substr(0, size)});
    CHECK_FALSE(got.hello.has_value());
    CHECK(got.error.empty());
  }
}

TEST_CASE("wire/hello: what is refused, and when") {
  std::string text = encode(sample());
  SUBCASE("another protocol: at its first byte") {
    CHECK(read({"G"}).error == "the other end does not speak Causeway's protocol");
    CHECK(read({"CAUSEWAX"}).error == "the other end does not speak Causeway's protocol");
  }
  SUBCASE("another major version: once it is known, by both numbers") {
    text[9] = 7;
    const auto got = read({text.substr(0, 12)});
    CHECK(got.error ==
          "the other end speaks version 7 of the link's protocol, this one version 1: update the "
          "older of the two");
    REQUIRE(got.foreign.has_value());
    CHECK(*got.foreign == 7);
    CHECK(read({text.substr(0, 11)}).error.empty());
  }
  SUBCASE("a newer minor version is fine") {
    text[11] = 9;
    const auto got = read({text});
    REQUIRE(got.hello.has_value());
    CHECK(got.hello->minor == 9);
  }
  SUBCASE("the wrong role") {
    CHECK(read({text}, Role::agent).error == "a hello of the wrong role");
    text[12] = 5;
    CHECK(read({text}).error == "a hello of the wrong role");
  }
  SUBCASE("a refusal that is too long") {
    text[14] = 2;
    text[15] = 1;
    CHECK(read({text}).error == "a hello with a refusal that is too long");
  }
}

TEST_CASE("wire/hello: a long refusal is cut between two characters") {
  auto hello = sample();
  hello.refusal = std::string(kRefusalLimit - 1, 'x') + "\xc3\xa4 and more";
  auto got = read({encode(hello)});
  REQUIRE(got.hello.has_value());
  CHECK(got.hello->refusal == std::string(kRefusalLimit - 1, 'x'));
  hello.refusal = std::string(kRefusalLimit, 'y');
  got = read({encode(hello)});
  REQUIRE(got.hello.has_value());
  CHECK(got.hello->refusal == hello.refusal);
}

TEST_CASE("wire/hello: a nonce as text") {
  const auto nonce = nonce_of(0xf8);
  CHECK(to_hex(nonce) == "f8f9fafbfcfdfeff0001020304050607");
  CHECK(nonce_from_hex(to_hex(nonce)) == nonce);
  for (const char* bad :
       {"", "f8", "F8F9FAFBFCFDFEFF0001020304050607", "f8f9fafbfcfdfeff000102030405060",
        "f8f9fafbfcfdfeff000102030405060g", "f8f9fafbfcfdfeff00010203040506070"})
    CHECK_FALSE(nonce_from_hex(bad).has_value());
}
