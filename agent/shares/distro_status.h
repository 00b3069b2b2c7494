// What people are told of a distro: its state and why, out of what the parts of Shares know.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "handover/distro_report.h"

namespace causeway::shares {

enum class DistroState {
  attached,  // its share is there
  waiting,   // asked for, or its helper is at it
  refused,   // its helper said something that can't be; `reason`
  failed,    // its helper could not be started; `reason`
  disabled,  // by `causeway distro disable`
  stopped,   // it isn't running, as far as we know
};
std::string_view name_of(DistroState state);

struct DistroStatus {
  std::string name;
  bool enabled = true;
  DistroState state = DistroState::stopped;
  std::string reason;      // for people; may be empty
  std::size_t mounts = 0;  // of its share
  std::string socket;      // its docker.sock, as the distro names it; empty: none
  bool helper = false;     // connected now
  std::optional<handover::DistroReport> report;  // the helper's last word
};

enum class ShareState { none, attached, detaching };
enum class HelperState {
  none,
  arriving,   // connected, and the share is being put together
  connected,  // anything else
};

// All that the state of a distro depends on.
struct DistroFacts {
  bool enabled = true;
  ShareState share = ShareState::none;
  HelperState helper = HelperState::none;
  std::string refusal;      // why its helper was refused last; empty: it wasn't
  std::string failure;      // why its helper could not be started; empty: nobody said so
  bool wanted = false;      // asked for, and not there yet
  std::string not_started;  // why Windows did not start it; empty: it didn't say
};

struct Description {
  DistroState state = DistroState::stopped;
  std::string reason;
};

// In this order: what a person wants, what is there, what is on its way, what is going, and only
// then what went wrong or is hoped for.
Description describe(const DistroFacts& facts);

}  // namespace causeway::shares
