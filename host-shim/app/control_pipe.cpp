#include "app/control_pipe.h"

#include <windows.h>

#include <array>
#include <memory>

#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

constexpr std::size_t kMostBytes = std::size_t{256} * 1024;
constexpr DWORD kClientMs = 5'000;   // of a client, for its line
constexpr DWORD kAnswerMs = 60'000;  // of the shim: `distro enable` waits for the agent
constexpr DWORD kBusyMs = 5'000;

// One overlapped operation that ends with its event, a time-out, or `stop`.
class Operation {
 public:
  explicit Operation(HANDLE stop)
      : event_(CreateEventW(nullptr, TRUE, FALSE, nullptr)), stop_(stop) {
    state_.hEvent = event_.get();
  }
  OVERLAPPED* state() { return &state_; }
  // `started` is what the call returned. The bytes, or nothing.
  bool wait(HANDLE pipe, BOOL started, DWORD limit_ms, DWORD* bytes) {
    *bytes = 0;
    const DWORD code = GetLastError();
    if (started == 0 && code != ERROR_IO_PENDING) return code == ERROR_PIPE_CONNECTED;
    const std::array<HANDLE, 2> waits{event_.get(), stop_};
    const DWORD count = stop_ == nullptr ? 1 : 2;
    if (WaitForMultipleObjects(count, waits.data(), FALSE, limit_ms) != WAIT_OBJECT_0)
      CancelIoEx(pipe, &state_);
    return GetOverlappedResult(pipe, &state_, bytes, TRUE) != 0;
  }

 private:
  UniqueHandle event_;
  HANDLE stop_;
  OVERLAPPED state_{};
};

// Up to the line's end; empty when it doesn't come.
std::string read_line(HANDLE pipe, HANDLE stop, DWORD limit_ms) {
  std::string line;
  std::array<char, 4096> part{};
  while (line.size() < kMostBytes) {
    Operation read(stop);
    DWORD bytes = 0;
    const BOOL started = ReadFile(pipe, part.data(), part.size(), nullptr, read.state());
    if (!read.wait(pipe, started, limit_ms, &bytes) || bytes == 0) return {};
    line.append(part.data(), bytes);
    if (const auto end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
  }
  return {};
}

bool write_line(HANDLE pipe, HANDLE stop, std::string line) {
  line += '\n';
  Operation write(stop);
  DWORD bytes = 0;
  const BOOL started =
      WriteFile(pipe, line.data(), static_cast<DWORD>(line.size()), nullptr, write.state());
  return write.wait(pipe, started, kClientMs, &bytes) && bytes == line.size();
}

}  // namespace

Result<std::unique_ptr<ControlPipe>> ControlPipe::serve(
    const std::string& name, std::function<std::string(const std::string&)> answer) {
  auto security = PipeSecurity::for_this_user();
  if (!security) return std::move(security).error();
  UniqueHandle stop(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  std::unique_ptr<ControlPipe> out(
      new ControlPipe(*std::move(security), name, {}, std::move(stop), std::move(answer)));
  auto pipe = out->make(true);
  if (!pipe) return std::move(pipe).error();
  out->thread_ = std::thread(
      [raw = out.get(), first = std::move(*pipe)]() mutable { raw->run(std::move(first)); });
  return out;
}

ControlPipe::ControlPipe(PipeSecurity security, std::string name, UniqueHandle, UniqueHandle stop,
                         std::function<std::string(const std::string&)> answer)
    : security_(std::move(security)),
      name_(std::move(name)),
      stop_(std::move(stop)),
      answer_(std::move(answer)) {}

ControlPipe::~ControlPipe() {
  SetEvent(stop_.get());
  if (thread_.joinable()) thread_.join();
}

Result<UniqueHandle> ControlPipe::make(bool first) const {
  auto attributes = security_.attributes();
  const DWORD mode =
      PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0);
  UniqueHandle pipe(
      CreateNamedPipeW(to_wide(name_).c_str(), mode,
                       PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
                       PIPE_UNLIMITED_INSTANCES, 65536, 65536, 0, &attributes));
  if (!pipe) return windows_error("make the pipe " + name_, GetLastError());
  return pipe;
}

void ControlPipe::run(UniqueHandle pipe) {
  while (pipe && WaitForSingleObject(stop_.get(), 0) != WAIT_OBJECT_0) {
    Operation connect(stop_.get());
    DWORD none = 0;
    if (!connect.wait(pipe.get(), ConnectNamedPipe(pipe.get(), connect.state()), INFINITE, &none)) {
      if (WaitForSingleObject(stop_.get(), 0) == WAIT_OBJECT_0) return;
    } else if (const auto line = read_line(pipe.get(), stop_.get(), kClientMs); !line.empty()) {
      write_line(pipe.get(), stop_.get(), answer_(line));
      // The client closes when it has the answer: what it has not read would be lost before that.
      read_line(pipe.get(), stop_.get(), kClientMs);
    }
    // The next one before this one goes: so the name is always taken.
    auto next = make(false);
    pipe = next ? std::move(*next) : UniqueHandle();
  }
}

Result<std::string> ask_shim(const std::string& name, const std::string& line) {
  for (int tries = 0;; ++tries) {
    const UniqueHandle pipe(CreateFileW(to_wide(name).c_str(), GENERIC_READ | GENERIC_WRITE, 0,
                                        nullptr, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, nullptr));
    if (!pipe && GetLastError() == ERROR_PIPE_BUSY && tries < 3) {
      WaitNamedPipeW(to_wide(name).c_str(), kBusyMs);
      continue;
    }
    if (!pipe) {
      const auto code = GetLastError();
      auto error = windows_error("ask the shim", code);
      error.code = static_cast<int>(code);
      return error;
    }
    if (!write_line(pipe.get(), nullptr, line)) return make_error("ask the shim: it takes nothing");
    auto answer = read_line(pipe.get(), nullptr, kAnswerMs);
    if (answer.empty()) return make_error("ask the shim: it does not answer");
    return answer;
  }
}

}  // namespace causeway::shim::app
