#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/text.h"
#include "io/loop.h"
#include "process/child_exec.h"
#include "process/control_group.h"
#include "process/pidfd.h"
#include "process/reaper.h"
#include "process/run_once.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::process;
using test::TempDir;

namespace {

// Starts `spec`, runs the loop until its end.
struct Ended {
  Exit exit;
  ChildReport report;
  Child child;
};
Ended run_to_end(const ChildSpec& spec) {
  io::Loop loop;
  Reaper reaper(loop);
  auto child = start_child(spec);
  REQUIRE(child.ok());
  Ended out;
  out.child = std::move(*child);
  reaper.watch(out.child, [&](const Exit& exit) {
    out.exit = exit;
    out.report = read_report(out.child.report.get());
  });
  loop.run();
  CHECK(reaper.watched() == 0);
  return out;
}

ChildSpec shell(const std::string& script) {
  ChildSpec spec;
  spec.argv = {"/bin/sh", "-c", script};
  spec.environment = {"PATH=/usr/bin:/bin"};
  return spec;
}

RunOnce::Outcome run_once(std::vector<std::string> argv, std::uint64_t timeout_ms = 60000) {
  io::Loop loop;
  Reaper reaper(loop);
  RunOnce::Outcome out;
  bool called = false;
  std::unique_ptr<RunOnce> run;
  run = std::make_unique<RunOnce>(loop, reaper, std::move(argv),
                                  std::vector<std::string>{"PATH=/usr/bin:/bin"}, timeout_ms,
                                  [&](const RunOnce::Outcome& outcome) {
                                    out = outcome;
                                    called = true;
                                    run.reset();
                                  });
  CHECK_FALSE(called);
  loop.run();
  CHECK(called);
  return out;
}

}  // namespace

TEST_CASE("process/pidfd: the name of a process cannot mislead the reader of its stat") {
  const std::string tail = " S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
  for (const std::string name : {"(sh)", "(a b)", "(x) S 1 1)", "())"}) {
    CAPTURE(name);
    const auto parsed = parse_stat("42 " + name + tail);
    REQUIRE(parsed.has_value());
    CHECK(parsed->start_time == 777);
    CHECK(parsed->state == 'S');
  }
  for (const char* bad : {"", "42 sh S 1", "42 (sh)", "42 (sh) S 1 1 1 0 -1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_stat(bad).has_value());
  }
}

TEST_CASE("process/pidfd: a process is opened only with its own start time") {
  const auto stat = read_stat(::getpid());
  REQUIRE(stat.ok());
  CHECK(open_pidfd(::getpid(), stat->start_time).ok());
  const auto other = open_pidfd(::getpid(), stat->start_time + 1);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().code == ESRCH);
}

TEST_CASE("process/pidfd: a zombie is not alive") {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
  const auto stat = read_stat(pid);
  REQUIRE(stat.ok());
  const auto opened = open_pidfd(pid, stat->start_time);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ESRCH);
  ::waitpid(pid, nullptr, 0);
  CHECK_FALSE(open_pidfd(pid, stat->start_time).ok());
}

TEST_CASE("process/pidfd: how a process ended, in words") {
  CHECK(Exit::code(3).text() == "exited with code 3");
  CHECK(Exit::signal(SIGKILL).text() == "was killed by SIGKILL");
  CHECK(Exit::unknown().text() == "ended, nobody saw how");
  CHECK(Exit::from_wait_status(3 << 8) == Exit::code(3));
  CHECK(Exit::from_wait_status(SIGSEGV | 0x80) == Exit::signal(SIGSEGV));
  CHECK_FALSE(Exit::unknown().success());
}

TEST_CASE("process/child_exec: exit codes and signals come through") {
  CHECK(run_to_end(shell("exit 0")).exit == Exit::code(0));
  CHECK(run_to_end(shell("exit 7")).exit == Exit::code(7));
  CHECK(run_to_end(shell("kill -KILL $$")).exit == Exit::signal(SIGKILL));
}

TEST_CASE("process/child_exec: a missing program is reported with step and errno") {
  ChildSpec spec;
  spec.argv = {"/nowhere/dockerd"};
  const auto ended = run_to_end(spec);
  CHECK(ended.exit == Exit::code(127));
  CHECK(ended.report.complete);
  CHECK(ended.report.failure == "exec /nowhere/dockerd: No such file or directory");
}

TEST_CASE("process/child_exec: a step that fails ends the child before its exec") {
  const TempDir scratch;
  ChildSpec spec = shell("touch " + scratch.path + "/ran");
  spec.output_path = scratch.path + "/missing/fifo";
  const auto ended = run_to_end(spec);
  CHECK(ended.report.failure == "open " + spec.output_path + ": No such file or directory");
  CHECK(::access((scratch.path + "/ran").c_str(), F_OK) != 0);
}

TEST_CASE("process/child_exec: a setting or limit that fails is a note, and the child runs") {
  ChildSpec spec = shell("exit 5");
  spec.oom_score_adj = 5000;  // out of range
  spec.nofile = 1ULL << 40;
  const auto ended = run_to_end(spec);
  CHECK(ended.exit == Exit::code(5));
  CHECK(ended.report.failure.empty());
  REQUIRE(ended.report.notes.size() == 2);
  CHECK(ended.report.notes[0].find("write 5000 to /proc/self/oom_score_adj") == 0);
  CHECK(ended.report.notes[1].find("limit open files") == 0);
}

TEST_CASE("process/child_exec: the child is set up as the contract says") {
  const TempDir scratch;
  const std::string fifo = scratch.path + "/fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const UniqueFd reader(::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  const int leaked = ::open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC on purpose
  ::signal(SIGUSR1, SIG_IGN);
  ChildSpec spec = shell(
      "echo pid $$; echo session $(cut -d' ' -f6 /proc/$$/stat); echo start $(cut -d' ' -f22 "
      "/proc/$$/stat);"
      "echo files $(ulimit -n); echo cwd $(pwd); echo env $MARK; echo in $(readlink /proc/$$/fd/0);"
      "echo nulls $(readlink /proc/$$/fd/* | grep -c /dev/null); echo ignored $(grep SigIgn "
      "/proc/$$/status | cut "
      "-f2) >&2");
  spec.environment.push_back("MARK=yes");
  spec.output_path = fifo;
  spec.pid_file = scratch.path + "/sh.pid";
  spec.nofile = 256;
  const auto ended = run_to_end(spec);
  ::close(leaked);
  ::signal(SIGUSR1, SIG_DFL);
  CHECK(ended.exit == Exit::code(0));
  std::string said(65536, '\0');
  const ssize_t n = ::read(reader.get(), said.data(), said.size());
  REQUIRE(n > 0);
  said.resize(static_cast<std::size_t>(n));
  const std::string pid = std::to_string(ended.child.pid);
  const std::string start = std::to_string(ended.child.start_time);
  CHECK(said == "pid " + pid + "\nsession " + pid + "\nstart " + start +
                    "\nfiles 256\ncwd /\nenv yes\nin /dev/null\nnulls 1\nignored "
                    "0000000000000000\n");
  CHECK(*file::read(spec.pid_file) == pid + " " + start + "\n");
  const auto recorded = parse_pid_file(*file::read(spec.pid_file));
  REQUIRE(recorded.has_value());
  CHECK(recorded->pid == ended.child.pid);
  CHECK(recorded->start_time == ended.child.start_time);
}

TEST_CASE("process/child_exec: a failed exec takes its pid file back") {
  const TempDir scratch;
  ChildSpec spec;
  spec.argv = {"/nowhere/dockerd"};
  spec.pid_file = scratch.path + "/dockerd.pid";
  run_to_end(spec);
  CHECK(::access(spec.pid_file.c_str(), F_OK) != 0);
}

TEST_CASE("process/child_exec: a child of a killed parent is dead or recorded") {
  // The parent starts a child that reports itself, then kills itself: the child must be recorded,
  // for it outlives.
  const TempDir scratch;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    ChildSpec spec = shell("echo up; exec sleep 1000");
    spec.output_fd = ends[1];
    spec.pid_file = scratch.path + "/pid";
    (void)start_child(spec);
    char byte = 0;
    (void)!::read(ends[0], &byte, 1);  // the child has exec'd
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(parent, &status, 0) == parent);
  CHECK(WTERMSIG(status) == SIGKILL);
  const auto content = file::read(scratch.path + "/pid");
  REQUIRE(content.ok());
  const auto recorded = parse_pid_file(*content);
  REQUIRE(recorded.has_value());
  auto pidfd = open_pidfd(recorded->pid, recorded->start_time);
  REQUIRE(pidfd.ok());
  CHECK(send_signal(pidfd->get(), SIGKILL).ok());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("process/child_exec: a pid file with anything else in it is none") {
  for (const char* bad : {"", "1", "1 2 3", "x 2", "0 5", "-1 5", "99999999999 5", "1 x"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_pid_file(bad).has_value());
  }
}

TEST_CASE("process/reaper: while the owner is told, the pid still belongs to the child") {
  io::Loop loop;
  Reaper reaper(loop);
  auto child = start_child(shell("exit 0"));
  REQUIRE(child.ok());
  bool seen = false;
  reaper.watch(*child, [&](const Exit&) {
    const auto stat = read_stat(child->pid);
    REQUIRE(stat.ok());
    CHECK(stat->state == 'Z');
    CHECK(stat->start_time == child->start_time);
    seen = true;
  });
  loop.run();
  CHECK(seen);
  CHECK_FALSE(read_stat(child->pid).ok());  // reaped
}

TEST_CASE("process/reaper: a forgotten child is reaped, other people's children are left alone") {
  io::Loop loop;
  Reaper reaper(loop);
  const pid_t foreign = ::fork();
  if (foreign == 0) ::_exit(9);
  auto child = start_child(shell("exit 0"));
  REQUIRE(child.ok());
  reaper.watch(*child, [](const Exit&) { FAIL("was forgotten"); });
  reaper.forget(child->pid);
  loop.run();
  CHECK_FALSE(read_stat(child->pid).ok());
  int status = 0;
  CHECK(::waitpid(foreign, &status, 0) == foreign);
  CHECK(WEXITSTATUS(status) == 9);
}

TEST_CASE("process/control_group: a process is moved by a helper, and failures are told") {
  const TempDir scratch;
  const std::string group = scratch.path + "/group";
  REQUIRE(file::make_directories(group).ok());
  REQUIRE(file::write_atomic(group + "/cgroup.procs", "").ok());  // stands in for the kernel's
  io::Loop loop;
  Reaper reaper(loop);
  std::vector<std::string> failures;
  bool told = false;
  ControlGroupMove move(loop, reaper, 4242, {group, scratch.path + "/missing"},
                        [&](const std::vector<std::string>& notes) {
                          failures = notes;
                          told = true;
                        });
  CHECK_FALSE(told);
  loop.run();
  CHECK(told);
  CHECK(*file::read(group + "/cgroup.procs") == "4242");
  REQUIRE(failures.size() == 1);
  CHECK(failures[0] == "open " + scratch.path + "/missing/cgroup.procs: No such file or directory");
}

TEST_CASE("process/control_group: membership is read from /proc/PID/cgroup") {
  const std::string in_all =
      "9:pids:/a/causeway/dockerd\n1:cpu:/causeway/dockerd\n0::/causeway/dockerd\n";
  CHECK(is_member(in_all, "/causeway/dockerd"));
  CHECK_FALSE(is_member(in_all + "4:memory:/a\n", "/causeway/dockerd"));
  CHECK_FALSE(is_member("0::/causeway/dockerd-2\n", "/causeway/dockerd"));
  CHECK_FALSE(is_member("", "/causeway/dockerd"));
}

TEST_CASE("process/run_once: output and exit code") {
  const auto good = run_once({"/bin/sh", "-c", "echo one; echo two >&2"});
  CHECK(good.success());
  CHECK(good.output == "one\ntwo\n");
  const auto bad = run_once({"/bin/sh", "-c", "echo first; echo it broke; exit 4"});
  CHECK_FALSE(bad.success());
  CHECK(bad.text("check") == "check exited with code 4: it broke");
}

TEST_CASE("process/run_once: output is bounded to its end") {
  const auto out = run_once({"/bin/sh", "-c", "yes 0123456789 | head -c 1000000; echo end"});
  CHECK(out.success());
  CHECK(out.output.size() == RunOnce::kOutputBytes);
  CHECK(out.output.ends_with("end\n"));
}

TEST_CASE("process/run_once: at the deadline the whole session is killed") {
  const TempDir scratch;
  const std::string fifo = scratch.path + "/held";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const auto out = run_once(
      {"/bin/sh", "-c", "sleep 1000 > " + fifo + " & : > " + fifo + "; echo waiting; wait"}, 300);
  CHECK(out.timed_out);
  CHECK(out.text("probe") == "probe did not end in time: waiting");
  // The background process held the FIFO's only writing end: its death hangs it up.
  pollfd hangup{reader.get(), 0, 0};
  CHECK(::poll(&hangup, 1, 10000) == 1);
  CHECK((hangup.revents & POLLHUP) != 0);
}

TEST_CASE("process/run_once: what it leaves in the background does not keep us waiting") {
  const auto out = run_once({"/bin/sh", "-c", "sleep 1000 & echo done"});
  CHECK(out.success());
  CHECK(out.output == "done\n");
}

TEST_CASE("process/run_once: a missing program is said by name") {
  const auto out = run_once({"/nowhere/tool"});
  CHECK_FALSE(out.success());
  CHECK(out.text("tool") == "exec /nowhere/tool: No such file or directory");
}

TEST_CASE("process/run_once: destroyed while it runs, it kills and reaps") {
  io::Loop loop;
  Reaper reaper(loop);
  {
    const RunOnce run(loop, reaper, {"/bin/sleep", "1000"}, {}, 60000,
                      [](const RunOnce::Outcome&) { FAIL("was destroyed"); });
    CHECK(reaper.watched() == 1);
  }
  loop.run();
  CHECK(reaper.watched() == 0);
}
