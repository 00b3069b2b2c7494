// Which program is started as the agent: /bin/true stands for init's own, /bin/false for the one in
// the slot. Their exit codes tell which it was.
#include "init/agent_process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/file.h"

using namespace causeway;

namespace {

UniqueFd program(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fd);
  return fd;
}

// A life of the agent, with init's part of the store's protocol; its exit code.
int run(init::AgentProcess& agent, fd_store::FdStore& store) {
  REQUIRE(agent.start(store));
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(agent.pid(), &status, WNOHANG);
    while (fd_store::serve_store_request(agent.socket(), store)) {
    }
    if (ended == agent.pid()) break;
  }
  agent.ended();
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

init::AgentProcess agent_with(UniqueFd own) {
  return {std::move(own), {"causeway", "agent"}, {"PATH=/bin"}, "an instance"};
}

// A file of root's with `mode`, removed at the end.
struct File {
  explicit File(std::string_view content) {
    REQUIRE(file::write_atomic(path, content, 0755).ok());
    REQUIRE(::chmod(path.c_str(), 0755) == 0);
  }
  ~File() { ::unlink(path.c_str()); }
  std::string path = "/tmp/causeway-agent-process." + std::to_string(::getpid());
};

}  // namespace

TEST_CASE("init/agent_process: the program in the slot, and without one init's own") {
  auto agent = agent_with(program("/bin/true"));
  fd_store::FdStore store;
  CHECK(run(agent, store) == 0);
  REQUIRE(store.put("agent", program("/bin/false")).empty());
  CHECK(run(agent, store) == 1);
  CHECK(run(agent, store) == 1);
  REQUIRE(store.drop("agent").empty());
  CHECK(run(agent, store) == 0);
}

TEST_CASE("init/agent_process: a stored program that can't be started is dropped by that start") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: a program of root's can be made by root only");
    return;
  }
  auto agent = agent_with(program("/bin/true"));
  fd_store::FdStore store;
  const File junk("no program\n");
  REQUIRE(store.put("agent", program(junk.path)).empty());
  CHECK(run(agent, store) == 0);
  CHECK(store.get("agent") == -1);
  REQUIRE(store.put("agent", program("/bin/false")).empty());
  CHECK(run(agent, store) == 1);
  // Changed behind the back of the check.
  REQUIRE(store.put("agent", program(junk.path)).empty());
  REQUIRE(::chmod(junk.path.c_str(), 0775) == 0);
  CHECK(run(agent, store) == 0);
  CHECK(store.get("agent") == -1);
}

TEST_CASE("init/agent_process: without any program the exit code says so") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: a program of root's can be made by root only");
    return;
  }
  const File junk("no program\n");
  auto agent = agent_with(program(junk.path));
  fd_store::FdStore store;
  CHECK(run(agent, store) == 127);
  REQUIRE(store.put("agent", program(junk.path)).empty());
  CHECK(run(agent, store) == 127);
  CHECK(store.get("agent") == -1);
}
