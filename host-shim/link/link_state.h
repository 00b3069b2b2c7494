// The life of the link to the agent, pure: (times, state, event, now) -> (state, actions).
//
//             start            line, direct                hello answered
//   stopped ─────────▶ starting ────────────▶ dialing ──────────────────▶ direct
//      ▲                  ▲  │ line, not       │ failed                     │ │ attach ended
//      │ ended, or        │  │ direct          ▼                 line again │ ▼
//      │ too slow      try│  └──────────▶ greeting ──────▶ stdio         rejoining ◀─ try ─┐
//   stopping ◀── stop     │                 │ failed         │ lost         │ failed       │
//   (from all)            │                 ▼                ▼              ▼              │
//                         └───────────── waiting             …          holding ───────────┘
//
// stopped    Nobody wants a link.
// starting   attach runs and has not told how to reach the agent: the VM boots, the engine's init
//            starts.
// dialing    The direct transport (hvsocket) is connected and says hello. attach holds the distro.
// greeting   The same over attach's own stdin and stdout, because the direct one isn't there.
// direct     The link is up over the direct transport.
// stdio      The link is up over attach's stdin and stdout: their end is its end.
// rejoining  As direct, but attach has ended and is started again: it holds the distro open, so
//            the link would not last long without it. Its line must name the same agent.
// holding    As rejoining, before the next try.
// waiting    No link, nothing runs; a timer brings the next try.
// stopping   The farewell is said; when it is out, the link goes, and attach is to end by itself.
//
// A direct link that had lasted and is lost is dialed again at once: attach runs, so the VM does.
// Everything that is lost beyond that starts over with attach, after a growing delay. Waking up
// counts as a reason to try at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace causeway::shim::link {

enum class LinkPhase {
  stopped,
  starting,
  dialing,
  greeting,
  direct,
  stdio,
  rejoining,
  holding,
  waiting,
  stopping,
};
inline constexpr LinkPhase kLinkPhases[] = {
    LinkPhase::stopped, LinkPhase::starting, LinkPhase::dialing,   LinkPhase::greeting,
    LinkPhase::direct,  LinkPhase::stdio,    LinkPhase::rejoining, LinkPhase::holding,
    LinkPhase::waiting, LinkPhase::stopping};
const char* phase_name(LinkPhase phase);

enum class LinkEventKind {
  start,
  stop,
  line,           // attach told how to reach the agent
  attach_failed,  // it couldn't be started, or told nonsense; detail: why
  attach_ended,   // detail: how
  up,             // the agent answered the hello
  link_failed,    // dialing or greeting came to nothing; detail: why
  link_lost,      // it was up; detail: why
  farewell_said,  // or there was nobody to say it to
  resumed,        // the machine woke up
  timer,          // what the last `arm` asked for
};
inline constexpr LinkEventKind kLinkEvents[] = {
    LinkEventKind::start,         LinkEventKind::stop,         LinkEventKind::line,
    LinkEventKind::attach_failed, LinkEventKind::attach_ended, LinkEventKind::up,
    LinkEventKind::link_failed,   LinkEventKind::link_lost,    LinkEventKind::farewell_said,
    LinkEventKind::resumed,       LinkEventKind::timer};

struct LinkEvent {
  LinkEventKind kind;
  std::string detail = {};
  // Of `line`: whether the direct transport can be dialed (if not, `detail` says why), and whether
  // it comes from the agent that the present link leads to.
  bool direct = false;
  bool same_agent = false;
};

enum class LinkActionKind {
  start_attach,  // report line, attach_failed, attach_ended
  end_attach,    // kill it, if it runs; nothing is reported of it any more
  ask_attach,    // close its stdin; report attach_ended
  dial,          // report up or link_failed
  greet,         // over attach's stdio; report up or link_failed
  drop_link,     // whatever there is of a link or of an attempt; nothing is reported of it
  say_farewell,  // and end its streams; report farewell_said
  check_link,    // report link_lost if the agent doesn't answer soon
  step_clock,    // tell the agent the time
  arm,           // a timer event after delay_ms, instead of any armed before
  disarm,
};

struct LinkAction {
  LinkActionKind kind;
  std::uint64_t delay_ms = 0;
  bool operator==(const LinkAction&) const = default;
};

struct LinkTimes {
  std::uint64_t start_ms = 180'000;  // attach until its line
  std::uint64_t first_delay_ms = 500;
  std::uint64_t longest_delay_ms = 30'000;
  std::uint64_t lasting_ms =
      10'000;                     // a link that was up for this long makes the delays short again
  std::uint64_t stop_ms = 2'000;  // for attach to end by itself
};

struct LinkState {
  LinkPhase phase = LinkPhase::stopped;
  std::string reason;         // of the last loss or failure; empty once a link is up
  std::string direct_reason;  // why the direct transport isn't used
  unsigned attempts = 0;      // failures in a row
  std::uint64_t up_since = 0;
  bool clock_wanted = false;  // the machine slept while there was no link
};

struct LinkNow {
  std::uint64_t ms = 0;
  double chance = 0;  // in [0, 1)
};

struct LinkStep {
  LinkState state;
  std::vector<LinkAction> actions;
};

LinkStep step(const LinkTimes& times, LinkState state, const LinkEvent& event, LinkNow now);

bool is_up(LinkPhase phase);
// A client may wait for a link in this phase: it is being made.
bool is_coming(LinkPhase phase);

}  // namespace causeway::shim::link
