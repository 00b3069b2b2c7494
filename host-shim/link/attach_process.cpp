#include "link/attach_process.h"

#include <algorithm>
#include <utility>

#include "link/attach_line_reader.h"
#include "link/byte_transport.h"
#include "windows/child_process.h"
#include "windows/process_watch.h"

namespace causeway::shim::link {
namespace {

// What it said last is still on its way when the process has ended; a grandchild may hold the pipe.
constexpr std::uint64_t kLastWordsMs = 500;
constexpr std::size_t kReadBuffer = 4096;
constexpr std::size_t kLineLimit = 4096;

DWORD begin_read(HANDLE handle, char* buffer, DWORD size, OVERLAPPED* overlapped) {
  return ReadFile(handle, buffer, size, nullptr, overlapped) ? ERROR_SUCCESS : GetLastError();
}

}  // namespace

struct AttachProcess::State : std::enable_shared_from_this<State> {
  State(CompletionPort& owner, Handler& told)
      : port(owner), handler(&told), reading(owner), reading_errors(owner), last_words(owner) {}

  Status watch_end();
  void read_output();
  void output(std::string_view bytes);
  void read_errors();
  void errors(std::string_view bytes);
  void say(std::string_view bytes);
  void exited();
  void tell_end();

  CompletionPort& port;
  Handler* handler;  // null: nobody is told any more
  ChildProcess child;
  std::unique_ptr<ProcessWatch> watch;  // of the child
  Operation reading;
  Operation reading_errors;
  char output_buffer[kReadBuffer];
  char error_buffer[kReadBuffer];
  AttachLineReader reader;
  bool has_line = false;
  bool errors_ended = false;
  bool has_exited = false;
  DWORD exit_code = 0;
  std::string early;    // behind the line
  std::string partial;  // of a line on stderr
  Timer last_words;
};

Result<std::unique_ptr<AttachProcess>> AttachProcess::start(CompletionPort& port,
                                                            const std::vector<std::string>& argv,
                                                            Handler& handler) {
  const ChildStdio::Pipe overlapped;
  auto child =
      start_child(argv, {overlapped, overlapped, overlapped}, {.variables = {{"WSL_UTF8", "1"}}});
  if (!child) return std::move(child).error();
  auto state = std::make_shared<State>(port, handler);
  state->child = *std::move(child);
  for (const auto* pipe : {&state->child.input, &state->child.output, &state->child.errors})
    if (auto done = port.associate(pipe->get()); !done) return std::move(done).error();
  if (auto done = state->watch_end(); !done) return std::move(done).error();
  state->read_output();
  state->read_errors();
  return std::unique_ptr<AttachProcess>(new AttachProcess(std::move(state)));
}

AttachProcess::AttachProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}

AttachProcess::~AttachProcess() {
  state_->handler = nullptr;
  state_->last_words.stop();
  state_->watch.reset();
  state_->child = ChildProcess{};
}

std::uint32_t AttachProcess::pid() const { return state_->has_exited ? 0 : state_->child.pid; }

bool AttachProcess::stdio_left() const {
  return state_->has_line && state_->child.input && state_->child.output;
}

std::unique_ptr<Transport> AttachProcess::take_stdio() {
  if (!stdio_left()) return nullptr;
  const auto in = std::make_shared<UniqueHandle>(std::move(state_->child.input));
  const auto out = std::make_shared<UniqueHandle>(std::move(state_->child.output));
  ByteTransport::Calls calls;
  calls.read = [out](char* buffer, DWORD size, OVERLAPPED* overlapped) {
    return begin_read(out->get(), buffer, size, overlapped);
  };
  calls.send = [in](const char* buffer, DWORD size, OVERLAPPED* overlapped) -> DWORD {
    return WriteFile(in->get(), buffer, size, nullptr, overlapped) ? ERROR_SUCCESS : GetLastError();
  };
  calls.close = [in, out] {
    in->reset();
    out->reset();
  };
  return std::make_unique<ByteTransport>(state_->port, std::move(calls), std::move(state_->early));
}

void AttachProcess::end_input() { state_->child.input.reset(); }

Status AttachProcess::State::watch_end() {
  auto started = ProcessWatch::start(child.process.get(), INFINITE,
                                     [&port = port, weak = weak_from_this()](bool) {
                                       port.post([weak] {
                                         if (const auto self = weak.lock()) self->exited();
                                       });
                                     });
  if (!started) return std::move(started).error();
  watch = *std::move(started);
  return Ok{};
}

void AttachProcess::State::read_output() {
  OVERLAPPED* overlapped = reading.begin(shared_from_this(), [this](DWORD error, DWORD bytes) {
    if (handler == nullptr || (error != ERROR_SUCCESS && error != ERROR_MORE_DATA)) return;
    output({output_buffer, bytes});
  });
  reading.began(begin_read(child.output.get(), output_buffer, kReadBuffer, overlapped));
}

void AttachProcess::State::output(std::string_view bytes) {
  auto line = reader.take(bytes);
  if (line && !*line) return read_output();
  const auto alive = shared_from_this();
  say(reader.noise());
  if (handler == nullptr) return;
  if (!line) return handler->on_bad_line(line.error().message);
  has_line = true;
  early = bytes;
  handler->on_line(**line);
}

void AttachProcess::State::read_errors() {
  OVERLAPPED* overlapped =
      reading_errors.begin(shared_from_this(), [this](DWORD error, DWORD bytes) {
        if (handler == nullptr) return;
        if (error == ERROR_SUCCESS || error == ERROR_MORE_DATA)
          return errors({error_buffer, bytes});
        say(std::exchange(partial, {}));
        errors_ended = true;
        tell_end();
      });
  reading_errors.began(begin_read(child.errors.get(), error_buffer, kReadBuffer, overlapped));
}

void AttachProcess::State::errors(std::string_view bytes) {
  // The second byte of a line's end in UTF-16LE.
  if (partial.empty() && bytes.starts_with('\0')) bytes.remove_prefix(1);
  partial += bytes;
  auto end = partial.rfind('\n');
  if (end == std::string::npos && partial.size() > kLineLimit) end = partial.size() - 1;
  if (end != std::string::npos) {
    if (end + 1 < partial.size() && partial[end + 1] == '\0') ++end;
    const auto whole = partial.substr(0, end + 1);
    partial.erase(0, end + 1);
    say(whole);
  }
  if (handler != nullptr) read_errors();
}

void AttachProcess::State::say(std::string_view bytes) {
  for (const auto& line : console_lines(bytes))
    if (handler != nullptr) handler->on_said(line);
}

void AttachProcess::State::exited() {
  if (handler == nullptr) return;
  GetExitCodeProcess(child.process.get(), &exit_code);
  has_exited = true;
  if (!has_line) say(reader.noise());
  last_words.start(kLastWordsMs, [this] {
    errors_ended = true;
    tell_end();
  });
  tell_end();
}

void AttachProcess::State::tell_end() {
  if (!has_exited || !errors_ended) return;
  last_words.stop();
  Handler* told = std::exchange(handler, nullptr);
  if (told != nullptr) told->on_end("it ended with exit code " + std::to_string(exit_code));
}

}  // namespace causeway::shim::link
