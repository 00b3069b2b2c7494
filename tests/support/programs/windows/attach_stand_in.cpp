// Stands for `wsl.exe … attach`: prints noise as wsl.exe does, then carries its stdin and stdout to
// and from a TCP port on the loopback, where a test plays the agent and prints the line itself.
//
//   attach_stand_in PORT [utf8|utf16|utf16-bom] [stay]
//
// Ends with the connection (exit code 0) or its stdin; `stay`: only with its stdin, as a wsl.exe
// whose Linux process hangs. No connection: says so on stderr, exit code 3.
#include <windows.h>
#include <winsock2.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

void put(HANDLE handle, const char* bytes, std::size_t size) {
  while (size > 0) {
    DWORD written = 0;
    if (!WriteFile(handle, bytes, static_cast<DWORD>(size), &written, nullptr)) return;
    bytes += written;
    size -= written;
  }
}

void print_noise(HANDLE out, const std::string& kind) {
  constexpr wchar_t kText[] =
      L"wsl: Eine localhost-Proxykonfiguration wurde erkannt \u2013 CAUSEWAY\r\n";
  if (kind == "utf16-bom") put(out, "\xff\xfe", 2);
  if (kind.starts_with("utf16"))
    put(out, reinterpret_cast<const char*>(kText), sizeof kText - sizeof kText[0]);
  else if (kind == "utf8") {
    const std::string text = "wsl: a warning \xe2\x80\x93 CAUSEWAY/1 is near\n";
    put(out, text.data(), text.size());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
  const HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
  const bool stay = argc > 3 && std::string(argv[3]) == "stay";
  if (argc > 2) print_noise(out, argv[2]);
  WSADATA data;
  WSAStartup(MAKEWORD(2, 2), &data);
  const SOCKET connection = WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, 0, 0);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  peer.sin_port = htons(static_cast<u_short>(argc > 1 ? std::atoi(argv[1]) : 0));
  if (connect(connection, reinterpret_cast<sockaddr*>(&peer), sizeof peer) != 0) {
    std::fprintf(stderr, "no agent: connection refused\n");
    return 3;
  }
  std::fprintf(stderr, "attached, WSL_UTF8=%s\n", std::getenv("WSL_UTF8"));
  std::thread([&] {
    char bytes[32 * 1024];
    DWORD size = 0;
    while (ReadFile(in, bytes, sizeof bytes, &size, nullptr) && size > 0) {
      for (DWORD sent = 0; sent < size;) {
        const int more = send(connection, bytes + sent, static_cast<int>(size - sent), 0);
        if (more <= 0) break;
        sent += static_cast<DWORD>(more);
      }
    }
    shutdown(connection, SD_SEND);
    if (stay) ExitProcess(0);
  }).detach();
  char bytes[32 * 1024];
  for (int size = 0; (size = recv(connection, bytes, sizeof bytes, 0)) > 0;)
    put(out, bytes, static_cast<std::size_t>(size));
  if (stay) Sleep(INFINITE);
  ExitProcess(0);
}
