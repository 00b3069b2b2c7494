#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine_api/error_body.h"
#include "http/parser.h"

using namespace causeway;

TEST_CASE("engine_api/error_body: any text comes back from a JSON parser") {
  const std::vector<std::string> texts = {
      "plain",
      "",
      "quote \" backslash \\ slash /",
      "lines\nand\r\ntabs\t",
      std::string("\0\x01\x1f\x7f", 4),
      "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3",
  };
  for (const std::string& text : texts) {
    const auto json = nlohmann::json::parse(engine_api::error_body(text));
    CHECK(json.at("message") == text);
  }
  CHECK(engine_api::error_body("x") == "{\"message\":\"x\"}\n");
}

TEST_CASE("engine_api/error_body: what is not UTF-8 is replaced") {
  for (const char* bad : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80",
                          "\xf4\x90\x80\x80", "\xf0\x9f\x90", "\xff"}) {
    const auto json = nlohmann::json::parse(engine_api::error_body(std::string("a") + bad + "b"));
    const auto message = json.at("message").get<std::string>();
    CHECK(message.front() == 'a');
    CHECK(message.back() == 'b');
    CHECK(message.find("\xef\xbf\xbd") == 1);
  }
}

TEST_CASE("engine_api/error_body: the response is well formed, with and without its body") {
  for (const bool close : {true, false}) {
    http::Parser parser(http::Kind::response);
    const std::string response = engine_api::error_response(503, "starting", close);
    std::string_view rest = response;
    while (!rest.empty() && !parser.complete()) {
      const auto taken = parser.feed(rest);
      REQUIRE(taken.ok());
      rest.remove_prefix(*taken);
    }
    CHECK(parser.complete());
    CHECK(rest.empty());
    CHECK(parser.head().status == 503);
    CHECK(parser.keep_alive() == !close);
  }
  CHECK(engine_api::error_response(503, "x", false, true).ends_with("\r\n\r\n"));
}
