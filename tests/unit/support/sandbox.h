// What the tests of mounts need: a mount namespace of their own, a place on a tmpfs, stand-ins for
// init's store and for a distro with its first process. Root only; without it the cases are skipped
// and say so.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/unique_fd.h"
#include "fd_store/fd_store.h"
#include "fd_store/store_client.h"
#include "io/loop.h"
#include "mounts/mount_calls.h"
#include "paths/unix_path.h"
#include "support/temp_dir.h"

namespace causeway::shares::testing {

// Moves this program into a mount namespace where everything is shared, as init's is. Before
// main(): then doctest counts what can't run as skipped.
inline bool can_mount() {
  static const bool can = [] {
    if (::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0 &&
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) == 0)
      return true;
    std::fputs("skipped: cases that mount need root and a mount namespace of their own\n", stderr);
    return false;
  }();
  return can;
}

// A directory on a tmpfs of its own.
class Sandbox {
 public:
  Sandbox() {
    if (::mount("sandbox", root_.c_str(), "tmpfs", 0, "mode=755") != 0) std::abort();
  }
  ~Sandbox() { ::umount2(root_.c_str(), MNT_DETACH); }
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  std::string operator/(const std::string& path) const { return root_ + "/" + path; }
  std::string folder(const std::string& path) const {
    if (!file::make_directories(*this / path)) std::abort();
    return *this / path;
  }
  const std::string& root() const { return root_; }

 private:
  const causeway::test::TempDir directory_;
  const std::string& root_ = directory_.path;
};

inline void make_tmpfs(const std::string& path, const char* options = "mode=755",
                       const char* source = "test") {
  (void)file::make_directories(path);
  if (::mount(source, path.c_str(), "tmpfs", 0, options) != 0) std::abort();
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}
inline std::string content(const std::string& path) {
  const auto read = file::read(path);
  return read ? *read : read.error().message;
}
inline bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// The mounts at or below a place, relative to it, in mountinfo's order: ". /home".
inline std::string mounts_below(const std::string& path) {
  std::string out;
  const auto mounts = mounts::own_mounts();
  if (!mounts) return mounts.error().message;
  for (const auto& entry : *mounts) {
    if (!paths::is_at_or_below(entry.mount_point, path)) continue;
    if (!out.empty()) out += ' ';
    out += entry.mount_point == path ? "." : entry.mount_point.substr(path.size());
  }
  return out;
}
inline paths::MountEntry mount_at(const std::string& path) {
  const auto mounts = mounts::own_mounts();
  const auto* entry = mounts ? paths::mounted_at(*mounts, path) : nullptr;
  return entry == nullptr ? paths::MountEntry{} : *entry;
}

// A process that is there until end(): what a distro's PID 1 is to us.
class Process {
 public:
  Process() {
    std::array<int, 2> closed{};
    REQUIRE(::pipe2(closed.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close_range(3, ~0U, 0);  // an agent's locks are not this process's
      for (;;) ::pause();
    }
    ::close(closed[1]);
    char none = 0;
    REQUIRE(::read(closed[0], &none, 1) == 0);  // it has closed them
    ::close(closed[0]);
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  ~Process() { end(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  UniqueFd pidfd() const { return UniqueFd(::fcntl(pidfd_.get(), F_DUPFD_CLOEXEC, 3)); }

 private:
  pid_t pid_;
  UniqueFd pidfd_;
};

// A distro: a tree with a root, /home on a mount of its own, and WSL's usual directories.
class Distro {
 public:
  // With `shared` mounts, what is mounted later propagates to a share of it.
  explicit Distro(std::string root, bool shared = true) : root_(std::move(root)) {
    make_tmpfs(root_);
    for (const char* path : {"/dev", "/proc", "/sys", "/mnt/wsl", "/run"})
      (void)file::make_directories(root_ + path);
    if (!shared && ::mount(nullptr, root_.c_str(), nullptr, MS_PRIVATE, nullptr) != 0) std::abort();
    write_file(root_ + "/who", "root");
    add("/home", "home");
  }
  // A tmpfs there with a file "who" that says `who`.
  void add(const std::string& point, const std::string& who) {
    make_tmpfs(root_ + point);
    write_file(root_ + point + "/who", who);
  }
  void remove(const std::string& point) {
    if (::umount2((root_ + point).c_str(), MNT_DETACH) != 0) std::abort();
  }
  std::string path(const std::string& point) const { return point == "/" ? root_ : root_ + point; }
  UniqueFd clone(const std::string& point) const {
    return std::move(*mounts::clone_mount(path(point), false));
  }
  std::pair<std::string, std::string> identity(const std::string& point) const {
    const auto entry = mount_at(path(point));
    return {entry.device, entry.root};
  }

 private:
  std::string root_;
};

// Init's store, served by a thread; the agents before and after are clients of it.
class Store {
 public:
  Store() {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) std::abort();
    client_.reset(pair[0]);
    server_.reset(pair[1]);
    thread_ = std::thread([this] {
      pollfd state{server_.get(), POLLIN, 0};
      while (::poll(&state, 1, -1) > 0) {
        const std::lock_guard lock(mutex_);
        if (!fd_store::serve_store_request(server_.get(), store_)) return;
      }
    });
  }
  ~Store() {
    ::shutdown(client_.get(), SHUT_RDWR);
    thread_.join();
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // What the next agent gets. The one before must be gone.
  fd_store::StoreClient next_agent() {
    const std::lock_guard lock(mutex_);
    std::string fds;
    for (const auto& slot : store_.slots())
      if (slot.used())
        fds += (fds.empty() ? "" : ",") + std::string(slot.name_view()) + "=" +
               std::to_string(::fcntl(slot.fd.get(), F_DUPFD, 3));
    ::setenv("CAUSEWAY_FDS", fds.c_str(), 1);
    ::setenv("CAUSEWAY_INIT_FD", std::to_string(::fcntl(client_.get(), F_DUPFD, 3)).c_str(), 1);
    return std::move(*fd_store::StoreClient::from_environment());
  }
  // After a client was killed: what it sent last is done.
  void settle() {
    fd_store::StoreClient client(UniqueFd(::fcntl(client_.get(), F_DUPFD_CLOEXEC, 3)));
    // The first answer may be one to the killed client.
    for (int i = 0; i < 2; ++i) (void)client.drop("nothing");
  }
  std::size_t used(std::string_view prefix) {
    const std::lock_guard lock(mutex_);
    std::size_t out = 0;
    for (const auto& slot : store_.slots())
      out += slot.used() && slot.name_view().starts_with(prefix);
    return out;
  }

 private:
  std::mutex mutex_;
  fd_store::FdStore store_;
  UniqueFd client_;
  UniqueFd server_;
  std::thread thread_;
};

}  // namespace causeway::shares::testing
