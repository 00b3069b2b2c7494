#include "daemon/log_relay.h"

#include <doctest/doctest.h>

using namespace causeway::daemon;

namespace {
std::string merged(std::vector<KeptLines> kept, const std::deque<std::uint16_t>& order,
                   std::size_t tail = 100) {
  std::string out;
  for (const auto& line : merge_lines(std::move(kept), order, tail))
    out += line.service + ":" + line.line + " ";
  return out;
}
}  // namespace

TEST_CASE("daemon/log_relay: lines of several services in the order in which they came") {
  CHECK(merged({{"a", {"1", "2"}}, {"b", {"x", "y"}}}, {0, 1, 1, 0}) == "a:1 b:x b:y a:2 ");
  CHECK(merged({{"a", {"1", "2"}}, {"b", {"x", "y"}}}, {0, 1, 1, 0}, 3) == "b:x b:y a:2 ");
  CHECK(merged({{"a", {"1", "2"}}}, {0, 0}, 0).empty());
}

TEST_CASE("daemon/log_relay: what is older than the known order comes first") {
  CHECK(merged({{"a", {"old", "2"}}, {"b", {"older", "y"}}}, {1, 0}) == "a:old b:older b:y a:2 ");
  CHECK(merged({{"a", {"1"}}, {"b", {"x"}}}, {}) == "a:1 b:x ");
}

TEST_CASE("daemon/log_relay: an order that names what is no longer kept, or another's lines") {
  CHECK(merged({{"a", {"2"}}}, {0, 0, 0xffff, 0}) == "a:2 ");
}
