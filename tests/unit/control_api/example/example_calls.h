// The cache in the control API. This file would be agent/daemon/example_calls.h.
#pragma once

#include <cstdint>
#include <optional>

#include "control/api.h"
#include "control/long_call.h"

namespace causeway::daemon {

// What has the data; it outlives the calls.
class ExampleCache {
 public:
  explicit ExampleCache(control::Sections& sections) : sections_(sections) {}

  std::uint64_t bytes() const { return bytes_; }
  void clear();

  // Fills it, as arrived() says, up to `total`.
  void fill(std::uint64_t total, control::LongCall::Run run);
  void arrived(std::uint64_t bytes);
  void give_up();

 private:
  control::Sections& sections_;
  std::uint64_t bytes_ = 0;
  std::uint64_t total_ = 0;
  std::optional<control::LongCall::Run> run_;
};

void add_example_calls(control::Api& api, ExampleCache& cache);

}  // namespace causeway::daemon
