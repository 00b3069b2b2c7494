// A whole Shares on a sandbox, agents that die and come back, and helpers that say what a test has
// them say.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fd_store/sockets.h"
#include "handover/channel.h"
#include "handover/share_socket.h"
#include "mounts/placeholder.h"
#include "shares/share_record.h"
#include "shares/shares.h"
#include "support/forked_walk.h"
#include "support/loop_fixture.h"
#include "support/sandbox.h"

namespace causeway::shares::testing {

// The helper's end of a connection.
class Helper {
 public:
  Helper(io::Loop& loop, const std::string& wsl) {
    const auto run = handover::open_trusted(wsl, {handover::kRendezvous, "run"});
    REQUIRE_MESSAGE(run, (run ? "" : run.error().message));
    auto connected = handover::connect_in(run->get(), handover::kSocketName);
    REQUIRE_MESSAGE(connected, (connected ? "" : connected.error().message));
    channel_ = std::make_unique<handover::Channel>(
        loop, std::move(*connected),
        [this](handover::Message message) { got.push_back(std::move(message)); },
        [this](const Error& why) { closed = why.message; });
  }

  void hello(const std::string& distro, const Process& first, std::int64_t version = 1) {
    handover::Hello hello;
    hello.version = version;
    hello.distro = distro;
    hello.helper_version = "test";
    hello.table = {"/mnt/wsl", {{"/mnt/c", 'c', ""}}};
    channel_->send({std::move(hello), first.pidfd()});
  }
  void mount(const Distro& distro, const std::string& point) {
    const auto [device, root] = distro.identity(point);
    channel_->send({handover::Mount{point, device, root, "tmpfs"}, distro.clone(point)});
  }
  void say(handover::Body body, UniqueFd fd = {}) {
    channel_->send({std::move(body), std::move(fd)});
  }
  // Hello, the root and /home, and that this is all.
  void share(const std::string& name, const Process& first, const Distro& distro) {
    hello(name, first);
    mount(distro, "/");
    mount(distro, "/home");
    say(handover::MountsDone{});
  }
  // The first message of that type, or null.
  template <typename T>
  const T* heard() const {
    for (const auto& message : got)
      if (const auto* body = std::get_if<T>(&message.body)) return body;
    return nullptr;
  }

  std::vector<handover::Message> got;
  std::string closed;  // why

 private:
  std::unique_ptr<handover::Channel> channel_;
};

// A listening unix socket, as docker.sock is.
inline UniqueFd listening(const std::string& path) {
  return std::move(*fd_store::bind_socket(path, 0600, 0));
}
inline ino_t inode(int fd) {
  struct stat info {};
  ::fstat(fd, &info);
  return info.st_ino;
}

// An empty /mnt, for as long as it lives, in the test program's own mount namespace.
class EmptyMnt {
 public:
  EmptyMnt() { make_tmpfs("/mnt"); }
  ~EmptyMnt() { ::umount2("/mnt", MNT_DETACH); }
  EmptyMnt(const EmptyMnt&) = delete;
  EmptyMnt& operator=(const EmptyMnt&) = delete;
};

struct Rig : causeway::test::LoopFixture {
  Rig() {
    make_tmpfs(wsl, "mode=1777");
    write_file(sandbox / "program", "the program");
    write_file(sandbox.folder("tools/bin") + "/docker", "tool");
  }

  Options options() const {
    Options out;
    out.run = sandbox.folder("run");
    out.data = sandbox / "data";
    out.program = sandbox / "program";
    out.tools = sandbox / "tools";
    out.wsl = wsl;
    out.detach_ms = detach_ms;
    out.start_walk = start_walk;
    return out;
  }
  // Starts an agent, or after agent_dies() the next one.
  void agent() {
    client = store.next_agent();
    Shares::Handler events;
    events.attached = [this](const std::string& name) { attached.push_back(name); };
    events.detaching = [this](const std::string& name, std::function<void()> done) {
      detaching.emplace_back(name, std::move(done));
    };
    events.listener = [this](ApiListener listener) { listeners.push_back(std::move(listener)); };
    events.listener_gone = [this](const std::string& key) {
      std::erase_if(listeners, [&](const auto& listener) { return listener.key == key; });
      gone.push_back(key);
    };
    events.changed = [this] { ++changes; };
    shares = std::make_unique<Shares>(loop, client, options(), std::move(events));
    shares->on_wanted([this](const std::string& name) { wanted.push_back(name); });
    shares->start();
  }
  // As by kill -9: nothing is undone, every descriptor of it is closed.
  void agent_dies() {
    shares.reset();
    client = {};
    listeners.clear();
    attached.clear();
    detaching.clear();
    gone.clear();
  }

  std::unique_ptr<Helper> connect() { return std::make_unique<Helper>(loop, wsl); }
  // A helper whose share is attached.
  std::unique_ptr<Helper> integrate(const std::string& name, const Process& first,
                                    const Distro& distro) {
    auto helper = connect();
    helper->share(name, first, distro);
    REQUIRE(until([&] { return shares->attached(name) && helper->heard<handover::Welcome>(); }));
    return helper;
  }
  std::string share(const std::string& path) const { return "/mnt/distro/" + path; }
  DistroStatus status(const std::string& name) const {
    for (auto& distro : shares->distros())
      if (distro.name == name) return distro;
    return {};
  }
  std::string state(const std::string& name) const {
    return std::string(name_of(status(name).state));
  }
  const ApiListener* listener(const std::string& path) const {
    for (const auto& each : listeners)
      if (each.path == path) return &each;
    return nullptr;
  }
  std::string notes() const {
    std::string out;
    for (const auto& note : shares->notes()) out += note.text + "\n";
    return out;
  }

  Sandbox sandbox;
  EmptyMnt mnt;
  std::string wsl = sandbox / "wsl";
  std::uint64_t detach_ms = 8000;
  StartWalk start_walk = causeway::test::start_forked_walk;
  Store store;
  fd_store::StoreClient client;
  std::vector<std::string> attached;
  std::vector<std::pair<std::string, std::function<void()>>> detaching;
  std::vector<ApiListener> listeners;
  std::vector<std::string> gone;
  std::vector<std::string> wanted;
  int changes = 0;
  std::unique_ptr<Shares> shares;
};

}  // namespace causeway::shares::testing
