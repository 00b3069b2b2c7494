#include "fd_store/store_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/text.h"
#include "fd_store/fd_store.h"

namespace causeway::fd_store {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string out = value == nullptr ? "" : value;
  ::unsetenv(name);
  return out;
}

// An open descriptor of ours with CLOEXEC set. The standard ones are never init's.
Result<UniqueFd> adopt(std::string_view name, std::uint64_t number) {
  const std::string what = "descriptor " + std::to_string(number) + " (" + std::string(name) + ")";
  if (number <= 2 || number > static_cast<std::uint64_t>(std::numeric_limits<int>::max()))
    return make_error(what + ": out of range");
  const int fd = static_cast<int>(number);
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return errno_error(what);
  return UniqueFd(fd);
}

}  // namespace

std::vector<ExitReport> decode_exit_reports(std::string_view bytes) {
  std::vector<ExitReport> out;
  for (; bytes.size() >= sizeof(ExitReport); bytes.remove_prefix(sizeof(ExitReport))) {
    ExitReport report{};
    std::memcpy(&report, bytes.data(), sizeof(report));
    out.push_back(report);
  }
  return out;
}

Result<std::vector<ExitReport>> read_exit_reports(int fd) {
  std::vector<ExitReport> out;
  std::array<char, 256 * sizeof(ExitReport)> block;
  for (;;) {
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return out;
    if (n < 0) return errno_error("read exit reports");
    if (n == 0) return out;
    // Writes are whole reports and the block is a multiple of one, so no report is split.
    for (const auto& report : decode_exit_reports({block.data(), static_cast<std::size_t>(n)}))
      out.push_back(report);
  }
}

Result<std::map<std::string, std::uint64_t, std::less<>>> parse_named_numbers(
    std::string_view text) {
  std::map<std::string, std::uint64_t, std::less<>> out;
  if (text.empty()) return out;
  for (const auto entry : text::split(text, ',')) {
    const auto equals = entry.find('=');
    const auto name = entry.substr(0, equals);
    const auto number =
        equals == std::string_view::npos ? std::nullopt : text::to_u64(entry.substr(equals + 1));
    if (!valid_store_name(name) || !number)
      return make_error("malformed entry '" + text::printable(entry) + "'");
    if (!out.emplace(name, *number).second)
      return make_error("'" + std::string(name) + "' is named twice");
  }
  return out;
}

Result<StoreClient> StoreClient::from_environment() {
  StoreClient client;
  const std::string fds = take_variable("CAUSEWAY_FDS");
  const std::string init_fd = take_variable("CAUSEWAY_INIT_FD");
  const std::string dropped = take_variable("CAUSEWAY_DROPPED");
  const std::string agent_start = take_variable("CAUSEWAY_AGENT_START");
  client.instance_ = take_variable("CAUSEWAY_INSTANCE");
  if (init_fd.empty() && fds.empty()) return client;

  auto names = parse_named_numbers(fds);
  if (!names) return std::move(names).error().with("CAUSEWAY_FDS");
  auto bytes = parse_named_numbers(dropped);
  if (!bytes) return std::move(bytes).error().with("CAUSEWAY_DROPPED");
  client.dropped_ = std::move(*bytes);
  client.agent_start_ = text::to_u64(agent_start).value_or(0);

  const auto number = text::to_u64(init_fd);
  if (!number) return make_error("CAUSEWAY_INIT_FD: malformed '" + text::printable(init_fd) + "'");
  auto init = adopt("init", *number);
  if (!init) return std::move(init).error().with("CAUSEWAY_INIT_FD");
  client.init_ = std::move(*init);
  const timeval limit{1, 0};
  if (::setsockopt(client.init_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
    return errno_error("CAUSEWAY_INIT_FD: setsockopt");

  for (const auto& [name, value] : *names) {
    auto fd = adopt(name, value);
    if (!fd) return std::move(fd).error().with("CAUSEWAY_FDS");
    client.fds_.emplace(name, std::move(*fd));
  }
  return client;
}

UniqueFd StoreClient::take(std::string_view name) {
  const auto found = fds_.find(name);
  if (found == fds_.end()) return {};
  UniqueFd fd = std::move(found->second);
  fds_.erase(found);
  return fd;
}

std::uint64_t StoreClient::dropped(std::string_view name) const {
  const auto found = dropped_.find(name);
  return found == dropped_.end() ? 0 : found->second;
}

Status StoreClient::put(std::string_view name, int fd) {
  auto done = request("put " + std::string(name), fd);
  if (!done) return std::move(done).error().with("put '" + text::printable(name) + "'");
  return done;
}

Status StoreClient::drop(std::string_view name) {
  auto done = request("drop " + std::string(name), -1);
  if (!done) return std::move(done).error().with("drop '" + text::printable(name) + "'");
  return done;
}

Status StoreClient::request(const std::string& text, int fd) {
  if (!init_) return make_error("no init to talk to");
  std::array<char, kStoreMessageLimit> reply;
  // The answer to a request that timed out would be taken for the next one's.
  while (::recv(init_.get(), reply.data(), reply.size(), MSG_DONTWAIT) > 0) {
  }
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(int));
  }
  ssize_t n = -1;
  do {
    n = ::sendmsg(init_.get(), &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return errno_error("send to init");
  do {
    n = ::recv(init_.get(), reply.data(), reply.size(), 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return make_error("init did not answer within 1 s");
  if (n < 0) return errno_error("receive from init");
  if (n == 0) return make_error("init closed the connection");
  const std::string_view answer(reply.data(), static_cast<std::size_t>(n));
  if (answer == "ok") return Ok{};
  return make_error("init: " + text::printable(answer));
}

}  // namespace causeway::fd_store
