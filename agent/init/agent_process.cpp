#include "init/agent_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "init/console.h"

namespace causeway::init {
namespace {

constexpr std::string_view kFds = "CAUSEWAY_FDS=";
constexpr std::string_view kDropped = "CAUSEWAY_DROPPED=";
constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kNotExecuted = 127;

constexpr std::array<std::string_view, 5> kOurVariables{
    kFds, kDropped, "CAUSEWAY_INIT_FD=", "CAUSEWAY_INSTANCE=", "CAUSEWAY_AGENT_START="};

bool ours(std::string_view entry) {
  return std::any_of(kOurVariables.begin(), kOurVariables.end(),
                     [&](std::string_view variable) { return entry.starts_with(variable); });
}

void keep_open(int fd) { (void)::fcntl(fd, F_SETFD, 0); }

// Asks init over the store's protocol, and takes the answer, which the program that follows must
// not find. Init answers in microseconds; without an answer the next start asks again.
void drop_stored(int client) {
  constexpr std::string_view kDrop = "drop agent";
  constexpr int kLongestMs = 1000;
  std::array<char, fd_store::kStoreMessageLimit> answer;
  pollfd answered{client, POLLIN, 0};
  if (::send(client, kDrop.data(), kDrop.size(), MSG_NOSIGNAL) > 0 &&
      ::poll(&answered, 1, kLongestMs) == 1)
    (void)!::recv(client, answer.data(), answer.size(), MSG_DONTWAIT);
}

}  // namespace

AgentProcess::AgentProcess(UniqueFd binary, std::vector<std::string> arguments,
                           std::vector<std::string> environment, const std::string& instance)
    : binary_(std::move(binary)),
      arguments_(std::move(arguments)),
      environment_(std::move(environment)) {
  std::erase_if(environment_, [](const std::string& entry) { return ours(entry); });
  const bool has_path = std::any_of(environment_.begin(), environment_.end(),
                                    [](const std::string& e) { return e.starts_with("PATH="); });
  if (!has_path) environment_.emplace_back(kPath);
  environment_.push_back("CAUSEWAY_INSTANCE=" + instance);
  std::copy(kFds.begin(), kFds.end(), fds_text_.begin());
  std::copy(kDropped.begin(), kDropped.end(), dropped_text_.begin());
  for (auto& argument : arguments_) argument_pointers_.push_back(argument.data());
  argument_pointers_.push_back(nullptr);
  for (auto& entry : environment_) environment_pointers_.push_back(entry.data());
  for (char* text :
       {init_fd_text_.data(), start_text_.data(), fds_text_.data(), dropped_text_.data()})
    environment_pointers_.push_back(text);
  environment_pointers_.push_back(nullptr);
}

void AgentProcess::write_fds(const fd_store::FdStore& store) {
  // The text fits by construction: a fixed number of slots with limited names.
  (void)fd_store::format_fds(store, fds_text_.data() + kFds.size(), fd_store::kFdsTextSize);
}

bool AgentProcess::start(fd_store::FdStore& store) {
  std::array<int, 2> pair{-1, -1};
  // A pair for each agent: an answer that a dead one didn't read can't reach the next.
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return false;
  UniqueFd init_end(pair[0]);
  const UniqueFd agent_end(pair[1]);
  write_fds(store);
  (void)fd_store::format_dropped(store, dropped_text_.data() + kDropped.size(),
                                 fd_store::kDroppedTextSize);
  std::snprintf(init_fd_text_.data(), init_fd_text_.size(), "CAUSEWAY_INIT_FD=%d", agent_end.get());
  std::snprintf(start_text_.data(), start_text_.size(), "CAUSEWAY_AGENT_START=%llu",
                static_cast<unsigned long long>(starts_));
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) execute(store, agent_end.get());
  pid_ = child;
  ++starts_;
  socket_ = std::move(init_end);
  return true;
}

// In the child, whose memory is its own: so its `store` is, too.
void AgentProcess::execute(fd_store::FdStore& store, int client) {
  ::setsid();  // a terminal's signals reach init alone, which passes them on
  sigset_t none;
  ::sigemptyset(&none);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  keep_open(client);
  for (const auto& slot : store.slots())
    if (slot.used()) keep_open(slot.fd.get());
  if (const int stored = store.get(fd_store::kAgentSlot); stored >= 0) {
    // Once more: its owner or mode may have changed since it was put.
    const auto unfit = fd_store::unfit_program(stored);
    if (unfit.empty()) execute_program(stored);
    say(log::Level::error, "agent.stored_not_executed error=\"%s\" action=drop",
        unfit.empty() ? std::strerror(errno) : unfit.data());
    drop_stored(client);
    (void)store.drop(fd_store::kAgentSlot);
    write_fds(store);
  }
  execute_program(binary_.get());
  say(log::Level::error, "agent.not_executed error=\"%s\"", std::strerror(errno));
  ::_exit(kNotExecuted);
}

void AgentProcess::execute_program(int program) const {
  ::syscall(SYS_execveat, program, "", argument_pointers_.data(), environment_pointers_.data(),
            AT_EMPTY_PATH);
}

void AgentProcess::ended() {
  pid_ = 0;
  socket_.reset();
}

}  // namespace causeway::init
