#include "distro/agent_connection.h"

#include <sys/stat.h>

#include "fake_agent.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

struct Rig : AgentConnection::Owner {
  Rig() : agent(loop), link(loop, *this) {}

  Result<handover::Message> hello() override {
    ++hellos;
    return handover::Message{handover::Hello{1, "D", "0", {}},
                             UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))};
  }
  void on_welcome() override { events += "welcome "; }
  void on_message(handover::Message message) override {
    events += std::string(handover::type_name(message.body)) + " ";
  }
  void on_unwanted(const std::string& reason) override { events += "unwanted:" + reason + " "; }
  void on_lost() override { events += "lost "; }

  bool saw(const std::string& expected) {
    return agent.until([&] { return events == expected; });
  }

  io::Loop loop;
  FakeAgent agent;
  int hellos = 0;
  std::string events;
  AgentConnection link;
};

}  // namespace

TEST_CASE("distro/agent_connection: it waits for the agent, and comes back when that restarts") {
  if (!is_root("directories that are root's")) return;
  Rig rig;
  rig.link.look("");
  rig.link.look(rig.agent.wsl.path);
  rig.agent.settle();
  CHECK(rig.hellos == 0);
  rig.agent.listen();
  rig.agent.take<handover::Hello>();
  CHECK_FALSE(rig.link.talking());
  rig.link.send(handover::MountsDone{});  // ignored: not welcome yet
  rig.agent.send(handover::Welcome{});
  REQUIRE(rig.saw("welcome "));
  CHECK(rig.link.talking());
  rig.agent.send(handover::Remove{});
  REQUIRE(rig.saw("welcome remove "));
  CHECK_FALSE(rig.agent.has<handover::MountsDone>());

  rig.agent.die();
  REQUIRE(rig.saw("welcome remove lost "));
  CHECK_FALSE(rig.link.talking());
  rig.agent.listen();
  rig.agent.take<handover::Hello>();
  rig.agent.send(handover::Welcome{});
  REQUIRE(rig.saw("welcome remove lost welcome "));
  CHECK(rig.hellos == 2);
}

TEST_CASE("distro/agent_connection: refused, it waits for the socket to be touched") {
  if (!is_root("directories that are root's")) return;
  Rig rig;
  rig.agent.listen();
  rig.link.look(rig.agent.wsl.path);
  rig.agent.take<handover::Hello>();
  rig.agent.send(handover::Refused{"another distro has this name", false});
  rig.agent.channel->close_when_sent();
  REQUIRE(rig.agent.until([&] { return rig.agent.channel == nullptr; }));
  rig.agent.settle();
  CHECK(rig.events.empty());
  CHECK(rig.hellos == 1);
  const auto socket = rig.agent.wsl.path / handover::kRendezvous / "run" / handover::kSocketName;
  REQUIRE(::utimensat(AT_FDCWD, socket.c_str(), nullptr, 0) == 0);
  rig.agent.take<handover::Hello>();
  rig.agent.send(handover::Refused{"disabled", true});
  CHECK(rig.saw("unwanted:disabled "));
}

TEST_CASE("distro/agent_connection: somebody else's rendezvous directory is not used") {
  if (!is_root("giving files away")) return;
  Rig rig;
  rig.agent.listen();
  const auto directory = rig.agent.wsl.path / handover::kRendezvous;
  REQUIRE(::chown(directory.c_str(), 1000, 1000) == 0);
  rig.link.look(rig.agent.wsl.path);
  rig.agent.settle();
  CHECK(rig.agent.connections == 0);
  CHECK(rig.hellos == 0);
  // It is given back: seen at the latest after a rest.
  REQUIRE(::chown(directory.c_str(), 0, 0) == 0);
  rig.agent.take<handover::Hello>();
}

TEST_CASE(
    "distro/agent_connection: an agent that talks before its welcome is left, and tried again") {
  if (!is_root("directories that are root's")) return;
  Rig rig;
  rig.agent.listen();
  rig.link.look(rig.agent.wsl.path);
  for (int i = 1; i <= 3; ++i) {
    rig.agent.take<handover::Hello>();
    rig.agent.send(handover::Remove{});
    REQUIRE(rig.agent.until([&] { return rig.agent.channel == nullptr; }));
  }
  rig.agent.take<handover::Hello>();
  rig.agent.send(handover::Welcome{});
  CHECK(rig.saw("welcome "));
}

TEST_CASE("distro/agent_connection: it ends when all is sent, also without a connection") {
  if (!is_root("directories that are root's")) return;
  Rig rig;
  rig.agent.listen();
  rig.link.look(rig.agent.wsl.path);
  rig.agent.take<handover::Hello>();
  rig.agent.send(handover::Welcome{});
  REQUIRE(rig.saw("welcome "));
  bool ended = false;
  rig.link.send(handover::Removed{});
  rig.link.finish([&] { ended = true; });
  CHECK_FALSE(ended);
  rig.agent.take<handover::Removed>();
  REQUIRE(rig.agent.until([&] { return ended; }));

  AgentConnection other(rig.loop, rig);
  ended = false;
  other.finish([&] { ended = true; });
  CHECK(rig.agent.until([&] { return ended; }));
}
