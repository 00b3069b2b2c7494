#include "pipe/named_pipe.h"

#include <algorithm>
#include <utility>

#include "windows/windows_text.h"

namespace causeway::shim::pipe {
namespace {

// Enough for a request's head; a read that fills it doubles it, up to the pipe's own buffer.
constexpr std::size_t kFirstReadBuffer = 4096;
// After an instance couldn't be made or connected for a reason that won't go away at once.
constexpr std::uint64_t kRetryMs = 500;

}  // namespace

PipeClient::PipeClient(CompletionPort& port, UniqueHandle pipe, std::function<void()> closed)
    : read_(port),
      write_(port),
      buffer_(kFirstReadBuffer),
      pipe_(std::move(pipe)),
      closed_(std::move(closed)) {}

PipeClient::~PipeClient() { close_handle(); }

void PipeClient::start(Handler* handler) {
  handler_ = handler;
  read();
}

void PipeClient::resume() {
  paused_ = false;
  read();
}

void PipeClient::read() {
  if (paused_ || broken_ || closing_ || handler_ == nullptr || read_.pending()) return;
  OVERLAPPED* overlapped = read_.begin(
      shared_from_this(), [this](DWORD error, DWORD bytes) { read_done(error, bytes); });
  const bool done = ReadFile(pipe_.get(), buffer_.data(), static_cast<DWORD>(buffer_.size()),
                             nullptr, overlapped) != 0;
  read_.began(done ? ERROR_SUCCESS : GetLastError());
}

void PipeClient::read_done(DWORD error, DWORD bytes) {
  if (closing_ || broken_ || handler_ == nullptr) return;
  if (error != ERROR_SUCCESS && error != ERROR_MORE_DATA) return gone();
  const auto alive = shared_from_this();
  if (bytes > 0)
    handler_->on_data({buffer_.data(), bytes});
  else if (error == ERROR_SUCCESS)
    handler_->on_eof();
  if (read_.pending()) return;  // the handler has resumed
  if (bytes == buffer_.size() && bytes < kPipeBuffer)
    buffer_ = std::vector<char>(std::min<std::size_t>(2 * buffer_.size(), kPipeBuffer));
  read();
}

void PipeClient::write(std::string_view bytes) {
  if (broken_ || end_wanted_ || closing_) return;
  queue_.append(bytes);
  flush();
}

void PipeClient::end_write() {
  if (broken_ || closing_) return;
  end_wanted_ = true;
  flush();
}

void PipeClient::flush() {
  if (broken_ || write_.pending()) return;
  if (queue_.empty()) {
    if (!end_wanted_ || std::exchange(end_written_, true)) {
      if (closing_) close_handle();
      return;
    }
  } else if (queue_.size() <= kPipeBuffer) {
    writing_.swap(queue_);
  } else {
    writing_.assign(queue_, 0, kPipeBuffer);
    queue_.erase(0, kPipeBuffer);
  }
  OVERLAPPED* overlapped =
      write_.begin(shared_from_this(), [this](DWORD error, DWORD) { write_done(error); });
  const bool done = WriteFile(pipe_.get(), writing_.data(), static_cast<DWORD>(writing_.size()),
                              nullptr, overlapped) != 0;
  write_.began(done ? ERROR_SUCCESS : GetLastError());
}

void PipeClient::write_done(DWORD error) {
  if (broken_) return;
  if (error != ERROR_SUCCESS) return gone();
  const auto alive = shared_from_this();
  const auto bytes = writing_.size();
  writing_.clear();
  flush();
  if (bytes > 0 && handler_ != nullptr && !closing_) handler_->on_written(bytes);
}

void PipeClient::gone() {
  const auto alive = shared_from_this();
  Handler* handler = closing_ ? nullptr : std::exchange(handler_, nullptr);
  close_handle();
  if (handler != nullptr) handler->on_gone();
}

void PipeClient::close() {
  if (std::exchange(closing_, true)) return;
  handler_ = nullptr;
  flush();
}

void PipeClient::abort() {
  handler_ = nullptr;
  closing_ = true;
  if (pipe_) DisconnectNamedPipe(pipe_.get());
  close_handle();
}

std::uint32_t PipeClient::process_id() const {
  ULONG id = 0;
  return pipe_ && GetNamedPipeClientProcessId(pipe_.get(), &id) ? id : 0;
}

void PipeClient::close_handle() {
  broken_ = true;
  queue_.clear();
  if (!pipe_) return;
  pipe_.reset();  // what is pending on it is told as aborted, and keeps this alive until then
  if (const auto closed = std::move(closed_)) closed();
}

struct PipeServer::Instance {
  explicit Instance(CompletionPort& port) : connect(port) {}
  Operation connect;
  UniqueHandle pipe;
};

PipeServer::PipeServer(CompletionPort& port, const PipeSecurity& security, Options options,
                       Accepted accepted)
    : port_(port),
      security_(security),
      options_(std::move(options)),
      accepted_(std::move(accepted)),
      clients_(std::make_shared<std::size_t>(0)),
      self_(std::make_shared<PipeServer*>(this)),
      retry_(port) {}

PipeServer::~PipeServer() {
  *self_ = nullptr;
  for (auto& instance : waiting_) instance->pipe.reset();
}

bool PipeServer::taken(const Error& error) {
  // ACCESS_DENIED: FILE_FLAG_FIRST_PIPE_INSTANCE found one; PIPE_BUSY: all that the other server
  // allows are there.
  return error.code == ERROR_ACCESS_DENIED || error.code == ERROR_PIPE_BUSY;
}

Status PipeServer::start() {
  if (auto made = add_instance(true); !made) return made;
  fill();
  return Ok{};
}

Status PipeServer::add_instance(bool first) {
  auto security = security_.attributes();
  auto instance = std::make_shared<Instance>(port_);
  instance->pipe = UniqueHandle(CreateNamedPipeW(
      to_wide(options_.name).c_str(),
      PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
      (options_.type == Type::message ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE
                                      : PIPE_TYPE_BYTE | PIPE_READMODE_BYTE) |
          PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
      PIPE_UNLIMITED_INSTANCES, kPipeBuffer, kPipeBuffer, 0, &security));
  if (!instance->pipe) return windows_error("serve " + options_.name, GetLastError());
  if (auto done = port_.associate(instance->pipe.get()); !done) return done;
  OVERLAPPED* overlapped =
      instance->connect.begin(instance, [self = self_, raw = instance.get()](DWORD error, DWORD) {
        if (*self == nullptr) return;
        auto& waiting = (*self)->waiting_;
        const auto found = std::find_if(waiting.begin(), waiting.end(),
                                        [&](const auto& each) { return each.get() == raw; });
        if (found == waiting.end()) return;
        const auto connected = *found;
        waiting.erase(found);
        (*self)->connected(connected, error);
      });
  const bool done = ConnectNamedPipe(instance->pipe.get(), overlapped) != 0;
  waiting_.push_back(instance);
  instance->connect.began(done ? ERROR_SUCCESS : GetLastError());
  return Ok{};
}

void PipeServer::fill() {
  while (waiting_.size() < options_.pending && waiting_.size() + *clients_ < options_.most_clients)
    if (!add_instance(false)) return retry_.start(kRetryMs, [this] { fill(); });
}

void PipeServer::connected(const std::shared_ptr<Instance>& instance, DWORD error) {
  // PIPE_CONNECTED: it came between the making and the call. NO_DATA: it came and has left, and
  // what it has written is still to be read. Anything else would fail again at once.
  if (error != ERROR_SUCCESS && error != ERROR_PIPE_CONNECTED && error != ERROR_NO_DATA) {
    if (error == ERROR_BROKEN_PIPE) return fill();
    return retry_.start(kRetryMs, [this] { fill(); });
  }
  ++*clients_;
  auto client = std::make_shared<PipeClient>(
      port_, std::move(instance->pipe), [self = self_, clients = clients_] {
        --*clients;
        if (*self != nullptr && (*self)->waiting_.size() < (*self)->options_.pending)
          (*self)->fill();
      });
  fill();
  accepted_(std::move(client));
}

}  // namespace causeway::shim::pipe
