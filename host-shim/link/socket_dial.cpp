#include "link/socket_dial.h"

#include <mswsock.h>

#include <utility>

#include "link/byte_transport.h"
#include "windows/windows_text.h"

namespace causeway::shim::link {
namespace {

// Once a process; WSACleanup would only matter at its end.
Status start_winsock() {
  static const int error = [] {
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data);
  }();
  if (error != 0) return windows_error("start Winsock", static_cast<std::uint32_t>(error));
  return Ok{};
}

Error socket_error(const std::string& what) {
  return windows_error(what, static_cast<std::uint32_t>(WSAGetLastError()));
}

const sockaddr* address(const std::string& bytes) {
  return reinterpret_cast<const sockaddr*>(bytes.data());
}

// Owns `socket`.
std::unique_ptr<Transport> carry(CompletionPort& port, SOCKET socket) {
  ByteTransport::Calls calls;
  calls.read = [socket](char* buffer, DWORD size, OVERLAPPED* overlapped) -> DWORD {
    WSABUF slice{size, buffer};
    DWORD flags = 0;
    return WSARecv(socket, &slice, 1, nullptr, &flags, overlapped, nullptr) == 0
               ? ERROR_SUCCESS
               : static_cast<DWORD>(WSAGetLastError());
  };
  calls.send = [socket](const char* buffer, DWORD size, OVERLAPPED* overlapped) -> DWORD {
    WSABUF slice{size, const_cast<char*>(buffer)};
    return WSASend(socket, &slice, 1, nullptr, 0, overlapped, nullptr) == 0
               ? ERROR_SUCCESS
               : static_cast<DWORD>(WSAGetLastError());
  };
  calls.close = [socket] {
    shutdown(socket, SD_SEND);
    closesocket(socket);
  };
  return std::make_unique<ByteTransport>(port, std::move(calls));
}

}  // namespace

struct SocketDial::Attempt : std::enable_shared_from_this<Attempt> {
  Attempt(CompletionPort& owner, SocketTarget where, Done told)
      : port(owner), target(std::move(where)), done(std::move(told)), connect(owner) {}
  ~Attempt() { close(); }

  Status begin();
  void connected(DWORD error);
  void finish(Result<std::unique_ptr<Transport>> result) {
    deadline.reset();
    if (const auto told = std::exchange(done, nullptr)) told(std::move(result));
  }
  void close() {
    if (socket != INVALID_SOCKET) closesocket(std::exchange(socket, INVALID_SOCKET));
  }

  CompletionPort& port;
  const SocketTarget target;
  Done done;  // null: nobody waits any more
  SOCKET socket = INVALID_SOCKET;
  Operation connect;
  std::unique_ptr<Timer> deadline;
};

SocketDial::SocketDial(CompletionPort& port, SocketTarget target, std::uint64_t timeout_ms,
                       Done done)
    : attempt_(std::make_shared<Attempt>(port, std::move(target), std::move(done))) {
  attempt_->deadline = std::make_unique<Timer>(port);
  const std::weak_ptr<Attempt> weak = attempt_;
  if (auto begun = attempt_->begin(); !begun) {
    attempt_->close();
    attempt_->deadline->start(0, [weak, error = std::move(begun).error()] {
      if (const auto attempt = weak.lock()) attempt->finish(error);
    });
    return;
  }
  // hvsocket's own time-out doesn't cover all ways to hang (WSL#40650): this one does.
  attempt_->deadline->start(timeout_ms, [weak, timeout_ms] {
    const auto attempt = weak.lock();
    if (!attempt) return;
    attempt->close();
    attempt->finish(make_error("connect to " + attempt->target.name + ": no answer within " +
                               std::to_string(timeout_ms) + " ms"));
  });
}

SocketDial::~SocketDial() {
  attempt_->done = nullptr;
  attempt_->deadline.reset();
  attempt_->close();
}

Status SocketDial::Attempt::begin() {
  if (auto started = start_winsock(); !started) return started;
  const std::string to = "connect to " + target.name;
  socket = WSASocketW(target.family, SOCK_STREAM, target.protocol, nullptr, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (socket == INVALID_SOCKET) return socket_error(to + ": make a socket");
  if (target.prepare)
    if (auto prepared = target.prepare(socket); !prepared)
      return std::move(prepared).error().with(to);
  if (bind(socket, address(target.local), static_cast<int>(target.local.size())) != 0)
    return socket_error(to + ": bind");
  GUID id = WSAID_CONNECTEX;
  LPFN_CONNECTEX connect_ex = nullptr;
  DWORD bytes = 0;
  if (WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &connect_ex,
               sizeof connect_ex, &bytes, nullptr, nullptr) != 0)
    return socket_error(to + ": find ConnectEx");
  if (auto done_so = port.associate(reinterpret_cast<HANDLE>(socket)); !done_so)
    return std::move(done_so).error().with(to);
  OVERLAPPED* overlapped =
      connect.begin(shared_from_this(), [this](DWORD error, DWORD) { connected(error); });
  const bool now =
      connect_ex(socket, address(target.remote), static_cast<int>(target.remote.size()), nullptr, 0,
                 nullptr, overlapped) != 0;
  connect.began(now ? ERROR_SUCCESS : static_cast<DWORD>(WSAGetLastError()));
  return Ok{};
}

void SocketDial::Attempt::connected(DWORD error) {
  if (!done) return;
  const std::string to = "connect to " + target.name;
  if (error != ERROR_SUCCESS) {
    close();
    return finish(windows_error(to, error));
  }
  // Without it shutdown() fails (Microsoft, "ConnectEx").
  if (setsockopt(socket, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0) != 0) {
    auto failed = socket_error(to + ": update the socket's context");
    close();
    return finish(std::move(failed));
  }
  finish(carry(port, std::exchange(socket, INVALID_SOCKET)));
}

}  // namespace causeway::shim::link
