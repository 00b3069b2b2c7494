// A client of a named pipe that does what go-winio does: it opens the pipe again while it is busy,
// takes ERROR_MORE_DATA for success, ends its writing with a zero-byte message, and takes a
// zero-byte message or a broken pipe for the other side's end.
//
//   pipe_client PIPE MODE [SECONDS [COUNT [BYTES [TEXT]]]]
//
//   echo      COUNT clients at once: each writes TEXT and BYTES of a pattern, half-closes, and
//             wants the same back, with the end behind it
//   slow      the same, but reads 4 KiB every few milliseconds
//   ask       writes TEXT (\n is a newline) and BYTES of the pattern, doesn't half-close; prints
//             what comes until the end
//   finish    as ask, and half-closes behind what it writes
//   drip      as finish, with half a second before each of the BYTES
//   sum       as ask, but prints the sum of all bytes instead of them
//   deaf      writes TEXT and reads nothing
//   hold      as ask, and says "connected" first: for what happens meanwhile
//   leave     COUNT times: writes TEXT and closes at once
//   storm     COUNT clients at once, each as echo over and over for SECONDS, whatever comes of it;
//             prints how many went well and how long the longest took
//   take      serves the pipe itself, for SECONDS, and lets nobody else
//
// One line of JSON per client: how the end came, how many bytes, whether they were right. Exit code
// 0: all were; 1: not; 4: it took longer than SECONDS.
#include <windows.h>
#include <winsock2.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Job {
  std::wstring pipe;
  std::string mode;
  std::string text;
  std::size_t bytes = 0;
};

std::mutex output;
std::atomic<std::size_t> written_bytes{0};  // for who is still at it when the time is over
std::atomic<std::size_t> read_bytes{0};
std::atomic<bool> got_message{false};

char pattern(std::size_t at, unsigned seed) {
  return static_cast<char>((at * 131 + (at >> 8) * 17 + seed) & 0xff);
}

std::string payload(const Job& job, unsigned seed) {
  std::string bytes = job.text;
  const auto start = bytes.size();
  bytes.resize(start + job.bytes);
  for (std::size_t i = start; i < bytes.size(); ++i) bytes[i] = pattern(i, seed);
  return bytes;
}

HANDLE open_pipe(const std::wstring& name) {
  for (;;) {
    const HANDLE pipe = CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                    OPEN_EXISTING, FILE_FLAG_OVERLAPPED, nullptr);
    if (pipe != INVALID_HANDLE_VALUE || GetLastError() != ERROR_PIPE_BUSY) return pipe;
    Sleep(10);  // as go-winio
  }
}

// One overlapped call to its end; the error, and how many bytes.
template <typename Call>
DWORD finish(HANDLE pipe, DWORD* bytes, Call call) {
  OVERLAPPED overlapped{};
  overlapped.hEvent = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  DWORD error = call(&overlapped) ? ERROR_SUCCESS : GetLastError();
  if (error == ERROR_IO_PENDING || error == ERROR_SUCCESS || error == ERROR_MORE_DATA)
    error = GetOverlappedResult(pipe, &overlapped, bytes, TRUE) ? ERROR_SUCCESS : GetLastError();
  CloseHandle(overlapped.hEvent);
  return error;
}

DWORD write_all(HANDLE pipe, std::string_view bytes) {
  constexpr std::size_t kMessage = 32 * 1024;  // io.Copy's buffer
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, kMessage);
    DWORD written = 0;
    const DWORD error = finish(pipe, &written, [&](OVERLAPPED* o) {
      return WriteFile(pipe, part.data(), static_cast<DWORD>(part.size()), nullptr, o);
    });
    if (error != ERROR_SUCCESS) return error;
    bytes.remove_prefix(part.size());
    written_bytes += part.size();
  }
  return ERROR_SUCCESS;
}

DWORD end_write(HANDLE pipe) {
  DWORD written = 0;
  return finish(pipe, &written, [&](OVERLAPPED* o) { return WriteFile(pipe, "", 0, nullptr, o); });
}

struct Heard {
  std::string bytes;
  std::string end;    // "message", "broken" or "error N"
  std::string after;  // what a further read gives, behind a zero-byte message
};

std::string name_of(DWORD error) {
  return error == ERROR_BROKEN_PIPE ? "broken" : "error " + std::to_string(error);
}

Heard read_all(HANDLE pipe, bool slow) {
  Heard heard;
  std::vector<char> buffer(slow ? 4096 : 32 * 1024);
  for (;;) {
    DWORD size = 0;
    const DWORD error = finish(pipe, &size, [&](OVERLAPPED* o) {
      return ReadFile(pipe, buffer.data(), static_cast<DWORD>(buffer.size()), nullptr, o);
    });
    if (error != ERROR_SUCCESS && error != ERROR_MORE_DATA) {
      (heard.end.empty() ? heard.end : heard.after) = name_of(error);
      return heard;
    }
    if (size == 0) {
      heard.end = "message";
      got_message = true;
      continue;  // the handle's end comes next
    }
    heard.bytes.append(buffer.data(), size);
    read_bytes += size;
    if (slow) Sleep(2);
  }
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    char code[8];
    const auto byte = static_cast<unsigned char>(c);
    std::snprintf(code, sizeof code, "\\u%04x", byte);
    if (byte < 0x20 || byte > 0x7e || c == '"' || c == '\\')
      out += code;
    else
      out += c;
  }
  return out + '"';
}

void report(const Heard& heard, bool right, DWORD write_error, bool with_text) {
  const std::lock_guard lock(output);
  std::printf(
      "{\"end\":\"%s\",\"after\":\"%s\",\"bytes\":%zu,\"right\":%s,\"write_error\":%lu%s%s}\n",
      heard.end.c_str(), heard.after.c_str(), heard.bytes.size(), right ? "true" : "false",
      static_cast<unsigned long>(write_error), with_text ? ",\"text\":" : "",
      with_text ? quoted(heard.bytes).c_str() : "");
  std::fflush(stdout);
}

bool run(const Job& job, unsigned seed) {
  const HANDLE pipe = open_pipe(job.pipe);
  if (pipe == INVALID_HANDLE_VALUE) {
    Heard heard;
    heard.end = "no pipe: " + name_of(GetLastError());
    report(heard, false, 0, false);
    return false;
  }
  const bool echoes = job.mode == "echo" || job.mode == "slow";
  const auto sent = payload(job, seed);
  if (job.mode == "leave") {
    const DWORD error = write_all(pipe, sent);
    CloseHandle(pipe);
    return error == ERROR_SUCCESS;
  }
  if (job.mode == "hold") {
    const std::lock_guard lock(output);
    std::printf("{\"connected\":true}\n");
    std::fflush(stdout);
  }
  if (job.mode == "deaf") {
    write_all(pipe, sent);
    Sleep(INFINITE);
  }
  DWORD write_error = ERROR_SUCCESS;
  const bool drips = job.mode == "drip";
  const bool finishes = echoes || drips || job.mode == "finish";
  std::thread writer([&] {
    const auto at_once = drips ? job.text.size() : sent.size();
    write_error = write_all(pipe, std::string_view(sent).substr(0, at_once));
    for (auto at = at_once; at < sent.size() && write_error == ERROR_SUCCESS; ++at) {
      Sleep(500);
      write_error = write_all(pipe, std::string_view(sent).substr(at, 1));
    }
    if (finishes && write_error == ERROR_SUCCESS) write_error = end_write(pipe);
  });
  const auto heard = read_all(pipe, job.mode == "slow");
  writer.join();
  CloseHandle(pipe);
  const bool right = echoes ? heard.bytes == sent && !heard.end.starts_with("error")
                            : heard.end == "broken" || heard.end == "message";
  if (job.mode == "sum") {
    std::uint32_t sum = 0;
    for (const char c : heard.bytes) sum += static_cast<unsigned char>(c);
    std::printf("{\"bytes\":%zu,\"sum\":%lu}\n", heard.bytes.size(),
                static_cast<unsigned long>(sum));
    return right;
  }
  report(heard, right, write_error, !echoes);
  return right;
}

// One echo of a storm: right, or failed by an error, an answer that isn't the echo, or a short one.
bool try_echo(const Job& job, unsigned seed) {
  const HANDLE pipe = open_pipe(job.pipe);
  if (pipe == INVALID_HANDLE_VALUE) return false;
  const auto sent = payload(job, seed);
  std::thread writer([&] {
    if (write_all(pipe, sent) == ERROR_SUCCESS) end_write(pipe);
  });
  const auto heard = read_all(pipe, false);
  writer.join();
  CloseHandle(pipe);
  return heard.bytes == sent && !heard.end.starts_with("error");
}

void storm(const Job& job, unsigned count, unsigned seconds) {
  std::atomic<unsigned> right{0};
  std::atomic<unsigned> failed{0};
  std::atomic<ULONGLONG> longest{0};
  const auto end = GetTickCount64() + seconds * 1000ULL;
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < count; ++i)
    clients.emplace_back([&, i] {
      while (GetTickCount64() < end) {
        const auto start = GetTickCount64();
        ++(try_echo(job, i) ? right : failed);
        const auto took = GetTickCount64() - start;
        for (auto most = longest.load(); took > most && !longest.compare_exchange_weak(most, took);)
          continue;
      }
    });
  for (auto& client : clients) client.join();
  std::printf("{\"right\":%u,\"failed\":%u,\"longest_ms\":%llu}\n", right.load(), failed.load(),
              longest.load());
}

void take(const Job& job, unsigned seconds) {
  const HANDLE pipe =
      CreateNamedPipeW(job.pipe.c_str(), PIPE_ACCESS_DUPLEX,
                       PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, 1, 4096, 4096, 0, nullptr);
  std::printf("{\"taken\":%s}\n", pipe == INVALID_HANDLE_VALUE ? "false" : "true");
  std::fflush(stdout);
  Sleep(seconds * 1000);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  Job job;
  for (const char* c = argv[1]; *c != '\0'; ++c) job.pipe += static_cast<wchar_t>(*c);
  job.mode = argv[2];
  const unsigned seconds = argc > 3 ? static_cast<unsigned>(std::atoi(argv[3])) : 30;
  const unsigned count = argc > 4 ? static_cast<unsigned>(std::atoi(argv[4])) : 1;
  if (argc > 5) job.bytes = static_cast<std::size_t>(std::atoll(argv[5]));
  if (argc > 6) job.text = argv[6];
  for (std::size_t at; (at = job.text.find("\\n")) != std::string::npos;)
    job.text.replace(at, 2, "\n");

  if (job.mode == "take") {
    take(job, seconds);
    return 0;
  }
  const unsigned grace = job.mode == "storm" ? 30 : 0;
  std::thread([seconds, grace] {
    Sleep((seconds + grace) * 1000);
    std::printf(
        "{\"end\":\"timeout\",\"right\":false,\"message\":%s,\"written\":%zu,\"bytes\":%zu}\n",
        got_message ? "true" : "false", written_bytes.load(), read_bytes.load());
    std::fflush(stdout);
    TerminateProcess(GetCurrentProcess(), 4);
  }).detach();
  std::atomic<bool> all{true};
  if (job.mode == "storm") {
    storm(job, count, seconds);
  } else if (job.mode == "leave") {
    for (unsigned i = 0; i < count; ++i)
      if (!run(job, i)) all = false;
  } else {
    std::vector<std::thread> clients;
    for (unsigned i = 0; i < count; ++i)
      clients.emplace_back([&job, &all, i] {
        if (!run(job, i)) all = false;
      });
    for (auto& client : clients) client.join();
  }
  std::fflush(stdout);
  TerminateProcess(GetCurrentProcess(), all ? 0 : 1);
}
