#include "supervise/service_log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "io/loop.h"
#include "support/loop_fixture.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::supervise;

namespace {

struct Scratch : causeway::test::TempDir {
  ServiceLog::Paths paths() const {
    return {path + "/run/engine.fifo", path + "/run/engine.pending", path + "/data/engine.log"};
  }
};

// The daemon's end of the FIFO.
struct Writer {
  explicit Writer(const std::string& fifo) : fd(::open(fifo.c_str(), O_RDWR | O_CLOEXEC)) {
    REQUIRE(static_cast<bool>(fd));
  }
  void say(std::string_view bytes) const { REQUIRE(file::write_all(fd.get(), bytes).ok()); }
  UniqueFd fd;
};

std::unique_ptr<ServiceLog> open_log(io::Loop& loop, const Scratch& scratch, LogLimits limits = {},
                                     UniqueFd inherited = UniqueFd()) {
  auto log = ServiceLog::open(loop, scratch.paths(), limits, std::move(inherited));
  REQUIRE_MESSAGE(log.ok(), (log.ok() ? "" : log.error().message));
  return std::move(*log);
}

std::string content(const std::string& path) {
  auto read = file::read(path, 64 << 20);
  return read.ok() ? *read : "";
}

// The state an agent leaves that is killed between writing a block and consuming it.
void leave_pending(const Scratch& scratch, std::uint64_t offset, std::uint64_t length) {
  const std::array<std::uint64_t, 2> record{offset, length};
  REQUIRE(file::write_atomic(scratch.paths().pending,
                             {reinterpret_cast<const char*>(record.data()), sizeof record})
              .ok());
}

}  // namespace

TEST_CASE("supervise/log_lines: lines come out whole, however they come in") {
  const std::string text = "one\ntwo\r\n\nfour";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    LogLines lines;
    std::vector<std::string> told;
    const auto tell = [&](std::string_view line) { told.emplace_back(line); };
    lines.add(std::string_view(text).substr(0, cut), tell);
    lines.add(std::string_view(text).substr(cut), tell);
    CHECK(told == std::vector<std::string>{"one", "two", ""});
    lines.end(tell);
    CHECK(lines.last(10) == std::vector<std::string>{"one", "two", "", "four"});
    CHECK(lines.last(2) == std::vector<std::string>{"", "four"});
  }
}

TEST_CASE("supervise/log_lines: a line without end is split, memory stays bounded") {
  LogLines lines;
  lines.add(std::string(LogLines::kMaxLine + 5, 'x') + "\nend\n", nullptr);
  const auto all = lines.last(10);
  REQUIRE(all.size() == 3);
  CHECK(all[0].size() == LogLines::kMaxLine);
  CHECK(all[1] == "xxxxx");
  CHECK(all[2] == "end");
  for (int i = 0; i < 100000; ++i) lines.add("line " + std::to_string(i) + "\n", nullptr);
  std::size_t bytes = 0;
  const auto kept = lines.last(1000000);
  for (const auto& line : kept) bytes += line.size() + sizeof line;
  CHECK(bytes <= LogLines::kKeepBytes);
  CHECK(kept.back() == "line 99999");
  CHECK(kept.size() > 1000);
}

TEST_CASE("supervise/log_file: rotates by size and drops the oldest") {
  const Scratch scratch;
  const std::string path = scratch.path + "/deep/er/engine.log";
  LogFile log(path, {100, 3});
  std::size_t written = 0;
  for (char c = 'a'; c <= 'e'; ++c) {
    REQUIRE(log.prepare(60).ok());
    REQUIRE(log.append(std::string(60, c), written).ok());
    CHECK(written == 60);
  }
  CHECK(content(path) == std::string(60, 'e'));
  CHECK(content(path + ".1") == std::string(60, 'd'));
  CHECK(content(path + ".2") == std::string(60, 'c'));
  CHECK(::access((path + ".3").c_str(), F_OK) != 0);
  // A block larger than the limit still goes into one file.
  REQUIRE(log.prepare(1000).ok());
  REQUIRE(log.append(std::string(1000, 'x'), written).ok());
  CHECK(content(path).size() == 1000);
  CHECK(log.tail(3) == "xxx");
}

TEST_CASE("supervise/service_log: what the daemon writes reaches file, memory and followers") {
  const Scratch scratch;
  io::Loop loop;
  auto log = open_log(loop, scratch);
  const Writer daemon(scratch.paths().fifo);
  std::vector<std::string> followed;
  auto subscription = log->follow([&](std::string_view line) { followed.emplace_back(line); });
  daemon.say("one\ntw");
  causeway::test::settle(loop);
  CHECK(followed == std::vector<std::string>{"one"});
  CHECK(content(scratch.paths().file) == "one\ntw");
  subscription.reset();
  daemon.say("o\n");
  causeway::test::settle(loop);
  CHECK(followed.size() == 1);
  CHECK(log->last(5) == std::vector<std::string>{"one", "two"});
  CHECK(content(scratch.paths().file) == "one\ntwo\n");
  CHECK(log->error().empty());
}

TEST_CASE("supervise/service_log: a megabyte passes unharmed, in order") {
  const Scratch scratch;
  io::Loop loop;
  auto log = open_log(loop, scratch);
  const Writer daemon(scratch.paths().fifo);
  std::string all;
  for (int i = 0; all.size() < 900000; ++i) all += "line " + std::to_string(i) + " of a log\n";
  daemon.say(all);
  log->service_ended();
  CHECK(content(scratch.paths().file) == all);
}

TEST_CASE("supervise/service_log: the next agent goes on where the killed one was") {
  const Scratch scratch;
  UniqueFd stored;
  {
    io::Loop loop;
    auto log = open_log(loop, scratch);
    stored.reset(::fcntl(log->fifo(), F_DUPFD_CLOEXEC, 3));
    Writer(scratch.paths().fifo).say("before\n");
    causeway::test::settle(loop);
  }
  Writer(scratch.paths().fifo).say("without an agent\n");
  io::Loop loop;
  auto log = open_log(loop, scratch, {}, std::move(stored));
  causeway::test::settle(loop);
  CHECK(content(scratch.paths().file) == "before\nwithout an agent\n");
  CHECK(log->last(9) == std::vector<std::string>{"before", "without an agent"});
}

TEST_CASE("supervise/service_log: killed between writing and consuming: no loss, no double") {
  struct Case {
    const char* name;
    const char* file;      // what the killed agent left in the file
    std::uint64_t offset;  // and in the record
    std::uint64_t length;
    const char* fifo;  // and in the FIFO
    const char* expected;
  };
  for (const auto& c : {
           Case{"written, not consumed", "old\nnew\n", 4, 4, "new\n", "old\nnew\n"},
           Case{"the same, and more came", "old\nnew\n", 4, 4, "new\nmore\n", "old\nnew\nmore\n"},
           Case{"half written", "old\nne", 4, 4, "new\n", "old\nnew\n"},
           Case{"not yet written", "old\n", 4, 4, "new\n", "old\nnew\n"},
           Case{"consumed, record not cleared", "old\nnew\n", 4, 4, "", "old\nnew\n"},
           Case{"consumed, then something else came", "old\nnew\n", 4, 4, "next\n",
                "old\nnew\nnext\n"},
           Case{"no record: equal lines are two lines", "old\nnew\n", 4, 0, "new\n",
                "old\nnew\nnew\n"},
           Case{"a record of another file", "x\n", 400, 4, "new\n", "x\nnew\n"},
       }) {
    CAPTURE(c.name);
    const Scratch scratch;
    const auto paths = scratch.paths();
    REQUIRE(file::make_directories(scratch.path + "/run").ok());
    REQUIRE(file::make_directories(scratch.path + "/data").ok());
    REQUIRE(::mkfifo(paths.fifo.c_str(), 0600) == 0);
    REQUIRE(file::write_atomic(paths.file, c.file).ok());
    leave_pending(scratch, c.offset, c.length);
    const Writer daemon(paths.fifo);
    daemon.say(c.fifo);
    io::Loop loop;
    auto log = open_log(loop, scratch);
    causeway::test::settle(loop);
    CHECK(content(paths.file) == c.expected);
  }
}

TEST_CASE("supervise/service_log: a full disk costs the file's bytes only, until there is room") {
  const Scratch scratch;
  auto paths = scratch.paths();
  paths.file = scratch.path + "/data/engine.log";
  REQUIRE(file::make_directories(scratch.path + "/data").ok());
  REQUIRE(::symlink("/dev/full", paths.file.c_str()) == 0);  // O_NOFOLLOW: the open fails
  io::Loop loop;
  auto log = open_log(loop, scratch);
  const Writer daemon(paths.fifo);
  std::vector<std::string> followed;
  const auto subscription =
      log->follow([&](std::string_view line) { followed.emplace_back(line); });
  daemon.say("lost for the file\n");
  causeway::test::settle(loop);
  CHECK(log->error().find("engine.log") != std::string::npos);
  CHECK(log->unwritten_bytes() == 18);
  CHECK(log->last(1) == std::vector<std::string>{"lost for the file"});
  CHECK(followed.size() == 1);
  REQUIRE(::unlink(paths.file.c_str()) == 0);
  daemon.say("kept\n");
  causeway::test::settle(loop);
  CHECK(log->error().empty());
  CHECK(log->unwritten_bytes() == 18);
  CHECK(content(paths.file) ==
        "kept\ncauseway: 18 bytes of this log could not be written so far\n");
}

TEST_CASE("supervise/service_log: what isn't a FIFO is refused") {
  const Scratch scratch;
  REQUIRE(file::make_directories(scratch.path + "/run").ok());
  REQUIRE(file::write_atomic(scratch.paths().fifo, "").ok());
  io::Loop loop;
  CHECK_FALSE(ServiceLog::open(loop, scratch.paths(), {}, UniqueFd()).ok());
}

TEST_CASE("supervise/service_log: notes stand between the service's lines") {
  const Scratch scratch;
  io::Loop loop;
  auto log = open_log(loop, scratch);
  log->note("65536 bytes\nwere dropped");
  CHECK(log->last(1) == std::vector<std::string>{"65536 bytes\\x0awere dropped"});
  CHECK(content(scratch.paths().file) == "65536 bytes\\x0awere dropped\n");
}

TEST_CASE("supervise/service_log: a follower may leave in its own callback") {
  const Scratch scratch;
  io::Loop loop;
  auto log = open_log(loop, scratch);
  int calls = 0;
  std::shared_ptr<LogSubscription> subscription;
  subscription = log->follow([&](std::string_view) {
    ++calls;
    subscription.reset();
  });
  Writer(scratch.paths().fifo).say("a\nb\n");
  causeway::test::settle(loop);
  CHECK(calls == 1);
}
