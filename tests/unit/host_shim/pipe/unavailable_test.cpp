#include "pipe/unavailable.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

using namespace causeway::shim;
using namespace causeway::shim::pipe;

TEST_CASE(
    "host_shim/pipe/unavailable: the answer is HTTP with Docker's JSON, whatever the reason") {
  for (const std::string reason : {"starting", "he said \"no\"\\\n\t\x01", "\xc3\xbc"}) {
    const auto answer = unavailable_answer(reason);
    const auto split = answer.find("\r\n\r\n");
    REQUIRE(split != std::string::npos);
    const auto head = answer.substr(0, split);
    const auto body = answer.substr(split + 4);
    CHECK(head.starts_with("HTTP/1.1 503 "));
    CHECK(head.find("Content-Length: " + std::to_string(body.size())) != std::string::npos);
    CHECK(nlohmann::json::parse(body)["message"] == reason);
  }
}

TEST_CASE("host_shim/pipe/unavailable: the end of a request's head, cut anywhere") {
  const std::string request = "POST /x HTTP/1.1\r\nA: b\r\n\r\nbody";
  const auto end = request.find("\r\n\r\n") + 4;
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    RequestHeadEnd head;
    const bool first = head.seen(std::string_view(request).substr(0, cut));
    CHECK(first == (cut >= end));
    CHECK(head.seen(std::string_view(request).substr(cut)));
  }
  RequestHeadEnd endless;
  CHECK_FALSE(endless.seen(std::string(RequestHeadEnd::kLimit - 1, 'x')));
  CHECK(endless.seen("x"));
}
