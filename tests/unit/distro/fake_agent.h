// The agent's side of the hand-over, played by the test, on the same loop.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../support/settle.h"
#include "handover/channel.h"
#include "handover/share_socket.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/timer.h"
#include "tree.h"

namespace causeway::distro::test {

class FakeAgent {
 public:
  explicit FakeAgent(io::Loop& loop) : loop_(loop), bound_(loop) {
    fs::permissions(wsl.path, fs::perms(01777));
  }

  // Makes the meeting place and the socket there.
  void listen() {
    fs::create_directories(wsl.path / handover::kPlace / "run");
    auto directory = handover::open_trusted(wsl.path, {handover::kPlace, "run"});
    if (!directory) FAIL(directory.error().message);
    auto listening = handover::listen_in(directory->get(), handover::kSocketName);
    if (!listening) FAIL(listening.error().message);
    listener_ =
        std::make_unique<io::Listener>(loop_, std::move(listening->fd), [this](UniqueFd accepted) {
          ++connections;
          got.clear();
          channel = std::make_unique<handover::Channel>(
              loop_, std::move(accepted),
              [this](handover::Message message) { got.push_back(std::move(message)); },
              [this](const Error&) { channel.reset(); });
        });
  }
  // As a killed agent leaves it: the file stays, nobody listens.
  void die() {
    channel.reset();
    listener_.reset();
  }
  void send(handover::Body body, UniqueFd fd = {}) {
    REQUIRE(channel != nullptr);
    channel->send({std::move(body), std::move(fd)});
  }

  bool until(const std::function<bool()>& done) {
    bool late = false;
    bound_.start(10'000, [&] { late = true; });
    while (!done() && !late) loop_.turn();
    bound_.stop();
    return !late;
  }
  void settle() { causeway::test::settle(loop_); }
  // The first message of that type that wasn't taken yet; waits for it.
  template <typename T>
  handover::Message take(const std::function<bool(const T&)>& which = [](const T&) {
    return true;
  }) {
    handover::Message out;
    const bool came = until([&] {
      for (auto message = got.begin(); message != got.end(); ++message) {
        const auto* body = std::get_if<T>(&message->body);
        if (body == nullptr || !which(*body)) continue;
        out = std::move(*message);
        got.erase(message);
        return true;
      }
      return false;
    });
    REQUIRE_MESSAGE(came, "no message " << handover::type_name(handover::Body(T{})));
    return out;
  }
  template <typename T>
  bool has() const {
    for (const auto& message : got)
      if (std::holds_alternative<T>(message.body)) return true;
    return false;
  }

  Tree wsl;  // its folder stands for <wsl>
  int connections = 0;
  std::vector<handover::Message> got;
  std::unique_ptr<handover::Channel> channel;

 private:
  io::Loop& loop_;
  io::Timer bound_;
  std::unique_ptr<io::Listener> listener_;
};

}  // namespace causeway::distro::test
