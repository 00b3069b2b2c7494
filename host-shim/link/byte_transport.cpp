#include "link/byte_transport.h"

#include <utility>

#include "windows/windows_text.h"
#include "wire/yamux.h"

namespace causeway::shim::link {
namespace {

constexpr std::size_t kReadBuffer = std::size_t{64} * 1024;
// Four full frames: fewer calls than with one, and a ping waits no longer than 128 KiB take.
constexpr std::size_t kSendBuffer = 4 * (wire::kFrameHeader + wire::kFrameLimit);

}  // namespace

ByteTransport::Io::Io(CompletionPort& owner, Calls how)
    : port(owner),
      calls(std::move(how)),
      reading(owner),
      sending(owner),
      in(kReadBuffer),
      out(kSendBuffer) {}

ByteTransport::ByteTransport(CompletionPort& port, Calls calls, std::string early)
    : io_(std::make_shared<Io>(port, std::move(calls))) {
  io_->early = std::move(early);
}

ByteTransport::~ByteTransport() {
  io_->handler = nullptr;
  if (const auto close = std::exchange(io_->calls.close, nullptr)) close();
}

void ByteTransport::start(Handler& handler) {
  io_->handler = &handler;
  if (io_->early.empty()) return io_->read();
  io_->port.defer([weak = std::weak_ptr<Io>(io_)] {
    const auto io = weak.lock();
    if (!io || io->handler == nullptr) return;
    const auto early = std::move(io->early);
    io->handler->on_data(early);
    io->read();
  });
}

std::span<char> ByteTransport::output() {
  if (io_->sending.pending()) return {};
  return io_->out;
}

void ByteTransport::send(std::size_t bytes) {
  io_->out_size = static_cast<DWORD>(bytes);
  io_->out_sent = 0;
  io_->send_done(ERROR_SUCCESS);
}

void ByteTransport::Io::read() {
  if (handler == nullptr) return;
  OVERLAPPED* overlapped = reading.begin(
      shared_from_this(), [this](DWORD error, DWORD bytes) { read_done(error, bytes); });
  reading.began(calls.read(in.data(), static_cast<DWORD>(in.size()), overlapped));
}

void ByteTransport::Io::read_done(DWORD error, DWORD bytes) {
  if (handler == nullptr) return;
  // A pipe's end is an error, a socket's is zero bytes; hvsocket knows both (Linux,
  // hyperv_transport.c: a close without SHUT_WR before it is a broken pipe here).
  if (error != ERROR_SUCCESS && error != ERROR_MORE_DATA)
    return end(error == ERROR_BROKEN_PIPE ? "the other end closed it"
                                          : windows_error("read", error).message);
  if (bytes == 0) return end("the other end closed it");
  handler->on_data({in.data(), bytes});
  read();
}

// Also begins: what is left is sent.
void ByteTransport::Io::send_done(DWORD error) {
  if (handler == nullptr) return;
  if (error != ERROR_SUCCESS) return end(windows_error("send", error).message);
  if (out_sent == out_size) return handler->on_sent();
  OVERLAPPED* overlapped = sending.begin(shared_from_this(), [this](DWORD failed, DWORD bytes) {
    out_sent += bytes;
    send_done(failed);
  });
  sending.began(calls.send(out.data() + out_sent, out_size - out_sent, overlapped));
}

void ByteTransport::Io::end(const std::string& reason) {
  Handler* told = std::exchange(handler, nullptr);
  if (told != nullptr) told->on_end(reason);
}

}  // namespace causeway::shim::link
