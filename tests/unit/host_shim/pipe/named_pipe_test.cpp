#include "pipe/named_pipe.h"

#include <doctest/doctest.h>

#include <aclapi.h>
#include <sddl.h>

#include <string>
#include <thread>

#include "windows/windows_text.h"

using namespace causeway;
using namespace causeway::shim;
using namespace causeway::shim::pipe;

namespace {

std::string own_name(const char* tail) {
  return R"(\\.\pipe\causeway_test.)" + std::to_string(GetCurrentProcessId()) + "." + tail;
}

HANDLE connect(const std::string& name) {
  return CreateFileW(to_wide(name).c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                     0, nullptr);
}

// A blocking read of a client: text, "<eof>" for a zero-byte message, "<ERROR>" for an error.
std::string read(HANDLE pipe) {
  char buffer[256];
  DWORD size = 0;
  if (!ReadFile(pipe, buffer, sizeof buffer, &size, nullptr) && GetLastError() != ERROR_MORE_DATA)
    return "<" + std::to_string(GetLastError()) + ">";
  return size == 0 ? "<eof>" : std::string(buffer, size);
}

// Records what it is told.
struct Told : PipeClient::Handler {
  explicit Told(CompletionPort& owner) : port(owner) {}
  void on_data(std::string_view bytes) override { text += bytes; }
  void on_eof() override {
    text += "<eof>";
    if (at_eof) at_eof();
  }
  void on_written(std::size_t bytes) override { written += bytes; }
  void on_gone() override {
    text += "<gone>";
    port.stop();
  }
  CompletionPort& port;
  std::string text;
  std::size_t written = 0;
  std::function<void()> at_eof;
};

}  // namespace

TEST_CASE("host_shim/pipe/named_pipe: data, both half-closes, and the close behind them") {
  CompletionPort port;
  const auto security = PipeSecurity::for_this_user();
  REQUIRE(security.ok());
  const auto name = own_name("half");
  std::shared_ptr<PipeClient> client;
  Told told(port);
  PipeServer server(port, *security, {.name = name}, [&](std::shared_ptr<PipeClient> accepted) {
    client = std::move(accepted);
    client->start(&told);
  });
  REQUIRE(server.start().ok());
  told.at_eof = [&] {
    client->write("answer");
    client->end_write();
    client->close();
    client.reset();
  };
  std::string heard;
  const std::string big(200'000, 'x');  // read in pieces: more data than a read takes
  std::thread peer([&] {
    const HANDLE pipe = connect(name);
    DWORD size = 0;
    WriteFile(pipe, big.data(), static_cast<DWORD>(big.size()), &size, nullptr);
    WriteFile(pipe, "end", 3, &size, nullptr);
    WriteFile(pipe, "", 0, &size, nullptr);
    for (int i = 0; i < 3; ++i) heard += read(pipe);
    CloseHandle(pipe);
    port.stop();
  });
  port.run();
  peer.join();
  CHECK(told.text == big + "end<eof>");
  CHECK(heard == "answer<eof><109>");  // ERROR_BROKEN_PIPE
  CHECK(server.clients() == 0);
}

TEST_CASE("host_shim/pipe/named_pipe: what isn't read survives a close, not an abort") {
  for (const bool aborts : {false, true}) {
    CompletionPort port;
    const auto security = PipeSecurity::for_this_user();
    REQUIRE(security.ok());
    const auto name = own_name("close");
    Told told(port);
    std::shared_ptr<PipeClient> client;
    PipeServer server(port, *security, {.name = name}, [&](std::shared_ptr<PipeClient> accepted) {
      client = std::move(accepted);
      client->start(&told);
    });
    REQUIRE(server.start().ok());
    std::string heard;
    HANDLE written = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    told.at_eof = [&] {
      client->write("last words");
      port.after(50, [&] {  // it is in the pipe by then
        if (aborts)
          client->abort();
        else
          client->close();
        SetEvent(written);
      });
    };
    std::thread peer([&] {
      const HANDLE pipe = connect(name);
      DWORD size = 0;
      WriteFile(pipe, "", 0, &size, nullptr);
      WaitForSingleObject(written, INFINITE);
      heard = read(pipe);
      if (!heard.starts_with("<")) heard += read(pipe);
      CloseHandle(pipe);
      port.stop();
    });
    port.run();
    peer.join();
    CloseHandle(written);
    CHECK(heard == (aborts ? "<233>" : "last words<109>"));  // ERROR_PIPE_NOT_CONNECTED
  }
}

TEST_CASE("host_shim/pipe/named_pipe: a client that has left, also before it was accepted") {
  CompletionPort port;
  const auto security = PipeSecurity::for_this_user();
  REQUIRE(security.ok());
  const auto name = own_name("left");
  Told told(port);
  std::shared_ptr<PipeClient> client;
  PipeServer server(port, *security, {.name = name}, [&](std::shared_ptr<PipeClient> accepted) {
    client = std::move(accepted);
    client->start(&told);
  });
  REQUIRE(server.start().ok());
  const HANDLE pipe = connect(name);  // the loop doesn't run yet
  REQUIRE(pipe != INVALID_HANDLE_VALUE);
  DWORD size = 0;
  WriteFile(pipe, "bye", 3, &size, nullptr);
  CloseHandle(pipe);
  port.run();
  CHECK(told.text == "bye<gone>");
  CHECK(server.clients() == 0);
}

TEST_CASE(
    "host_shim/pipe/named_pipe: the number of clients is bounded, and one that leaves makes room") {
  CompletionPort port;
  const auto security = PipeSecurity::for_this_user();
  REQUIRE(security.ok());
  const auto name = own_name("bound");
  Told told(port);
  std::vector<std::shared_ptr<PipeClient>> clients;
  PipeServer server(
      port, *security, {.name = name, .pending = 2, .most_clients = 3},
      [&](std::shared_ptr<PipeClient> accepted) { clients.push_back(std::move(accepted)); });
  REQUIRE(server.start().ok());
  bool refused = false;
  bool let_in = false;
  std::thread peer([&] {
    HANDLE pipes[3];
    for (auto& pipe : pipes)
      while ((pipe = connect(name)) == INVALID_HANDLE_VALUE)
        WaitNamedPipeW(to_wide(name).c_str(), 1000);
    refused = connect(name) == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY;
    port.post([&] {
      clients.front()->close();
      clients.front().reset();
    });
    HANDLE next = INVALID_HANDLE_VALUE;
    while ((next = connect(name)) == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY)
      WaitNamedPipeW(to_wide(name).c_str(), 1000);
    let_in = next != INVALID_HANDLE_VALUE;
    for (auto& pipe : pipes) CloseHandle(pipe);
    CloseHandle(next);
    port.post([&] { port.stop(); });
  });
  port.run();
  peer.join();
  CHECK(refused);
  CHECK(let_in);
}

TEST_CASE("host_shim/pipe/named_pipe: a name that another program serves") {
  const auto name = own_name("taken");
  const HANDLE other =
      CreateNamedPipeW(to_wide(name).c_str(), PIPE_ACCESS_DUPLEX,
                       PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, 1, 4096, 4096, 0, nullptr);
  REQUIRE(other != INVALID_HANDLE_VALUE);
  CompletionPort port;
  const auto security = PipeSecurity::for_this_user();
  REQUIRE(security.ok());
  {
    PipeServer server(port, *security, {.name = name}, [](auto) {});
    const auto started = server.start();
    REQUIRE_FALSE(started.ok());
    CHECK(PipeServer::taken(started.error()));
  }
  CloseHandle(other);
  PipeServer server(port, *security, {.name = name}, [](auto) {});
  CHECK(server.start().ok());
}

TEST_CASE("host_shim/pipe/named_pipe: SYSTEM, Administrators and this user, nobody else") {
  CompletionPort port;
  const auto security = PipeSecurity::for_this_user();
  REQUIRE(security.ok());
  const auto name = own_name("sddl");
  PipeServer server(port, *security, {.name = name}, [](auto) {});
  REQUIRE(server.start().ok());
  const HANDLE pipe = CreateFileW(to_wide(name).c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                  OPEN_EXISTING, 0, nullptr);
  REQUIRE(pipe != INVALID_HANDLE_VALUE);
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  REQUIRE(GetSecurityInfo(pipe, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, nullptr, nullptr,
                          nullptr, nullptr, &descriptor) == ERROR_SUCCESS);
  wchar_t* text = nullptr;
  REQUIRE(ConvertSecurityDescriptorToStringSecurityDescriptorW(
      descriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text, nullptr));
  CHECK(to_utf8(text) == security->sddl());
  CHECK(security->sddl().starts_with("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;S-1-"));
  LocalFree(text);
  LocalFree(descriptor);
  CloseHandle(pipe);
}
