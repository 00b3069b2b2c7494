// An engine that the test plays: answers from a table, in one loop with the code under test.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../support/settle.h"
#include "base/unique_fd.h"
#include "http/parser.h"
#include "http/writer.h"
#include "io/endpoint.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/stream.h"

namespace causeway::test {

class ScriptedEngine {
 public:
  struct Answer {
    int status = 200;
    std::string body;
  };

  ScriptedEngine() {
    std::array<char, 40> name{"/tmp/causeway-containers-XXXXXX"};
    folder = mkdtemp(name.data());
    auto listening = io::listen_unix(socket(), 0600);
    REQUIRE(listening.ok());
    listener_ = std::make_unique<io::Listener>(loop, *std::move(listening), [this](UniqueFd fd) {
      clients_.push_back(std::make_unique<Client>(*this, std::move(fd)));
    });
  }
  ~ScriptedEngine() {
    listener_.reset();
    clients_.clear();
    std::system(("rm -rf " + folder).c_str());  // NOLINT: a path made here
  }
  ScriptedEngine(const ScriptedEngine&) = delete;
  ScriptedEngine& operator=(const ScriptedEngine&) = delete;

  std::string socket() const { return folder + "/engine.sock"; }
  void settle() { causeway::test::settle(loop); }

  io::Loop loop;  // first: all else is on it
  std::string folder;
  std::map<std::string, Answer> answers;  // by "METHOD target"; none: 404
  std::vector<std::string> asked;
  std::function<void(const std::string& call)> on_call;
  bool silent = false;      // takes requests, answers none
  int events_status = 200;  // of GET /events
  void event(const std::string& line) {
    REQUIRE(follower != nullptr);
    follower->write(http::chunk(line + "\n"));
    settle();
  }
  io::Stream* follower = nullptr;  // who follows the events

 private:
  struct Client : io::Stream::Handler {
    Client(ScriptedEngine& all, UniqueFd fd) : engine(all), stream(all.loop, std::move(fd), this) {
      stream.resume(io::Stream::not_started);
    }
    void on_data(std::string_view bytes) override {
      while (!bytes.empty() && !parser.complete()) {
        const auto taken = parser.feed(bytes);
        REQUIRE(taken.ok());
        bytes.remove_prefix(*taken);
      }
      if (!parser.complete()) return;
      const std::string call =
          std::string(parser.head().method) + " " + std::string(parser.head().target);
      engine.asked.push_back(call);
      if (engine.on_call) engine.on_call(call);
      if (engine.silent) return;
      if (call.starts_with("GET /events")) {
        stream.write(http::write_chunked_head(engine.events_status, "application/json"));
        engine.follower = &stream;
        return;
      }
      const auto found = engine.answers.find(call);
      const Answer answer = found == engine.answers.end()
                                ? Answer{404, R"({"message":"no such container"})"}
                                : found->second;
      http::Response response;
      response.status = answer.status;
      response.body = answer.body;
      response.keep_alive = false;
      stream.write(http::write(response));
      stream.shutdown_write();
    }
    void on_eof() override {}
    void on_drained() override {}
    void on_read_error(const Error&) override {}
    void on_write_error(const Error&) override {}

    ScriptedEngine& engine;
    http::Parser parser{http::Kind::request};
    io::Stream stream;
  };

  std::list<std::unique_ptr<Client>> clients_;
  std::unique_ptr<io::Listener> listener_;
};

}  // namespace causeway::test
