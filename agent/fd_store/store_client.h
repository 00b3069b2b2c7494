// The agent's side of init: the descriptors it inherits, putting more into init's store, and the
// exit reports of processes that init reaped. Blocking calls, each bounded by one second; init
// answers in microseconds. Without init (tests, bench) the client is simply empty.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::fd_store {

// How a process ended that was init's child, usually a daemon that outlived its agent. Written to
// the pipe `exits` as one atomic write of 16 bytes.
struct ExitReport {
  std::int32_t pid;
  std::int32_t wait_status;  // as waitpid(2) gives it: WIFEXITED and friends
  std::uint64_t start_time;  // field 22 of /proc/<pid>/stat; 0 when it could not be read

  bool operator==(const ExitReport&) const = default;
};
static_assert(sizeof(ExitReport) == 16);

// Whole reports at the front of `bytes`; an incomplete rest is left out.
std::vector<ExitReport> decode_exit_reports(std::string_view bytes);

// Reads all that the non-blocking pipe holds.
Result<std::vector<ExitReport>> read_exit_reports(int fd);

// "control=5,engine=6": pure, for both CAUSEWAY_FDS and CAUSEWAY_DROPPED. Empty text, empty map; a
// malformed or repeated entry is an error.
Result<std::map<std::string, std::uint64_t, std::less<>>> parse_named_numbers(
    std::string_view text);

class StoreClient {
 public:
  StoreClient() = default;

  // Takes ownership of everything that CAUSEWAY_FDS and CAUSEWAY_INIT_FD name, sets CLOEXEC on
  // each, and removes the CAUSEWAY_* variables of init from the environment, so that no child
  // trusts stale numbers. Call once, before other threads and before other descriptors are opened.
  static Result<StoreClient> from_environment();

  // Around an own socket to init: for tests.
  explicit StoreClient(UniqueFd init_socket) : init_(std::move(init_socket)) {}

  bool has_init() const { return static_cast<bool>(init_); }

  // The descriptor of that name, once; empty when there is none.
  UniqueFd take(std::string_view name);
  // What is left to take.
  const std::map<std::string, UniqueFd, std::less<>>& inherited() const { return fds_; }

  // Init keeps a duplicate under `name` and hands it to every later agent. Replaces what was there.
  Status put(std::string_view name, int fd);
  Status drop(std::string_view name);

  // Bytes of a log FIFO that init threw away while no agent ran. Told again to the next agent when
  // this one doesn't live for 10 s.
  std::uint64_t dropped(std::string_view name) const;

  const std::string& instance() const {
    return instance_;
  }  // random, of this init; empty without one
  std::uint64_t agent_start() const { return agent_start_; }  // 0 for the first agent

 private:
  Status request(const std::string& text, int fd);

  UniqueFd init_;
  std::map<std::string, UniqueFd, std::less<>> fds_;
  std::map<std::string, std::uint64_t, std::less<>> dropped_;
  std::string instance_;
  std::uint64_t agent_start_ = 0;
};

}  // namespace causeway::fd_store
