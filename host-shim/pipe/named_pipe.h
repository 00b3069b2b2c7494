// PipeServer serves one name of Windows' named pipes; each client that connects becomes a
// PipeClient.
//
// The pipe is of message type and read in message mode, for only so there is a half-close: the
// zero-byte message (go-winio's CloseWrite). In byte mode one that is queued behind data is lost.
// Message borders mean nothing else. No write of zero bytes happens except for that.
#pragma once

#include <windows.h>
#include <winsock2.h>

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "windows/completion_port.h"
#include "windows/pipe_security.h"
#include "windows/unique_handle.h"

namespace causeway::shim::pipe {

// What Windows keeps for a pipe in each direction, and the largest message of ours.
inline constexpr DWORD kPipeBuffer = 64 * 1024;

class PipeClient : public std::enable_shared_from_this<PipeClient> {
 public:
  // None is called from within a call of the owner; each may let go of the PipeClient.
  class Handler {
   public:
    virtual ~Handler() = default;
    // Valid during the call. Comes once more after a pause(): a read was on its way.
    virtual void on_data(std::string_view bytes) = 0;
    virtual void on_eof() = 0;                       // the client's zero-byte message
    virtual void on_written(std::size_t bytes) = 0;  // of what was queued
    // It closed its handle, or the pipe broke. Nothing more is told.
    virtual void on_gone() = 0;
  };

  PipeClient(CompletionPort& port, UniqueHandle pipe, std::function<void()> closed);
  ~PipeClient();

  // Begins to read. `handler` is told until close() or abort().
  void start(Handler* handler);
  void pause() { paused_ = true; }
  void resume();

  void write(std::string_view bytes);  // queues
  void end_write();                    // a zero-byte message behind what is queued
  std::size_t queued() const { return queue_.size() + writing_.size(); }

  // Behind what is queued: CloseHandle, so that what the client has not read yet stays readable,
  // and its end comes after it.
  void close();
  // At once, and what the client has not read is lost: it gets an error, not an end.
  void abort();
  std::uint32_t process_id() const;

 private:
  void read();
  void read_done(DWORD error, DWORD bytes);
  void flush();
  void write_done(DWORD error);
  void gone();
  void close_handle();

  Operation read_;
  Operation write_;
  Handler* handler_ = nullptr;
  std::vector<char> buffer_;  // as small as the client is quiet
  std::string queue_;         // not yet given to Windows
  std::string writing_;       // with Windows
  bool paused_ = false;
  bool end_wanted_ = false;
  bool end_written_ = false;
  bool closing_ = false;
  bool broken_ = false;
  UniqueHandle pipe_;
  std::function<void()> closed_;  // the handle is closed
};

class PipeServer {
 public:
  // Byte: a half-close gets lost in it. Only there to show that.
  enum class Type { message, byte };
  struct Options {
    std::string name;
    Type type = Type::message;
    // A client between two accepts gets ERROR_PIPE_BUSY and waits; with several pending, a burst
    // doesn't meet it.
    std::size_t pending = 8;
    std::size_t most_clients = 1024;  // beyond: ERROR_PIPE_BUSY until one leaves
  };
  using Accepted = std::function<void(std::shared_ptr<PipeClient>)>;

  PipeServer(CompletionPort& port, const PipeSecurity& security, Options options,
             Accepted accepted);
  ~PipeServer();  // its clients go on

  // Once. The error's code is kTaken when another process serves the name.
  Status start();
  static bool taken(const Error& error);

  std::size_t clients() const { return *clients_; }

 private:
  struct Instance;
  Status add_instance(bool first);
  void fill();
  void connected(const std::shared_ptr<Instance>& instance, DWORD error);

  CompletionPort& port_;
  const PipeSecurity& security_;
  const Options options_;
  const Accepted accepted_;
  std::list<std::shared_ptr<Instance>> waiting_;
  std::shared_ptr<std::size_t> clients_;  // also of the clients that outlive the server
  std::shared_ptr<PipeServer*> self_;     // null after destruction
  Timer retry_;
};

}  // namespace causeway::shim::pipe
