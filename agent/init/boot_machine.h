// One boot, a run of PID 1 from its start to its end, as a pure state machine: when the agent is
// started, restarted, asked to stop, and when everything else goes. pid_one.h feeds it and does
// what it says.
//
//   waiting ──start──▶ running ──stop──▶ stopping ──agent gone──▶ terminating ──deadline──▶ killing
//      ▲                  │                  └──────deadline─────────▲  │                      │
//      └──agent died──────┘                                             └──nobody left──┬──────┘
//                                                                                       ▼
//                                                                                    finished
//
// waiting      no agent; the next start is due at `due` (back-off)
// running      the agent works
// stopping     the agent was asked to stop its services; it has until `due`
// terminating  SIGTERM went to every process; they have until `due`
// killing      SIGKILL went to every process; at `due` those that can't die (state D) are
//              left behind
// finished     PID 1 may end
//
// An agent that exits 0 has done an ordered stop (somebody sent it SIGTERM directly): that ends the
// boot as if init had asked. Any other end means "restart me". In `stopping` it isn't started
// again: dockerd and containerd end in order on the SIGTERM that follows, and get what is left of
// the deadline for it.
#pragma once

#include <cstdint>

namespace causeway::init {

using Milliseconds = std::int64_t;  // of CLOCK_MONOTONIC

// The first restart is immediate, then 100 ms doubled up to 5 s: an agent that can't start must not
// keep a CPU busy, and nobody waits longer than 5 s for one that can again. 10 s of boot count as
// recovered.
inline constexpr Milliseconds kFirstDelay = 100;
inline constexpr Milliseconds kLongestDelay = 5000;
inline constexpr Milliseconds kRecovered = 10000;
// What a process without an own stop rule (a shim, a shell) gets between SIGTERM and SIGKILL.
inline constexpr Milliseconds kTermGrace = 3000;
// Killed processes go at once, unless they hang in the kernel.
inline constexpr Milliseconds kKillGrace = 5000;
inline constexpr Milliseconds kNever = -1;

struct Boot {
  enum class State { waiting, running, stopping, terminating, killing, finished };
  State state = State::waiting;
  Milliseconds due = 0;           // of the timer event; kNever: none
  Milliseconds started = 0;       // of the running agent
  Milliseconds stop_timeout = 0;  // for the agent
  unsigned failures = 0;          // agents in a row that did not live kRecovered
};

enum class BootEvent {
  agent_started,
  start_failed,  // fork or its preparations
  agent_done,    // exited with 0
  agent_died,    // any other end
  stop_asked,
  due,          // the timer
  nobody_left,  // no child is left
};

enum class BootAction { none, start_agent, stop_agent, terminate_all, kill_all, finish };

struct BootStep {
  Boot next;
  BootAction action = BootAction::none;
};

// How long to wait before the start that follows `failures` short boots.
Milliseconds restart_delay(unsigned failures);

BootStep advance(const Boot& boot, BootEvent event, Milliseconds now);

}  // namespace causeway::init
