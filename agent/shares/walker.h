// Walker opens paths of one distro's share for the agent, which itself may wait for no file system:
// what the kernel's cache knows at once, all else by processes `causeway walk`, in the agent's
// namespace.
//
//   waiting ──▶ with a process ──▶ answered
//      ▲            │  │ time over: the process is left behind, as one that hangs in that mount
//      └── parked ◀─┘  ▼
//                    failed, and whoever comes to that mount fails at once
//
// A process asks before it looks into a mount, and only one at a time is in each: so no mount that
// hangs costs more than one process, and others wait for it no longer than the first. What hangs is
// shown, until the process comes back (then all is as before) or has ended. A process that hangs
// can't be ended, not even with the agent; it holds nothing of the agent's.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/timer.h"
#include "paths/mount_info.h"
#include "process/child_exec.h"
#include "process/reaper.h"
#include "walk/walk_message.h"

namespace causeway::shares {

// Starts a process that serves (walk::serve) the given end of a socket pair, and dies with us.
using StartWalk = std::function<Result<process::Child>(int socket)>;
// This program as `causeway walk`.
Result<process::Child> start_walk(int socket);

class Walker {
 public:
  // Processes that work at once, and those left behind: more dead mounts than that, and what needs
  // a process is refused.
  static constexpr std::size_t kMostWorking = 8;
  static constexpr std::size_t kMostHanging = 16;
  // A process without work ends after so long.
  static constexpr std::uint64_t kIdleMs = 10'000;

  struct Options {
    std::string share;  // where its root is attached: "/mnt/distro/Ubuntu"
    StartWalk start = start_walk;
  };
  // `changed`: what hanging() shows. `loop` and `reaper` outlive it.
  Walker(io::Loop& loop, process::Reaper& reaper, Options options, std::function<void()> changed);
  // Ends the processes, as far as that can be; nobody is called any more.
  ~Walker();
  Walker(const Walker&) = delete;
  Walker& operator=(const Walker&) = delete;

  using Opened = std::function<void(Result<UniqueFd>)>;
  using Resolved = std::function<void(Result<std::string>)>;
  // A path of the distro (absolute), links followed as there: an O_PATH descriptor. Errors: what
  // openat2(2) says; code ETIMEDOUT when the file system doesn't answer, with its name. `opened` is
  // called once, never from within.
  void open(const std::string& path, std::uint64_t timeout_ms, Opened opened);
  // The same from another root (O_PATH): of a share that isn't in its place yet.
  void open_at(UniqueFd root, const std::string& path, std::uint64_t timeout_ms, Opened opened);
  // Free of links, as handover::resolve_path() has it.
  void resolve(const std::string& path, std::uint64_t timeout_ms, Resolved resolved);
  // Closes what may be the last reference to a mount: its file system ends with that, which may
  // take as long as its server likes.
  void drop(UniqueFd tree);

  struct Hanging {
    std::string what;  // "/mnt/nas (cifs)", for people
    pid_t pid = 0;     // of the process that waits for it
    bool operator==(const Hanging&) const = default;
  };
  std::vector<Hanging> hanging() const;

  // The distro is gone, or its mounts changed: processes that hang in what isn't mounted any more
  // are ended, as far as they can be.
  void mounts_changed(const std::vector<paths::MountEntry>& mounts);
  // Fails what is asked, and ends all processes, as far as that can be.
  void stop();
  // Nothing is asked, and no process is left.
  bool empty() const { return processes_.empty() && waiting_.empty(); }
  std::size_t processes() const { return processes_.size(); }

 private:
  using Answered = std::function<void(Result<walk::Message>)>;
  struct Question;
  struct Process;
  using Asked = std::shared_ptr<Question>;

  Result<UniqueFd> open_root() const;
  void ask(walk::Message question, std::uint64_t timeout_ms, Answered answered);
  void dispatch();
  void fail_waiting(const Error& why);
  Process* free_process();
  Result<Process*> start_process();
  bool room_for_process() const;
  bool out_of_patience();
  void read(Process& process);
  void on_message(Process& process, walk::Message message);
  void on_enter(Process& process, int mount);
  void on_limit(const Asked& asked);
  void on_end(pid_t pid);
  void answer(const Asked& asked, Result<walk::Message> with);
  void set_free(Process& process);
  void end(Process& process);
  void left(int mount);
  std::string name_of(int mount) const;
  Error not_answering(const Question& question, const std::string& what) const;

  io::Loop& loop_;
  process::Reaper& reaper_;
  const Options options_;
  const std::function<void()> changed_;
  Lifetime lifetime_;
  io::Timer patience_;
  std::deque<Asked> waiting_;                 // for a process
  std::map<int, std::vector<Asked>> parked_;  // by the mount that another one is in
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace causeway::shares
