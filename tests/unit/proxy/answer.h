// The proxy's own answers, read as a client reads them.
#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "http/parser.h"

namespace causeway::proxy::test {

struct Answer {
  int status = 0;
  std::string message;
  bool keep_alive = false;
  std::string rest;
};

// The first response in `bytes`, which must be one of ours.
inline Answer parse(std::string_view bytes) {
  http::Parser parser(http::Kind::response);
  Answer answer;
  std::string body;
  while (!bytes.empty() && !parser.complete()) {
    const auto taken = parser.feed(bytes);
    REQUIRE(taken.ok());
    body += parser.body();
    bytes.remove_prefix(*taken);
  }
  if (!parser.complete()) return answer;
  answer.status = parser.head().status;
  answer.keep_alive = parser.keep_alive();
  answer.message = nlohmann::json::parse(body).at("message").get<std::string>();
  answer.rest = bytes;
  return answer;
}

}  // namespace causeway::proxy::test
