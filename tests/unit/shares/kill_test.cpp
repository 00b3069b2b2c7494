// The agent is killed before each of its system calls in turn, while a distro comes and goes. What
// it leaves must never be half a share, and the next agent must work with it.
#include <doctest/doctest.h>
#include <sys/ptrace.h>

#include <cstdlib>

#include "rig.h"

using namespace causeway;
using namespace causeway::shares;
using namespace causeway::shares::testing;

namespace {

const auto needs_mounts = doctest::skip(!can_mount());

// Every so many calls; all of them take some minutes.
long stride() {
  const char* value = std::getenv("CAUSEWAY_KILL_STRIDE");
  const long number = value == nullptr ? 0 : std::atol(value);
  return number > 0 ? number : 61;
}

// An agent in a process of its own, stopped at each system call.
class Traced {
 public:
  explicit Traced(Rig& rig) {
    pid_ = ::fork();
    if (pid_ != 0) {
      REQUIRE(::waitpid(pid_, nullptr, 0) == pid_);
      REQUIRE(::ptrace(PTRACE_SETOPTIONS, pid_, 0, PTRACE_O_EXITKILL) == 0);
      ::ptrace(PTRACE_SYSCALL, pid_, 0, 0);
      return;
    }
    ::ptrace(PTRACE_TRACEME, 0, 0, 0);
    ::raise(SIGSTOP);
    auto client = rig.store.next_agent();
    io::Loop loop;
    Shares::Events events;
    events.detaching = [](const std::string&, std::function<void()> done) { done(); };
    events.listener = [](ApiListener listener) { (void)listener.fd.release(); };
    Shares shares(loop, client, rig.options(), std::move(events));
    shares.start();
    for (;;) loop.run();
  }
  ~Traced() { kill(); }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

  // Lets it run on if it is stopped; true when it was killed, at call number `last`.
  bool step(long last) {
    int status = 0;
    while (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
      REQUIRE(WIFSTOPPED(status));
      const bool at_call = WSTOPSIG(status) == SIGTRAP;
      if (at_call && calls_++ >= last) {
        kill();
        return true;
      }
      ::ptrace(PTRACE_SYSCALL, pid_, 0, at_call ? 0 : WSTOPSIG(status));
    }
    return false;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  long calls_ = 0;
};

// What the helper does as soon as somebody listens: it comes again whenever it was cut off.
class ComingHelper {
 public:
  ComingHelper(Rig& rig, const Process& first, const Distro& distro)
      : rig_(rig), first_(first), distro_(distro) {}

  void look() {
    if (helper_ && helper_->closed.empty()) return;
    helper_.reset();
    const auto run = handover::open_trusted(rig_.wsl, {handover::kPlace, "run"});
    if (!run || !handover::connect_in(run->get(), handover::kSocketName)) return;
    helper_ = rig_.connect();
    helper_->share("Ubuntu", first_, distro_);
    helper_->say(handover::Socket{"/run/docker.sock"}, listening(rig_.sandbox / "docker.sock"));
  }
  void end() { helper_.reset(); }

 private:
  Rig& rig_;
  const Process& first_;
  const Distro& distro_;
  std::unique_ptr<Helper> helper_;
};

// A share that can be seen is whole, and what is no share can't be written.
void check_whole(const Rig& rig) {
  if (exists(rig.share("Ubuntu/who"))) {
    CHECK(content(rig.share("Ubuntu/home/who")) == "home");
    CHECK(exists(rig.share("Ubuntu/proc/self")));
  } else if (exists("/mnt/distro")) {
    CHECK(mounts_below(rig.share("Ubuntu")).empty());
    if (!mounts_below("/mnt/distro").empty())
      CHECK(::mkdir(rig.share("Ubuntu/x").c_str(), 0755) != 0);
  }
}

// The life of a share, with an agent that is killed at one of its calls. False when it was over
// before.
bool killed_at(long call) {
  Rig rig;
  auto first = std::make_unique<Process>();
  const Distro ubuntu(rig.sandbox / "ubuntu");
  bool killed = false;
  bool ended = false;
  {
    Traced agent(rig);
    ComingHelper helper(rig, *first, ubuntu);
    const auto over = [&] {
      helper.look();
      rig.loop.turn();
      killed = agent.step(call);
      if (!ended && exists(rig.share("Ubuntu/who")) && rig.store.used("d.") == 3) {
        helper.end();
        first->end();
        ended = true;
      }
      return killed || (ended && rig.store.used("d.") == 1 && !exists(rig.share("Ubuntu")));
    };
    REQUIRE(rig.until(over));
  }
  rig.store.settle();
  rig.settle();
  check_whole(rig);

  // The next agent: a distro that runs gets its share, of one that has ended nothing is left.
  rig.agent();
  CHECK(rig.notes().empty());
  ComingHelper helper(rig, *first, ubuntu);
  REQUIRE(rig.until([&] {
    if (!ended) helper.look();
    for (auto& [name, done] : std::exchange(rig.detaching, {})) done();
    check_whole(rig);
    return ended ? !exists(rig.share("Ubuntu")) && !rig.shares->attached("Ubuntu")
                 : rig.shares->attached("Ubuntu") && rig.listener("/run/docker.sock") != nullptr;
  }));
  CHECK(mounts_below(rig.sandbox / "run/staging") == ".");
  if (ended) {
    CHECK(mounts_below("/mnt/distro") == ".");
    CHECK(rig.store.used("d.") == 1);
  } else {
    CHECK(rig.store.used("d.") == 3);
    CHECK(content(rig.share("Ubuntu/home/who")) == "home");
  }
  CHECK(content(ubuntu.path("/home/who")) == "home");
  return killed;
}

}  // namespace

TEST_CASE("shares/attached_shares: killed at any system call" * needs_mounts) {
  // The first calls are those of the C library.
  long calls = 1;
  for (; calls < 100'000; calls += stride()) {
    CAPTURE(calls);
    if (!killed_at(calls)) break;
  }
  MESSAGE("the whole life takes ", calls, " stops");
  CHECK(calls > 500);
}
