// The status as sections: each part of the agent adds one, by name, and calls changed() when
// something in it is different. Sections serves them as a whole, to those who ask once (GET
// /v1/status), to those who follow (GET /v1/events) and to calls that wait for a state.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "control/answer.h"
#include "control/calls.h"
#include "io/loop.h"

namespace causeway::control {

class Sections {
 public:
  using Writer = std::function<std::string()>;  // gives the section's JSON, in one line

  // `loop` outlives it.
  explicit Sections(io::Loop& loop) : loop_(loop) {}

  void add(std::string_view name, Writer writer);
  std::string json() const;
  std::vector<std::string> names() const;

  // Many in one turn of the loop count as one; followers are told behind it.
  void changed();

  // Calls `check` now and after each change until it has a reply.
  Answer wait(std::function<std::optional<Reply>()> check, std::uint64_t limit_ms, Reply late);

  // GET /v1/status and GET /v1/events.
  void add_calls(Calls& calls);

 private:
  struct Section {
    std::string name;
    Writer write;
  };
  struct Waiting {
    std::weak_ptr<Later> client;
    std::function<std::optional<Reply>()> check;
  };
  void tell();
  Answer follow();

  io::Loop& loop_;
  std::vector<Section> sections_;
  std::vector<Waiting> waiting_;
  std::vector<std::weak_ptr<Lines>> followers_;
  bool change_pending_ = false;
  Lifetime lifetime_;  // guards deferred work
};

}  // namespace causeway::control
