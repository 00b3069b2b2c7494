// The life of one service, pure: (rules, state, event, now) -> (state, actions).
//
//            start             prepared, needs ready          probe answered
//   off ─────────────▶ waiting ───────────────────▶ starting ───────────────▶ ready
//    ▲                  ▲   │ prepare failed            │ ended                 │ ended
//    │ ended            │   ▼                           ▼                       ▼
//   stopping ──┐        └── backing_off ◀───────────────┴───────────────────────┘
//    │ deadline│ ended, and           │ too many failed starts
//    ▼         │ wanted again         ▼
//   killing ───┘                    failed                    invalid (its file can't be used)
//
// off          Nobody wants it: disabled, stopped by the user, or ended by itself with 0 under
//              "on-failure". `reason` says which. Or it is wanted and `asleep`: nobody needs it
//              now, and a wake-up starts it. What a person stopped is not woken.
// waiting      Its prepare commands run, and the services it needs become ready; both must be done.
// starting     It runs and has not answered its probe. Too long: stopped, and counted as failed.
// ready        It answered. Needs that are lost now are not its end: dockerd finds a new
//              containerd.
// stopping     It got its stop signal, for `after_stop`.
// killing      It outlived the stop's deadline and got SIGKILL. No deadline of ours can help here.
// backing_off  It failed; a timer brings the next try.
// failed       `limit` starts within the window never became ready. Only a request starts it again.
// invalid      Its file is broken, or its needs can't be met. Only a new file helps.
//
// Only runs that never became ready count towards `failed`: the limit is for what can't work. A
// daemon that worked and was killed is wanted back; its delay grows too, but stays short
// (kReadyAttempts), until it was ready for `healthy_s`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "supervise/service_spec.h"

namespace causeway::supervise {

enum class State {
  off,
  waiting,
  starting,
  ready,
  stopping,
  killing,
  backing_off,
  failed,
  invalid,
};
const char* state_name(State state);

enum class EventKind {
  start,           // somebody wants it
  stop,            // nobody wants it any more; detail: why
  sleep,           // it is wanted, and nobody needs it now; detail: why
  wake,            // somebody needs it; detail: why
  restart,         // detail: why
  adopted,         // an earlier agent's process runs
  prepared,        // the prepare commands are done
  prepare_failed,  // detail: why
  needs_ready,     // all needs are ready
  needs_lost,      // one of them no longer is
  spawn_failed,    // detail: why
  answered,        // the probe says ready
  ended,           // the process has ended; detail: how; `clean`: exit code 0
  lost,            // it runs but is useless; detail: why
  timer,           // what the last `arm` asked for; detail: what the probe found, if one runs
  invalidate,      // its file can't be used any more; detail: why
};

struct Event {
  EventKind kind;
  std::string detail = {};
  bool clean = false;
};

enum class ActionKind {
  prepare,         // run the prepare commands, report prepared or prepare_failed
  cancel_prepare,  // they are no longer wanted
  spawn,           // start the process; report spawn_failed if that fails at once
  probe,           // watch for readiness, report answered
  end_probe,       // stop watching
  serve,           // it is ready: run after_ready, watch that it stays useful
  terminate,       // send the stop signal
  kill,            // send SIGKILL
  arm,             // a timer event after delay_ms, instead of any armed before
  disarm,
};

struct Action {
  ActionKind kind;
  std::uint64_t delay_ms = 0;
  bool operator==(const Action&) const = default;
};

enum class AfterStop { off, sleep, start, back_off };

struct ServiceState {
  State state = State::off;
  std::string reason;   // of the present state, for people; may be empty
  bool asleep = false;  // off, until a wake-up
  AfterStop after_stop = AfterStop::off;
  bool prepared = false;
  bool needs_ready = false;
  bool was_ready = false;                // the present or last run has shown that it works
  unsigned attempts = 0;                 // failures in a row, for the delay
  std::vector<std::uint64_t> failed_at;  // starts that failed, in ms, within the window
  unsigned restarts = 0;                 // since the first start of this boot
};

struct Now {
  std::uint64_t ms = 0;  // monotonic
  double chance = 0;     // random, in [0, 1)
};

struct Step {
  ServiceState state;
  std::vector<Action> actions;
};

// After a ready run the delay is at most delay_ms * 2^3: 1.6 s by default.
inline constexpr unsigned kReadyAttempts = 3;

Step step(const ServiceSpec& spec, ServiceState state, const Event& event, Now now);

// Whether a process of it runs in this state.
bool has_process(State state);

}  // namespace causeway::supervise
