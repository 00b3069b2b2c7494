// ByteTransport is the part of a Transport that sockets and pipes share: one read and one send that
// are overlapped, each with a buffer that lives as long as Windows may use it.
#pragma once

#include <windows.h>
#include <winsock2.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "link/transport.h"
#include "windows/completion_port.h"

namespace causeway::shim::link {

class ByteTransport final : public Transport {
 public:
  // How to begin a read or a send; each gives the error, ERROR_IO_PENDING or ERROR_SUCCESS.
  struct Calls {
    std::function<DWORD(char* buffer, DWORD size, OVERLAPPED*)> read;
    std::function<DWORD(const char* buffer, DWORD size, OVERLAPPED*)> send;
    std::function<void()> close;  // ends what is pending
  };
  // `early` has been read already.
  ByteTransport(CompletionPort& port, Calls calls, std::string early = {});
  ~ByteTransport() override;

  void start(Handler& handler) override;
  std::span<char> output() override;
  void send(std::size_t bytes) override;

 private:
  // Lives on with its buffers until Windows has ended both calls.
  struct Io : std::enable_shared_from_this<Io> {
    Io(CompletionPort& owner, Calls how);
    void read();
    void read_done(DWORD error, DWORD bytes);
    void send_done(DWORD error);
    void end(const std::string& reason);

    CompletionPort& port;
    Calls calls;
    Handler* handler = nullptr;  // null: nothing is told
    Operation reading;
    Operation sending;
    std::string early;
    std::vector<char> in;
    std::vector<char> out;
    DWORD out_size = 0;
    DWORD out_sent = 0;
  };
  std::shared_ptr<Io> io_;
};

}  // namespace causeway::shim::link
