#include "shares/walker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "io/poll.h"
#include "io/timer.h"
#include "mounts/mount_calls.h"
#include "mounts/open_in_root.h"
#include "paths/unix_path.h"
#include "process/pidfd.h"

namespace causeway::shares {
namespace {

using walk::Kind;
using walk::Message;

// For a file system to end. Nobody waits for it; longer means that it hangs.
constexpr std::uint64_t kDropMs = 5000;
// Most questions take less, and the next one can have the same process.
constexpr std::uint64_t kPatienceMs = 50;
// The cache can't be asked while mounts change; a few times in a row that isn't so.
constexpr int kMostCacheTries = 4;

Kind answer_to(Kind question) {
  if (question == Kind::open) return Kind::opened;
  return question == Kind::resolve ? Kind::resolved : Kind::dropped;
}

std::string quoted(std::string_view path) { return "\"" + text::printable(path) + "\""; }

}  // namespace

Result<process::Child> start_walk(int socket) {
  process::ChildSpec spec;
  spec.argv = {"/proc/self/exe", "walk"};
  spec.input_fd = socket;
  spec.dies_with_parent = true;
  return process::start_child(spec);
}

struct Walker::Question {
  Question(io::Loop& loop, Message asked, Answered done)
      : message(std::move(asked)), answered(std::move(done)), limit(loop) {}

  Message message;
  Answered answered;  // empty: it is over
  io::Timer limit;
};

struct Walker::Process {
  explicit Process(io::Loop& loop) : idle(loop) {}
  ~Process() = default;

  process::Child child;
  UniqueFd socket;             // empty: it is to end
  Asked asked;                 // empty: it is free, or hangs
  std::uint64_t since_ms = 0;  // that it was asked
  bool hangs = false;
  int mount = 0;     // that it is in, or was let into last; 0: none
  std::string what;  // what it hangs in, for people
  io::Timer idle;
  std::unique_ptr<io::Poll> poll;  // stops first
};

Walker::Walker(io::Loop& loop, process::Reaper& reaper, Options options,
               std::function<void()> changed)
    : loop_(loop),
      reaper_(reaper),
      options_(std::move(options)),
      changed_(std::move(changed)),
      patience_(loop) {}

Walker::~Walker() {
  for (const auto& process : processes_) {
    (void)process::send_signal(process->child.pidfd.get(), SIGKILL);
    reaper_.forget(process->child.pid);
  }
}

Result<UniqueFd> Walker::open_root() const {
  UniqueFd root(::open(options_.share.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root) return errno_error("open " + options_.share);
  return root;
}

void Walker::open(const std::string& path, std::uint64_t timeout_ms, Opened opened) {
  auto root = open_root();
  if (root) return open_at(*std::move(root), path, timeout_ms, std::move(opened));
  loop_.defer(lifetime_.guard(
      [error = std::move(root).error(), opened = std::move(opened)] { opened(Error(error)); }));
}

void Walker::open_at(UniqueFd root, const std::string& path, std::uint64_t timeout_ms,
                     Opened opened) {
  auto known = mounts::open_in_root(root.get(), path, mounts::Lookup::in_root_cached, O_PATH);
  for (int i = 1; i < kMostCacheTries && !known && known.error().code == EAGAIN; ++i)
    known = mounts::open_in_root(root.get(), path, mounts::Lookup::in_root_cached, O_PATH);
  if (known || known.error().code != EAGAIN) {
    const auto answer = std::make_shared<Result<UniqueFd>>(std::move(known));
    return loop_.defer(
        lifetime_.guard([answer, opened = std::move(opened)] { opened(std::move(*answer)); }));
  }
  ask({Kind::open, 0, path, std::move(root)}, timeout_ms,
      [opened = std::move(opened)](Result<Message> answer) {
        if (!answer) return opened(std::move(answer).error());
        opened(std::move(answer->fd));
      });
}

void Walker::resolve(const std::string& path, std::uint64_t timeout_ms, Resolved resolved) {
  auto root = open_root();
  if (!root) {
    loop_.defer(lifetime_.guard([error = std::move(root).error(), resolved = std::move(resolved)] {
      resolved(Error(error));
    }));
    return;
  }
  ask({Kind::resolve, 0, path, *std::move(root)}, timeout_ms,
      [resolved = std::move(resolved)](Result<Message> answer) {
        if (!answer) return resolved(std::move(answer).error());
        resolved(std::move(answer->text));
      });
}

void Walker::drop(UniqueFd tree) {
  ask({Kind::drop, 0, {}, std::move(tree)}, kDropMs, [](const Result<Message>&) {});
}

void Walker::ask(Message question, std::uint64_t timeout_ms, Answered answered) {
  auto asked = std::make_shared<Question>(loop_, std::move(question), std::move(answered));
  asked->limit.start(timeout_ms, [this, weak = std::weak_ptr(asked)] {
    if (const auto late = weak.lock()) on_limit(late);
  });
  waiting_.push_back(std::move(asked));
  loop_.defer(lifetime_.guard([this] { dispatch(); }));
}

// Gives what waits to processes, as long as there are any to be had.
void Walker::dispatch() {
  while (!waiting_.empty()) {
    const Asked asked = waiting_.front();
    if (!asked->answered) {
      waiting_.pop_front();
      continue;
    }
    auto* process = free_process();
    if (process == nullptr) {
      if (!room_for_process() || !out_of_patience()) break;
      auto started = start_process();
      if (!started) {
        waiting_.pop_front();
        if (asked->message.kind == Kind::drop) return waiting_.push_back(asked);  // at its limit
        answer(asked, std::move(started).error().with("start a walker"));
        continue;
      }
      process = *started;
    }
    waiting_.pop_front();
    process->idle.stop();
    process->asked = asked;
    process->mount = 0;
    process->since_ms = loop_.now_ms();
    const auto sent = walk::send(process->socket.get(), asked->message);
    if (asked->message.kind == Kind::drop) asked->message.fd.reset();  // so it isn't the last
    if (sent) continue;
    process->asked.reset();
    process->poll.reset();
    process->socket.reset();
    answer(asked, sent.error());
  }
  const bool none = std::all_of(processes_.begin(), processes_.end(),
                                [](const auto& process) { return process->hangs; });
  if (!none || processes_.size() < kMostHanging) return;
  fail_waiting({"too many file systems of this distro don't answer", ETIMEDOUT});
}

// But for what is to be dropped: that waits for as long as it takes.
void Walker::fail_waiting(const Error& why) {
  for (const auto& asked : std::exchange(waiting_, {}))
    if (asked->message.kind == Kind::drop)
      waiting_.push_back(asked);
    else
      answer(asked, why);
}

// Whether those that work take so long that another process may be of use. Looks again later if
// not.
bool Walker::out_of_patience() {
  std::uint64_t latest = 0;
  for (const auto& process : processes_)
    if (process->asked) latest = std::max(latest, process->since_ms + kPatienceMs);
  const auto now = loop_.now_ms();
  if (now >= latest) return true;
  patience_.start(latest - now, [this] { dispatch(); });
  return false;
}

bool Walker::room_for_process() const {
  const auto hanging = static_cast<std::size_t>(std::count_if(
      processes_.begin(), processes_.end(), [](const auto& process) { return process->hangs; }));
  return hanging < kMostHanging && processes_.size() - hanging < kMostWorking;
}

Walker::Process* Walker::free_process() {
  const auto found = std::find_if(processes_.begin(), processes_.end(), [](const auto& process) {
    return process->socket && !process->asked && !process->hangs;
  });
  return found == processes_.end() ? nullptr : found->get();
}

Result<Walker::Process*> Walker::start_process() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return errno_error("socketpair");
  auto process = std::make_unique<Process>(loop_);
  process->socket.reset(ends[0]);
  const UniqueFd its_end(ends[1]);
  auto child = options_.start(its_end.get());
  if (!child) return std::move(child).error();
  process->child = *std::move(child);
  auto& kept = *process;
  kept.poll =
      std::make_unique<io::Poll>(loop_, kept.socket.get(), [this, &kept](unsigned) { read(kept); });
  kept.poll->watch(io::Poll::readable);
  reaper_.watch(kept.child, [this, pid = kept.child.pid](const process::Exit&) { on_end(pid); });
  processes_.push_back(std::move(process));
  return &kept;
}

void Walker::read(Process& process) {
  auto message = walk::receive(process.socket.get(), true);
  if (message) return on_message(process, *std::move(message));
  if (message.error().code != EAGAIN) end(process);
}

// It has ended, or makes no sense. Its end is the next event.
void Walker::end(Process& process) {
  process.poll.reset();
  process.socket.reset();
  (void)process::send_signal(process.child.pidfd.get(), SIGKILL);
}

void Walker::on_message(Process& process, Message message) {
  if (message.kind == Kind::enter) return on_enter(process, message.number);
  if (const Asked asked = process.asked) {
    if (message.kind == Kind::failed)
      answer(asked, Error{std::move(message.text), message.number});
    else if (message.kind == answer_to(asked->message.kind))
      answer(asked, std::move(message));
    else
      return end(process);
  }
  set_free(process);
}

void Walker::on_enter(Process& process, int mount) {
  const auto other = std::find_if(processes_.begin(), processes_.end(), [&](const auto& each) {
    return each.get() != &process && each->mount == mount && (each->asked || each->hangs);
  });
  if (process.asked && other == processes_.end()) {
    left(std::exchange(process.mount, mount));
    (void)walk::send(process.socket.get(), {Kind::go});
    return;
  }
  // It comes back too late for who asked, or somebody is in there.
  (void)walk::send(process.socket.get(), {Kind::stop});
  if (const Asked asked = process.asked) {
    if ((*other)->hangs)
      answer(asked, not_answering(*asked, (*other)->what));
    else
      parked_[mount].push_back(asked);
  }
  set_free(process);
}

// It has nothing to do, whatever it had.
void Walker::set_free(Process& process) {
  const int mount = std::exchange(process.mount, 0);
  process.asked.reset();
  const bool came_back = std::exchange(process.hangs, false);
  if (came_back) {
    log::info("share.answers_again", {{"share", options_.share}, {"what", process.what}});
    process.what.clear();
  }
  process.idle.start(kIdleMs, [&process] {
    process.poll.reset();
    process.socket.reset();  // it ends by that
  });
  left(mount);
  if (came_back) changed_();
}

// Nobody is in that mount any more.
void Walker::left(int mount) {
  if (const auto parked = parked_.find(mount); parked != parked_.end()) {
    auto back = std::move(parked->second);
    parked_.erase(parked);
    waiting_.insert(waiting_.begin(), back.begin(), back.end());
  }
  loop_.defer(lifetime_.guard([this] { dispatch(); }));
}

void Walker::on_limit(const Asked& asked) {
  const auto found = std::find_if(processes_.begin(), processes_.end(),
                                  [&](const auto& process) { return process->asked == asked; });
  if (found == processes_.end() && asked->message.kind == Kind::drop) {
    asked->limit.start(kDropMs, [this, weak = std::weak_ptr(asked)] {
      if (const auto late = weak.lock()) on_limit(late);
    });
    return dispatch();
  }
  if (found == processes_.end()) {
    // It waits for a process, or for another one to come out of a mount.
    std::string what;
    for (auto& [mount, parked] : parked_)
      if (std::erase(parked, asked) > 0) what = name_of(mount);
    std::erase(waiting_, asked);
    return answer(asked, not_answering(*asked, what));
  }
  auto& process = **found;
  const int mount = process.mount;
  process.asked.reset();
  process.hangs = true;
  process.what = asked->message.kind == Kind::drop ? "a mount that was taken away" : name_of(mount);
  log::warning("share.not_answering",
               {{"share", options_.share}, {"what", process.what}, {"process", process.child.pid}});
  answer(asked, not_answering(*asked, process.what));
  if (const auto parked = parked_.find(mount); parked != parked_.end()) {
    const auto all = std::move(parked->second);
    parked_.erase(parked);
    for (const auto& each : all) answer(each, not_answering(*each, process.what));
  }
  changed_();
  loop_.defer(lifetime_.guard([this] { dispatch(); }));
}

void Walker::on_end(pid_t pid) {
  const auto found = std::find_if(processes_.begin(), processes_.end(),
                                  [&](const auto& process) { return process->child.pid == pid; });
  if (found == processes_.end()) return;
  const auto process = std::move(*found);
  processes_.erase(found);
  if (process->asked) {
    const auto report = process::read_report(process->child.report.get());
    answer(process->asked,
           make_error("a walker ended" +
                      (report.failure.empty() ? std::string() : ": " + report.failure)));
  }
  left(process->mount);
  changed_();
}

// Out of whatever calls: it may ask again.
void Walker::answer(const Asked& asked, Result<Message> with) {
  if (!asked->answered) return;
  asked->limit.stop();
  asked->message.fd.reset();
  const auto answer = std::make_shared<Result<Message>>(std::move(with));
  loop_.defer(lifetime_.guard([answer, answered = std::exchange(asked->answered, nullptr)] {
    answered(std::move(*answer));
  }));
}

// As the distro names it, where it is one of its mounts.
std::string Walker::name_of(int mount) const {
  const auto mounts = mounts::own_mounts();
  if (!mounts || mount == 0) return {};
  const auto entry = std::find_if(mounts->begin(), mounts->end(),
                                  [&](const auto& each) { return each.id == mount; });
  if (entry == mounts->end()) return {};
  std::string point = entry->mount_point;
  if (point == options_.share)
    point = "/";
  else if (paths::is_below(point, options_.share))
    point.erase(0, options_.share.size());
  return text::printable(point) + " (" + text::printable(entry->fs_type) + ")";
}

Error Walker::not_answering(const Question& question, const std::string& what) const {
  if (question.message.kind == Kind::drop) return Error{"it doesn't end", ETIMEDOUT};
  const std::string system = what.empty() ? "its file system does not answer"
                                          : "the file system " + what + " does not answer";
  return Error{quoted(question.message.text) + ": " + system, ETIMEDOUT};
}

std::vector<Walker::Hanging> Walker::hanging() const {
  std::vector<Hanging> out;
  for (const auto& process : processes_)
    if (process->hangs && !process->what.empty())
      out.push_back({process->what, process->child.pid});
  return out;
}

void Walker::mounts_changed(const std::vector<paths::MountEntry>& mounts) {
  for (const auto& process : processes_) {
    if (!process->hangs || process->mount == 0) continue;
    const bool there = std::any_of(mounts.begin(), mounts.end(),
                                   [&](const auto& entry) { return entry.id == process->mount; });
    if (!there) (void)process::send_signal(process->child.pidfd.get(), SIGKILL);
  }
}

void Walker::stop() {
  const auto fail = [this](const Asked& asked) {
    answer(asked, make_error("the distro has stopped"));
  };
  fail_waiting(make_error("the distro has stopped"));
  for (const auto& [mount, parked] : std::exchange(parked_, {}))
    for (const auto& asked : parked) fail(asked);
  for (const auto& process : processes_) {
    if (process->asked && process->asked->message.kind != Kind::drop) fail(process->asked);
    if (!process->asked || process->asked->message.kind != Kind::drop)
      (void)process::send_signal(process->child.pidfd.get(), SIGKILL);
  }
}

}  // namespace causeway::shares
