// Stands for wsl.exe: has a simulated WSL VM run what real wsl.exe has WSL run. It prints noise as
// wsl.exe does, in UTF-16 with a mark, then is the command's input, output, errors and exit code.
//
// wsl_stand_in.txt beside it says where the VM's side listens
// (tests/support/windows/wsl_service.py), and with which word it lets us in: "PORT TOKEN". Two
// connections, because the input and the output end apart:
//
//   talk  ──▶ "talk TOKEN KEY SIZE\n" and the arguments, each ended by a NUL
//         ◀── 'E' SIZE bytes: standard error; 'X' CODE: the command has ended
//   data  ──▶ "data TOKEN KEY\n", then the input; half-closed at its end
//         ◀── the output, up to its end
#include <windows.h>
#include <winsock2.h>
// shellapi.h wants windows.h before it.
#include <shellapi.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

namespace {

constexpr int kLost = 1;
constexpr std::size_t kPiece = std::size_t{128} * 1024;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "wsl.exe stand-in: %s\n", what);
  std::fflush(stderr);
  ExitProcess(kLost);
}

void put(DWORD which, const char* bytes, std::size_t size) {
  const HANDLE handle = GetStdHandle(which);
  while (size > 0) {
    DWORD written = 0;
    if (!WriteFile(handle, bytes, static_cast<DWORD>(size), &written, nullptr)) return;
    bytes += written;
    size -= written;
  }
}

bool send_all(SOCKET connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const int sent = send(connection, bytes.data(), static_cast<int>(bytes.size()), 0);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(SOCKET connection, char* bytes, std::size_t size) {
  while (size > 0) {
    const int got = recv(connection, bytes, static_cast<int>(size), 0);
    if (got <= 0) return false;
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

std::string utf8(const wchar_t* text) {
  const int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
  std::string out(static_cast<std::size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, -1, out.data(), size, nullptr, nullptr);
  return out;  // with its NUL
}

struct Place {
  unsigned short port = 0;
  std::string token;
};

Place find_service() {
  std::wstring path(MAX_PATH, L'\0');
  path.resize(GetModuleFileNameW(nullptr, path.data(), MAX_PATH));
  path.resize(path.rfind(L'\\') + 1);
  std::ifstream file((utf8((path + L"wsl_stand_in.txt").c_str())).c_str());
  Place place;
  if (!(file >> place.port >> place.token)) fail("wsl_stand_in.txt is missing beside it");
  return place;
}

SOCKET connect_to(unsigned short port) {
  const SOCKET connection = WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, 0, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail("there is no WSL: nobody listens for it");
  return connection;
}

void print_noise() {
  constexpr wchar_t kText[] =
      L"\ufeffwsl: Eine localhost-Proxykonfiguration wurde erkannt \u2013 CAUSEWAY\r\n";
  put(STD_OUTPUT_HANDLE, reinterpret_cast<const char*>(kText), sizeof kText - sizeof kText[0]);
}

void carry_input(SOCKET data) {
  std::string bytes(kPiece, '\0');
  DWORD size = 0;
  const HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
  while (ReadFile(in, bytes.data(), static_cast<DWORD>(bytes.size()), &size, nullptr) && size > 0)
    if (!send_all(data, {bytes.data(), size})) return;
  shutdown(data, SD_SEND);
}

// Until the command has ended: its exit code.
unsigned hear(SOCKET talk) {
  for (;;) {
    char head[5];
    if (!receive_all(talk, head, sizeof head)) fail("the VM is gone");
    unsigned number = 0;
    for (int i = 1; i < 5; ++i) number = number << 8 | static_cast<unsigned char>(head[i]);
    if (head[0] == 'X') return number;
    std::string text(number, '\0');
    if (!receive_all(talk, text.data(), text.size())) fail("the VM is gone");
    put(STD_ERROR_HANDLE, text.data(), text.size());
  }
}

}  // namespace

int main() {
  int argc = 0;
  wchar_t** argv = CommandLineToArgvW(GetCommandLineW(), &argc);
  std::string arguments;
  bool runs_something = false;
  for (int i = 1; i < argc; ++i) {
    arguments += utf8(argv[i]);
    runs_something = runs_something || std::wstring_view(argv[i]) == L"--exec";
  }
  const Place place = find_service();
  WSADATA windows_sockets;
  WSAStartup(MAKEWORD(2, 2), &windows_sockets);
  const std::string key =
      std::to_string(GetCurrentProcessId()) + "." + std::to_string(GetTickCount64());
  const SOCKET talk = connect_to(place.port);
  const SOCKET data = connect_to(place.port);
  if (!send_all(talk, "talk " + place.token + " " + key + " " + std::to_string(arguments.size()) +
                          "\n" + arguments) ||
      !send_all(data, "data " + place.token + " " + key + "\n"))
    fail("the VM is gone");
  if (runs_something) print_noise();
  std::thread(carry_input, data).detach();
  unsigned code = 0;
  std::thread listener([&] { code = hear(talk); });
  std::string bytes(kPiece, '\0');
  for (int size = 0; (size = recv(data, bytes.data(), static_cast<int>(bytes.size()), 0)) > 0;)
    put(STD_OUTPUT_HANDLE, bytes.data(), static_cast<std::size_t>(size));
  listener.join();
  ExitProcess(code);
}
