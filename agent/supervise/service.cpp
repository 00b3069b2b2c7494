#include "supervise/service.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace causeway::supervise {
namespace {

constexpr std::uint64_t kPrepareTimeoutMs =
    60000;  // modprobe and `dockerd --validate` on a cold disk
constexpr std::uint64_t kShutdownTimeoutMs = 10000;  // of each command; init's own deadline is 60 s
// A daemon that ends removes its socket first: only one that lives on without it has lost it.
constexpr std::uint64_t kSocketGraceMs = 1000;
// Init reports and reaps in microseconds; the pidfd tells of the end a moment earlier.
constexpr std::uint64_t kReportGraceMs = 1000;
constexpr std::size_t kLogLinesInStatus = 10;

// Goes on while the machine sleeps, and nobody sets it: an age is true also in the next agent.
std::int64_t boot_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// What a command printed: "warning: " in front says that something is wrong.
Note note_of(std::string_view line) {
  constexpr std::string_view kWarning = "warning: ";
  const bool warning = line.starts_with(kWarning);
  return {warning, std::string(line.substr(warning ? kWarning.size() : 0))};
}

}  // namespace

// The process of a service: our child, or one taken over.
struct Service::Process {
  process::Child child;  // of an adopted one: without report
  bool adopted = false;
  std::string failure;  // why it never became what its argv says
  std::unique_ptr<io::Poll> report_poll;
  std::unique_ptr<io::Poll> end_poll;  // adopted: the reaper has no part in it
};

Service::Service(ServiceContext& context, LoadedService loaded)
    : context_(context),
      loaded_(std::move(loaded)),
      since_ms_(boot_ms()),
      timer_(context.loop),
      socket_grace_(context.loop),
      report_grace_(context.loop) {
  machine_.reason = spec().enabled ? "" : "not enabled in its file";
  if (spec().cgroup) {
    const auto mountinfo = file::read("/proc/self/mountinfo", 16 << 20);
    const auto own = file::read("/proc/self/cgroup");
    if (mountinfo && own) groups_ = cgroups::service_groups(*mountinfo, *own, spec().name);
  }
  open_log();
}

Service::Service(ServiceContext& context, const BrokenService& broken)
    : context_(context),
      broken_(broken.error),
      since_ms_(boot_ms()),
      timer_(context.loop),
      socket_grace_(context.loop),
      report_grace_(context.loop) {
  loaded_.spec.name = broken.name;
  machine_.state = State::invalid;
  machine_.reason = broken.error;
}

Service::~Service() {
  if (process_ && !process_->adopted) context_.reaper.forget(process_->child.pid);
}

std::string Service::path(std::string_view suffix) const {
  return context_.directories.run + "/state/" + spec().name + std::string(suffix);
}

void Service::open_log() {
  const std::string slot = "log." + spec().name;
  auto inherited = context_.store.take(slot);
  const bool known_to_init = static_cast<bool>(inherited);
  const std::string base = context_.directories.run + "/log/" + spec().name;
  auto opened = ServiceLog::open(context_.loop,
                                 {base + ".fifo", base + ".pending",
                                  context_.directories.data + "/log/" + spec().name + ".log"},
                                 context_.log_limits, std::move(inherited));
  if (!opened) {
    log::error("service.no_log", {{"service", spec().name}, {"error", opened.error().message}});
    return;  // the next spawn tries again, and says what is wrong
  }
  log_ = std::move(*opened);
  if (!known_to_init && context_.store.has_init())
    if (auto put = context_.store.put(slot, log_->fifo()); !put)
      log::warning("service.log_not_stored",
                   {{"service", spec().name}, {"error", put.error().message}});
  if (const auto dropped = context_.store.dropped(slot); dropped > 0)
    log_->note("causeway: " + std::to_string(dropped) +
               " bytes of this log were dropped: it was full while no agent ran");
}

// ---- events and state -------------------------------------------------------------------------

void Service::event(Event first) {
  events_.push_back(std::move(first));
  if (busy_) return;
  busy_ = true;
  while (!events_.empty()) {
    const Event now = std::move(events_.front());
    events_.pop_front();
    if (next_ && (!has_process(machine_.state) || now.kind == EventKind::ended))
      loaded_ = *std::exchange(next_, std::nullopt);
    const State before = machine_.state;
    auto done = step(spec(), std::move(machine_), now, {context_.loop.now_ms(), context_.chance()});
    machine_ = std::move(done.state);
    if (machine_.state != before) {
      since_ms_ = boot_ms();
      log::info("service.state", {{"service", spec().name},
                                  {"state", state_name(machine_.state)},
                                  {"reason", machine_.reason}});
    }
    for (const auto& action : done.actions) perform(action);
    if (machine_.restarts != saved_.restarts) {
      saved_.restarts = machine_.restarts;
      persist_later();
    }
  }
  busy_ = false;
  note_change();
}

void Service::note_change() {
  if (std::exchange(change_told_, true)) return;
  context_.loop.defer(lifetime_.guard([this] {
    const auto alive = lifetime_.watch();
    change_told_ = false;
    context_.changed();
    if (!alive.ended() && unsaved_) persist();
  }));
}

void Service::perform(const Action& action) {
  switch (action.kind) {
    case ActionKind::prepare:
      return prepare();
    case ActionKind::cancel_prepare:
      return prepare_.reset();
    case ActionKind::spawn:
      return spawn();
    case ActionKind::probe:
      return start_probe();
    case ActionKind::end_probe:
      probe_.reset();
      socket_watch_.reset();
      socket_grace_.stop();
      after_ready_.reset();
      return;
    case ActionKind::serve:
      return serve();
    case ActionKind::terminate:
      return send(spec().stop.signal);
    case ActionKind::kill:
      return send(SIGKILL);
    case ActionKind::arm:
      return timer_.start(action.delay_ms, [this] {
        event({EventKind::timer, probe_ ? probe_->finding() : std::string()});
      });
    case ActionKind::disarm:
      return timer_.stop();
  }
}

void Service::persist_later() {
  unsaved_ = true;
  note_change();
}

void Service::persist() {
  unsaved_ = false;
  if (auto done = file::write_atomic(path(".json"), to_json(saved_)); !done)
    log::error("service.state_not_saved",
               {{"service", spec().name}, {"error", done.error().message}});
}

void Service::want(EventKind kind, std::string why) {
  saved_.wanted = kind != EventKind::stop;
  persist();
  event({kind, std::move(why)});
}

void Service::set_needs_ready(bool ready) {
  if (ready == machine_.needs_ready) return;
  event({ready ? EventKind::needs_ready : EventKind::needs_lost});
}

// ---- the process ------------------------------------------------------------------------------

std::vector<std::string> Service::environment() const {
  std::vector<std::string> out;
  for (const auto& entry : context_.environment)
    if (!spec().environment.contains(entry.substr(0, entry.find('=')))) out.push_back(entry);
  for (const auto& [key, value] : spec().environment) out.push_back(key + "=" + value);
  return out;
}

void Service::prepare() {
  prepare_ = std::make_unique<CommandSequence>(
      context_.loop, context_.reaper, spec().prepare, environment(), kPrepareTimeoutMs,
      [this](const Status& done, std::vector<std::string> notes) {
        prepare_.reset();
        saved_.notes = std::move(notes);
        persist_later();
        if (done) return event({EventKind::prepared});
        event({EventKind::prepare_failed, done.error().message});
      });
}

void Service::spawn() {
  start_notes_.clear();
  if (!log_) open_log();
  if (!log_) return event({EventKind::spawn_failed, "no FIFO for its log (see the agent's log)"});
  process::ChildSpec child;
  child.argv = spec().argv;
  child.environment = environment();
  child.output_path = log_->fifo_path();
  child.pid_file = path(".pid");
  child.oom_score_adj = spec().oom_score_adj;
  if (spec().nofile) child.nofile = static_cast<std::uint64_t>(*spec().nofile);
  (void)cgroups::carry_out(groups_.to_make,
                           [&](const Error& error) { start_notes_.push_back(error.message); });
  // Before the process: an agent that finds a process also finds what it was started with.
  auto saved = file::write_atomic(path(".spec.json"), loaded_.source);
  auto started = saved ? process::start_child(child) : Result<process::Child>(saved.error());
  if (!started) return event({EventKind::spawn_failed, started.error().message});

  process_ = std::make_unique<Process>();
  process_->child = std::move(*started);
  context_.reaper.watch(process_->child, [this](const process::Exit& exit) { on_exit(exit); });
  process_->report_poll = std::make_unique<io::Poll>(context_.loop, process_->child.report.get(),
                                                     [this](unsigned) { read_report(); });
  process_->report_poll->watch(io::Poll::readable);
  saved_.started_at_ms = boot_ms();
  saved_.ready_at_ms = 0;
  persist_later();
  join_groups();
}

void Service::join_groups() {
  if (groups_.directories.empty()) return;
  group_move_ = std::make_unique<process::ControlGroupMove>(
      context_.loop, context_.reaper, process_->child.pid, groups_.directories,
      [this](const std::vector<std::string>& failures) {
        group_move_.reset();
        if (process_) start_notes_.insert(start_notes_.end(), failures.begin(), failures.end());
      });
}

void Service::read_report() {
  if (!process_->child.report) return;
  auto report = process::read_report(process_->child.report.get());
  if (!report.failure.empty()) process_->failure = std::move(report.failure);
  for (auto& note : report.notes) start_notes_.push_back(std::move(note));
  if (!report.complete) return;
  process_->report_poll.reset();
  process_->child.report.reset();
  // Without a probe, the exec is all there is to wait for.
  if (spec().ready.kind == ReadyRule::Kind::none && process_->failure.empty())
    event({EventKind::answered});
}

void Service::on_exit(const process::Exit& exit) {
  if (!process_->adopted) read_report();
  std::string how = process_->failure.empty() ? exit.text() : process_->failure;
  report_grace_.stop();
  process_.reset();
  ::unlink(path(".pid").c_str());
  if (log_) log_->service_ended();
  saved_.last_exit = how;
  saved_.ready_at_ms = 0;
  persist_later();
  event({EventKind::ended, std::move(how), exit.success()});
}

void Service::send(int signal_number) {
  if (!process_) return;
  // The main process only: the shims of running containers sit in containerd's control group.
  if (auto sent = process::send_signal(process_->child.pidfd.get(), signal_number); !sent)
    log::debug("service.signal", {{"service", spec().name}, {"error", sent.error().message}});
}

// ---- readiness --------------------------------------------------------------------------------

void Service::start_probe() {
  if (!process_) return;  // the spawn failed: its event is on the way
  if (spec().ready.kind == ReadyRule::Kind::none && !process_->adopted) return;  // read_report()
  probe_ = std::make_unique<Probe>(context_.loop, context_.reaper, spec().ready, environment(),
                                   [this] { event({EventKind::answered}); });
}

void Service::serve() {
  probe_.reset();
  if (saved_.ready_at_ms == 0) saved_.ready_at_ms = boot_ms();
  persist_later();
  log::info("service.ready",
            {{"service", spec().name}, {"after_ms", saved_.ready_at_ms - saved_.started_at_ms}});
  watch_socket();
  if (spec().after_ready.empty()) return;
  after_ready_ = std::make_unique<CommandSequence>(
      context_.loop, context_.reaper, spec().after_ready, environment(), kPrepareTimeoutMs,
      [this](const Status& done, const std::vector<std::string>&) {
        side_failure_ = done ? "" : done.error().message;
        after_ready_.reset();
        note_change();
      });
}

void Service::watch_socket() {
  using Kind = ReadyRule::Kind;
  if (spec().ready.kind != Kind::socket && spec().ready.kind != Kind::http) return;
  const auto look = [this] {
    const bool there = ::access(spec().ready.path.c_str(), F_OK) == 0;
    if (there) return socket_grace_.stop();
    if (socket_grace_.armed()) return;
    socket_grace_.start(kSocketGraceMs, [this] {
      if (::access(spec().ready.path.c_str(), F_OK) != 0)
        event({EventKind::lost, "its socket " + spec().ready.path + " vanished"});
    });
  };
  auto watch = io::PathWatch::start(context_.loop, spec().ready.path, look);
  if (watch) {
    socket_watch_ = std::move(*watch);
  } else {
    start_notes_.push_back(watch.error().message);
  }
  look();
}

// ---- an earlier agent's process ---------------------------------------------------------------

void Service::begin() {
  if (machine_.state == State::invalid) return;
  if (const auto content = file::read(path(".json")); content.ok()) {
    auto saved = parse_saved_state(*content);
    if (saved) {
      saved_ = std::move(*saved);
      machine_.restarts = saved_.restarts;
    } else {
      log::error("service.state_unreadable",
                 {{"service", spec().name}, {"error", saved.error().message}});
    }
  }
  const bool wanted = saved_.wanted.value_or(spec().enabled);
  const auto pid_file = file::read(path(".pid"));
  const auto recorded = pid_file ? process::parse_pid_file(*pid_file) : std::nullopt;
  if (recorded) {
    auto pidfd = process::open_pidfd(recorded->pid, recorded->start_time);
    if (pidfd) {
      adopt(*recorded, std::move(*pidfd));
      if (!wanted) event({EventKind::stop, "stopped by request"});
      return;
    }
    // It ended while nobody looked.
    ::unlink(path(".pid").c_str());
    const auto exit = context_.reports.find(recorded->pid, recorded->start_time);
    saved_.last_exit = exit.value_or(process::Exit::unknown()).text();
    saved_.ready_at_ms = 0;
    if (wanted) ++machine_.restarts;
    saved_.restarts = machine_.restarts;
    persist();
  }
  if (wanted) {
    event({EventKind::start, recorded ? saved_.last_exit : ""});
  } else if (saved_.wanted) {
    event({EventKind::stop, "stopped by request"});
  }
}

void Service::adopt(process::RecordedPid recorded, UniqueFd pidfd) {
  process_ = std::make_unique<Process>();
  process_->adopted = true;
  process_->child.pid = recorded.pid;
  process_->child.start_time = recorded.start_time;
  process_->child.pidfd = std::move(pidfd);
  process_->end_poll = std::make_unique<io::Poll>(context_.loop, process_->child.pidfd.get(),
                                                  [this](unsigned) { adopted_ended(true); });
  process_->end_poll->watch(io::Poll::readable);
  log::info("service.adopted", {{"service", spec().name}, {"pid", recorded.pid}});
  // The earlier agent may have been killed before its helper was done.
  const auto in = file::read("/proc/" + std::to_string(recorded.pid) + "/cgroup");
  if (in && !process::is_member(*in, "/causeway/" + spec().name)) join_groups();
  event({EventKind::adopted});
}

void Service::adopted_ended(bool wait_for_report) {
  process_->end_poll->watch(0);
  const auto exit = context_.reports.find(process_->child.pid, process_->child.start_time);
  if (exit) return on_exit(*exit);
  if (wait_for_report && context_.reports.available()) {
    report_grace_.start(kReportGraceMs, [this] { adopted_ended(false); });
  } else {
    on_exit(process::Exit::unknown());
  }
}

void Service::exit_reports_arrived() {
  if (process_ && process_->adopted &&
      context_.reports.find(process_->child.pid, process_->child.start_time))
    adopted_ended(false);
}

// ---- files that change, and the end -----------------------------------------------------------

void Service::replace(LoadedService loaded) {
  const bool was_broken = !std::exchange(broken_, {}).empty();
  const bool was_enabled = spec().enabled;
  removed_ = false;
  next_.reset();
  if (loaded.spec == spec()) {
    loaded_.source = std::move(loaded.source);
  } else if (has_process(machine_.state)) {
    next_ = std::move(loaded);
  } else {
    loaded_ = std::move(loaded);
  }
  if (was_broken && machine_.state == State::invalid) {
    machine_ = ServiceState{.needs_ready = machine_.needs_ready, .restarts = machine_.restarts};
    if (!log_) open_log();
    if (saved_.wanted.value_or(spec().enabled)) event({EventKind::start});
  } else if (machine_.state == State::off && !was_enabled && spec().enabled && !saved_.wanted) {
    event({EventKind::start});
  }
  note_change();
}

void Service::set_broken(std::string error) {
  broken_ = std::move(error);
  event({EventKind::invalidate, broken_});
}

void Service::remove() {
  removed_ = true;
  event({EventKind::stop, "its file was removed"});
}

void Service::shut_down() {
  if (std::exchange(shutting_down_, true)) return;
  if (machine_.state != State::ready || spec().stop.before_shutdown.empty())
    return event({EventKind::stop, "shutting down"});
  before_shutdown_ = std::make_unique<CommandSequence>(
      context_.loop, context_.reaper, spec().stop.before_shutdown, environment(),
      kShutdownTimeoutMs, [this](const Status& done, const std::vector<std::string>&) {
        before_shutdown_.reset();
        if (!done) {
          side_failure_ = done.error().message;
          log::warning("service.before_shutdown",
                       {{"service", spec().name}, {"error", side_failure_}});
        }
        event({EventKind::stop, "shutting down"});
      });
}

bool Service::settled() const {
  switch (machine_.state) {
    case State::off:
    case State::failed:
    case State::invalid:
      return true;
    case State::waiting:
    case State::starting:
    case State::ready:
    case State::stopping:
    case State::killing:
    case State::backing_off:
      return false;
  }
  return false;
}

ServiceStatus Service::status() const {
  ServiceStatus out;
  out.name = spec().name;
  out.description = spec().description;
  out.enabled = spec().enabled;
  out.state = machine_.state;
  out.reason = machine_.reason;
  if (machine_.state == State::starting && probe_ && !probe_->finding().empty())
    out.reason += (out.reason.empty() ? "" : "; ") + probe_->finding();
  const bool by_process = machine_.state == State::ready && saved_.started_at_ms > 0;
  out.age_ms = boot_ms() - (by_process ? saved_.started_at_ms : since_ms_);
  out.restarts = machine_.restarts;
  out.needs = spec().needs;
  out.last_exit = saved_.last_exit;
  using Kind = ReadyRule::Kind;
  if (spec().ready.kind == Kind::socket || spec().ready.kind == Kind::http)
    out.socket = spec().ready.path;
  if (process_) {
    out.pid = process_->child.pid;
    out.adopted = process_->adopted;
    if (!groups_.memory_file.empty())
      if (const auto bytes = file::read(groups_.memory_file, 64); bytes.ok())
        out.memory_bytes = text::to_u64(text::trim(*bytes));
  }
  for (const auto& line : saved_.notes) out.notes.push_back(note_of(line));
  for (const auto& text : start_notes_) out.notes.push_back({false, text});
  if (!side_failure_.empty()) out.notes.push_back({true, side_failure_});
  if (next_) out.notes.push_back({false, "its file has changed: restart needed"});
  if (broken() && machine_.state != State::invalid)
    out.notes.push_back({true, "it runs as it was started; now: " + broken_});
  if (removed_) out.notes.push_back({false, "its file was removed"});
  if (log_ && log_->unwritten_bytes() > 0)
    out.notes.push_back(
        {false, "log: " + text::human_bytes(log_->unwritten_bytes()) + " could not be written" +
                    (log_->error().empty() ? "; it works again" : ": " + log_->error())});
  if (!log_ && machine_.state != State::invalid)
    out.notes.push_back({true, "its log can't be opened (see the agent's log)"});
  if (log_ && machine_.state != State::ready && machine_.state != State::off)
    out.last_log_lines = log_->last(kLogLinesInStatus);
  return out;
}

}  // namespace causeway::supervise
