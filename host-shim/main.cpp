// Parses, runs: nothing else. Linked twice: causeway.exe for the console, causewayw.exe without a
// window of its own for logon (as python.exe and pythonw.exe are): a console program that Windows
// starts at logon would show one.
#include <windows.h>
// shellapi.h wants windows.h before it.
#include <shellapi.h>

#include <string>
#include <vector>

#include "app/command_line.h"
#include "windows/windows_text.h"

int main() {
  using namespace causeway::shim;
  SetConsoleOutputCP(CP_UTF8);
  int count = 0;
  LPWSTR* words = CommandLineToArgvW(GetCommandLineW(), &count);
  std::vector<std::string> arguments;
  for (int i = 1; i < count; ++i) arguments.push_back(to_utf8(words[i]));
  LocalFree(words);
  return app::run_command_line(std::move(arguments));
}
