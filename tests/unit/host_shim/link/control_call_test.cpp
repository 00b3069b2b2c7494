#include "link/control_call.h"

#include <doctest/doctest.h>

#include <string>

using namespace causeway::shim;
using namespace causeway::shim::link;

TEST_CASE("host_shim/link/control_call: an answer, cut anywhere") {
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-LENGTH:  3 \r\n\r\nabc";
  for (std::size_t cut = 0; cut < answer.size(); ++cut) {
    const auto part = std::string_view(answer).substr(0, cut);
    const auto open = parse_control_answer(part, false);
    REQUIRE(open.ok());
    CHECK_FALSE(*open);
    CHECK_FALSE(parse_control_answer(part, true).ok());
  }
  const auto whole = parse_control_answer(answer, false);
  REQUIRE(whole.ok());
  REQUIRE(*whole);
  CHECK((**whole).first == 200);
  CHECK((**whole).second == "abc");
  CHECK((**parse_control_answer("HTTP/1.1 204 No Content\r\n\r\n", false)).first == 204);
}

TEST_CASE("host_shim/link/control_call: what is no answer") {
  for (const char* text :
       {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_control_answer(text, false).ok());
  }
}
