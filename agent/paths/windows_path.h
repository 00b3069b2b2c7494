// The forms in which Windows and its programs write paths. Pure text: which drives and distros
// exist is the path map's business.
//
// Rules: "File path formats on Windows systems" and "Naming files, paths, and namespaces" at
// learn.microsoft.com; //c/x is what MSYS and Git Bash make of C:\x.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace causeway::paths {

struct WindowsPath {
  enum class Kind {
    none,     // not a form of Windows
    drive,    // `letter` (lower case) and `rest`
    distro,   // \\wsl$\NAME\… or \\wsl.localhost\NAME\…: `distro` as written, and `rest`
    refused,  // `reason`
  };
  Kind kind = Kind::none;
  char letter = 0;
  std::string_view distro;  // a part of the text that was parsed
  std::string rest;         // clean, with slashes, beginning with one: no ".." leaves the drive
  std::string reason;
};

WindowsPath parse_windows_path(std::string_view text);

// How many characters at the beginning of `text` name a drive ("C:", "\\?\C:"), so that the colon
// among them ends nothing; 0 when there is no drive.
std::size_t drive_prefix_length(std::string_view text);

// Whether `bind` is what MSYS (Git Bash) makes of "/c/src:/app" when it hands it to docker.exe: a
// list of Windows' paths, "C:\src;C:\Program Files\Git\app".
bool is_path_list(std::string_view bind);

// "C:\x\y" and "\\wsl.localhost\NAME\x\y"; nothing when Windows has no such names (a colon, a
// trailing dot …). `path` is clean and absolute.
std::optional<std::string> windows_drive_path(char letter, std::string_view path);
std::optional<std::string> windows_distro_path(std::string_view distro, std::string_view path);

}  // namespace causeway::paths
