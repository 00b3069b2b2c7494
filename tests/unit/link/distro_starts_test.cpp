#include "link/distro_starts.h"

#include <doctest/doctest.h>

#include "rig.h"

using namespace causeway;
using namespace causeway::link;
using namespace causeway::link::test;

namespace {

struct Starts {
  explicit Starts(std::uint64_t answer_ms = 60'000)
      : starts(
            rig.loop, [this] { return rig.server->open(wire::Channel::distro_start); },
            [this](const std::string& distro, const std::string& reason) {
              refusals.push_back(distro + ": " + reason);
            },
            answer_ms) {}
  Rig rig;
  std::vector<std::string> refusals;
  DistroStarts starts;
};

}  // namespace

TEST_CASE("link/distro_starts: a line asks, a line answers") {
  struct Case {
    std::string answer;
    std::vector<std::string> refusals;
  };
  const std::vector<Case> cases = {
      {"{\"started\":true}\n", {}},
      {"{\"started\":false,\"reason\":\"it is not enabled\"}\n", {"Ubuntu: it is not enabled"}},
      {"{\"started\":false}\n", {"Ubuntu: Windows gives no reason"}},
      {"{\"started\":false,\"reason\":\"\\u001b[31m\"}\n", {"Ubuntu: \\x1b[31m"}},
      {"yes\n", {"Ubuntu: Windows gave an answer that makes no sense"}},
      {"{\"started\":1}\n", {"Ubuntu: Windows gave an answer that makes no sense"}},
      {"", {"Ubuntu: Windows gave no answer"}},
      {std::string(5000, 'x'), {"Ubuntu: Windows gave an answer without an end"}},
  };
  for (const auto& entry : cases) {
    CAPTURE(entry.answer);
    Starts test;
    Windows windows = test.rig.connect();
    windows.greet();
    test.starts.ask("Ubuntu");
    test.starts.ask("Ubuntu");
    windows.settle();
    REQUIRE(windows.opened.size() == 1);
    const auto id = windows.opened[0];
    CHECK(windows.data[id] == "\x03{\"distro\":\"Ubuntu\"}\n");
    for (const char byte : entry.answer) windows.yamux.write(id, {&byte, 1});
    windows.yamux.close(id);
    windows.settle();
    CHECK(test.refusals == entry.refusals);
    CHECK(test.starts.open_questions() == 0);
    CHECK(test.rig.server->status().streams == 0);
  }
}

TEST_CASE("link/distro_starts: nobody there, or gone before the answer: nothing is told") {
  Starts test;
  test.starts.ask("Ubuntu");
  CHECK(test.starts.open_questions() == 0);
  Windows windows = test.rig.connect();
  windows.greet();
  test.starts.ask("Ubuntu");
  windows.settle();
  windows.close();
  test.rig.settle();
  CHECK(test.starts.open_questions() == 0);
  CHECK(test.refusals.empty());
  Windows again = test.rig.connect();
  again.greet();
  test.starts.ask("Ubuntu");
  again.settle();
  CHECK(again.opened.size() == 1);
}

TEST_CASE("link/distro_starts: no answer in time") {
  Starts test(30);
  Windows windows = test.rig.connect();
  windows.greet();
  test.starts.ask("Ubuntu");
  windows.settle();
  CHECK(test.rig.until([&] { return !test.refusals.empty(); }));
  CHECK(test.refusals == std::vector<std::string>{"Ubuntu: Windows gave no answer"});
}
