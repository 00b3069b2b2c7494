#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine_api/error_body.h"
#include "engine_api/route.h"
#include "http/parser.h"

using namespace causeway;
using engine_api::Call;

TEST_CASE("engine_api/route: finds the calls as dockerd does") {
  struct Case {
    const char* method;
    const char* target;
    Call call;
    const char* id;
    const char* version;
  };
  const std::vector<Case> cases = {
      {"POST", "/containers/abc/attach", Call::container_attach, "abc", ""},
      {"POST", "/v1.41/containers/abc/attach?stream=1", Call::container_attach, "abc", "1.41"},
      {"POST", "/v1.41/%63ontainers/a%2Db/%61ttach", Call::container_attach, "a-b", "1.41"},
      {"POST", "/%76%31.41/containers/abc/attach", Call::container_attach, "abc", "1.41"},
      {"GET", "/containers/abc/attach", Call::other, "", ""},
      {"POST", "/containers/abc/attach/ws", Call::other, "", ""},
      {"GET", "/v1.24/containers/abc/attach/ws?x", Call::container_attach_ws, "abc", "1.24"},
      {"POST", "/exec/e/start", Call::exec_start, "e", ""},
      {"POST", "/v1.41/exec/e/start", Call::exec_start, "e", "1.41"},
      {"POST", "/exec/e/resize", Call::other, "", ""},
      {"POST", "/session", Call::session, "", ""},
      {"POST", "/v1.41/grpc", Call::grpc, "", "1.41"},
      {"GET", "/session", Call::other, "", ""},
      {"POST", "/sessions", Call::other, "", ""},
      {"POST", "/session/", Call::other, "", ""},
      {"POST", "/v1.41/a/b/c/d/e/f/g", Call::other, "", "1.41"},
      {"POST", "//session", Call::other, "", ""},
      {"GET", "/containers/abc/attach/ws/x", Call::other, "", ""},
      {"GET", "/v1.41/containers/abc/attach/ws/x", Call::other, "", "1.41"},
      {"POST", "session", Call::other, "", ""},
      {"POST", "/v1.41", Call::other, "", "1.41"},
      {"POST", "/vx/session", Call::other, "", ""},
      {"POST", "/", Call::other, "", ""},
      {"GET", "/_ping", Call::other, "", ""},
      {"HEAD", "/session", Call::other, "", ""},
      {"POST", "/?/containers/abc/attach", Call::other, "", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.target);
    const auto found = engine_api::route(c.method, c.target);
    CHECK(found.call == c.call);
    CHECK(found.id == c.id);
    CHECK(found.version == c.version);
    CHECK(engine_api::hijackable(found.call) == (c.call != Call::other));
  }
}

TEST_CASE("engine_api/route: decoding leaves bad escapes, and the query") {
  CHECK(engine_api::decoded_path("/a%2fb%2Fc") == "/a/b/c");
  CHECK(engine_api::decoded_path("/%zz%4") == "/%zz%4");
  CHECK(engine_api::decoded_path("/%4") == "/%4");
  CHECK(engine_api::decoded_path("/%41") == "/A");
  CHECK(engine_api::decoded_path("/%2541") == "/%41");  // once only
  CHECK(engine_api::decoded_path("/a+b?%41") == "/a+b");
  CHECK(engine_api::decoded_path("") == "");
}

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
