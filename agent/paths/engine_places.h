// Where the engine has things of others: shares, drives, its own of what every distro has. The path
// map in both directions speaks through these, so that each name is known in one place.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "paths/mount_table.h"

namespace causeway::paths {

// All paths here are clean and absolute; views point into what was given.

// Below these two, shares and drives are attached.
inline constexpr std::string_view kShares = "/mnt/distro";
inline constexpr std::string_view kDrives = "/mnt/host";

// "/mnt/distro/<name>/…" and "/mnt/host/<letter>/…".
std::string share_place(std::string_view distro, std::string_view path);
std::string drive_place(char letter, std::string_view path);

struct SharePlace {
  std::string_view distro;
  std::string_view rest;
};
struct DrivePlace {
  char letter;  // lower case
  std::string_view rest;
};
// Nothing when the path is no such place; for a share also when the name can be no distro's.
std::optional<SharePlace> split_share_place(std::string_view path);
std::optional<DrivePlace> split_drive_place(std::string_view path);

// Whether a message (dockerd's, runc's) names a path below kShares.
bool mentions_share(std::string_view text);

// The socket of the Docker API, under both names that it goes by.
bool is_docker_socket(std::string_view path);
// The engine's API socket of whomever; `run` is World's.
bool is_api_socket(std::string_view path, std::string_view run);

// The engine's path of what the engine has itself wherever the path comes from: devices, the
// kernel's file systems and modules, WSL's libraries. Nothing for other paths.
std::optional<std::string> engines_own(std::string_view path);

// The drive that `path` lies on: the innermost one; null when it lies on none.
const Drive* drive_at(const MountTable& mounts, std::string_view path);

// What stands behind the first `length` characters of `path`; "/" for nothing.
std::string_view rest_or_root(std::string_view path, std::size_t length);

bool is_letter(char c);
char lower_letter(char letter);
char upper_letter(char letter);

}  // namespace causeway::paths
