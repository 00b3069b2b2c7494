// The agent as a child of PID 1: its command, environment and descriptors. Everything is laid out
// in advance, so that starting it again allocates nothing.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "fd_store/fd_store.h"

namespace causeway::init {

class AgentProcess {
 public:
  // `binary` is executed by descriptor, since a pivot may have taken its path away; a script is not
  // possible. `environment` entries are "NAME=value"; CAUSEWAY_* ones of init are left out, PATH is
  // added when missing.
  AgentProcess(UniqueFd binary, std::vector<std::string> arguments,
               std::vector<std::string> environment, const std::string& instance);

  // Forks and executes, with every descriptor of the store inherited. False with errno when there
  // is no child; an execution that fails shows as exit code 127. What the slot `agent` holds is
  // started instead of `binary`. If that is impossible the child drops the slot, as any agent may,
  // and goes on with `binary`: killed at any line, the next start finds the same and does the same.
  bool start(fd_store::FdStore& store);

  pid_t pid() const { return pid_; }            // 0: none
  int socket() const { return socket_.get(); }  // init's end, non-blocking; -1: none

  void close_socket() { socket_.reset(); }

  // After it was reaped. Requests that it sent last have been served before.
  void ended();

 private:
  [[noreturn]] void execute(fd_store::FdStore& store, int client);
  void write_fds(const fd_store::FdStore& store);
  void execute_program(int program) const;  // returns with errno

  UniqueFd binary_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argument_pointers_;
  std::vector<char*> environment_pointers_;
  std::array<char, 64> init_fd_text_{};
  std::array<char, 64> start_text_{};
  std::array<char, fd_store::kFdsTextSize + 16> fds_text_{};
  std::array<char, fd_store::kDroppedTextSize + 24> dropped_text_{};
  UniqueFd socket_;
  pid_t pid_ = 0;
  std::uint64_t starts_ = 0;
};

}  // namespace causeway::init
