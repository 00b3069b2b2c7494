#include "fd_store/fd_store.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace causeway::fd_store {
namespace {

// SCM_MAX_FD of the kernel: no datagram carries more, so none is truncated.
constexpr std::size_t kMostDescriptors = 253;

StoreRequest malformed(std::string_view why) { return {StoreRequest::Kind::malformed, {}, why}; }

// Appends "name=value" with a comma in between; false when it doesn't fit.
bool append(char* out, std::size_t size, std::size_t& used, std::string_view name,
            std::uint64_t value) {
  const int n = std::snprintf(out + used, size - used, "%s%.*s=%llu", used == 0 ? "" : ",",
                              static_cast<int>(name.size()), name.data(),
                              static_cast<unsigned long long>(value));
  if (n < 0 || static_cast<std::size_t>(n) >= size - used) return false;
  used += static_cast<std::size_t>(n);
  return true;
}

// All descriptors of the datagram; they are closed unless taken.
struct Received {
  std::array<UniqueFd, kMostDescriptors> fds;
  std::size_t count = 0;
};

void take_descriptors(msghdr& message, Received& received) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < n; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      UniqueFd owned(fd);
      if (received.count < received.fds.size()) received.fds[received.count++] = std::move(owned);
    }
  }
}

void answer(int socket, std::string_view error) {
  std::array<char, kStoreMessageLimit> text;
  const int n = error.empty() ? std::snprintf(text.data(), text.size(), "ok")
                              : std::snprintf(text.data(), text.size(), "error %.*s",
                                              static_cast<int>(error.size()), error.data());
  const auto length = std::min(static_cast<std::size_t>(std::max(n, 0)), text.size() - 1);
  // A client that doesn't read its answers only loses them.
  (void)::send(socket, text.data(), length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

bool valid_store_name(std::string_view name) {
  if (name.empty() || name.size() > kStoreNameLimit) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

std::string_view unfit_program(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return "the agent is not a regular file";
  if ((info.st_mode & 0111) == 0) return "the agent is not executable";
  if (info.st_uid != 0) return "the agent does not belong to root";
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "the agent can be written by others";
  const int mode = ::fcntl(fd, F_GETFL);
  if (mode < 0 || (mode & O_ACCMODE) != O_RDONLY) return "the agent is open for writing";
  return {};
}

StoreRequest parse_store_request(std::string_view datagram, std::size_t descriptors) {
  StoreRequest request;
  std::size_t wanted = 0;
  if (datagram.starts_with("put ")) {
    request.kind = StoreRequest::Kind::put;
    request.name = datagram.substr(4);
    wanted = 1;
  } else if (datagram.starts_with("drop ")) {
    request.kind = StoreRequest::Kind::drop;
    request.name = datagram.substr(5);
  } else {
    return malformed("unknown request");
  }
  if (!valid_store_name(request.name)) return malformed("a name is [a-z0-9._-]{1,47}");
  if (descriptors != wanted)
    return malformed(wanted == 1 ? "put takes exactly one descriptor" : "drop takes no descriptor");
  return request;
}

FdStore::Slot* FdStore::find(std::string_view name) {
  for (auto& slot : slots_)
    if (slot.used() && slot.name_view() == name) return &slot;
  return nullptr;
}

FdStore::Slot* FdStore::free_slot() {
  for (auto& slot : slots_)
    if (!slot.used()) return &slot;
  return nullptr;
}

bool FdStore::keep(std::string_view name, UniqueFd fd) {
  if (!fd || find(name) != nullptr || !put(name, std::move(fd)).empty()) return false;
  find(name)->own = true;
  return true;
}

std::string_view FdStore::put(std::string_view name, UniqueFd fd) {
  if (!valid_store_name(name)) return "a name is [a-z0-9._-]{1,47}";
  if (!fd) return "no descriptor";
  if (name == kAgentSlot)
    if (const auto why = unfit_program(fd.get()); !why.empty()) return why;
  Slot* slot = find(name);
  if (slot != nullptr && slot->own) return "this descriptor belongs to init";
  if (slot == nullptr) {
    slot = free_slot();
    if (slot == nullptr) return "all slots are in use";
    slot->name.fill('\0');
    std::copy(name.begin(), name.end(), slot->name.begin());
    slot->dropped = 0;
  }
  slot->fd = std::move(fd);
  return {};
}

std::string_view FdStore::drop(std::string_view name) {
  Slot* slot = find(name);
  if (slot == nullptr) return "no such descriptor";
  if (slot->own) return "this descriptor belongs to init";
  slot->fd.reset();
  return {};
}

int FdStore::get(std::string_view name) const {
  for (const auto& slot : slots_)
    if (slot.used() && slot.name_view() == name) return slot.fd.get();
  return -1;
}

bool serve_store_request(int socket, FdStore& store) {
  std::array<char, kStoreMessageLimit> text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> control;
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t n = -1;
  do {
    n = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return false;
  Received received;
  take_descriptors(message, received);
  // An end of file is an empty datagram as well; no client sends one.
  if (n == 0 && received.count == 0) return false;
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    answer(socket, "the request is too long");
    return true;
  }
  const auto request =
      parse_store_request({text.data(), static_cast<std::size_t>(n)}, received.count);
  std::string_view error = request.error;
  switch (request.kind) {
    case StoreRequest::Kind::put:
      error = store.put(request.name, std::move(received.fds[0]));
      break;
    case StoreRequest::Kind::drop:
      error = store.drop(request.name);
      break;
    case StoreRequest::Kind::malformed:
      break;
  }
  // What was refused is closed before anybody hears of it.
  for (auto& fd : received.fds) fd.reset();
  answer(socket, error);
  return true;
}

bool format_fds(const FdStore& store, char* out, std::size_t size) {
  std::size_t used = 0;
  out[0] = '\0';
  for (const auto& slot : store.slots()) {
    if (!slot.used()) continue;
    if (!append(out, size, used, slot.name_view(), static_cast<std::uint64_t>(slot.fd.get()))) {
      out[0] = '\0';
      return false;
    }
  }
  return true;
}

bool format_dropped(const FdStore& store, char* out, std::size_t size) {
  std::size_t used = 0;
  out[0] = '\0';
  for (const auto& slot : store.slots()) {
    if (!slot.used() || slot.dropped == 0) continue;
    if (!append(out, size, used, slot.name_view(), slot.dropped)) {
      out[0] = '\0';
      return false;
    }
  }
  return true;
}

}  // namespace causeway::fd_store
