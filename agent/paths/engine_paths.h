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
// The engine's files as everybody may name them: "/mnt/engine/etc/x" is its "/etc/x". In the
// engine's root it is a link to "/", so that it says the same there.
inline constexpr std::string_view kEngineFiles = "/mnt/engine";
// The name by which all the world knows dockerd's data. It means the engine's for everybody,
// wherever that lies: docker's documentation and its tools say it.
inline constexpr std::string_view kDockerData = "/var/lib/docker";
inline constexpr const char* kDockerRoot = "/docker";  // dockerd's --data-root, below DATA

// "/mnt/distro/<name>/…" and "/mnt/host/<letter>/…".
std::string share_path(std::string_view distro, std::string_view path);
std::string drive_path(char letter, std::string_view path);

struct SharePath {
  std::string_view distro;
  std::string_view rest;
};
struct DrivePath {
  char letter;  // lower case
  std::string_view rest;
};
// Nothing when the path is no such path; for a share also when the name can be no distro's.
std::optional<SharePath> split_share_path(std::string_view path);
std::optional<DrivePath> split_drive_path(std::string_view path);

// What "/mnt/engine/…" and "/var/lib/docker/…" mean to the engine, and how a path of the engine's
// own is named so. `docker_root` is PathContext's.
std::optional<std::string> split_engine_path(std::string_view path, std::string_view docker_root);
std::string engine_files_path(std::string_view path, std::string_view docker_root);

// Windows' drives as other engines and shells name them, in settings that people bring along:
// Docker Desktop's "/run/desktop/mnt/host/c/…" and "/host_mnt/c/…", Cygwin's "/cygdrive/c/…".
struct ForeignName {
  enum class Kind { drive, wsl, unknown };
  Kind kind = Kind::unknown;  // unknown: nothing of ours has such a name
  char letter = 0;            // of a drive, lower case
  std::string_view rest;      // on the drive, or below <wsl>
};
std::optional<ForeignName> split_foreign_name(std::string_view path);

// Whether a message (dockerd's, runc's) names a path below kShares.
bool mentions_share(std::string_view text);

// The socket of the Docker API, under both names that it goes by.
bool is_docker_socket(std::string_view path);
// The engine's API socket of whomever; `run` is PathContext's.
bool is_api_socket(std::string_view path, std::string_view run);

// The engine's path of what the engine has itself wherever the path comes from: devices, the
// kernel's file systems and modules, WSL's libraries. Nothing for other paths.
std::optional<std::string> engines_own(std::string_view path);
// Whether the path goes through a process: /proc/<pid>, /proc/self, /dev/fd … Who walks it decides
// where it leads: for dockerd that is the engine's root, its sockets, its open files.
bool through_process(std::string_view path);
// Below /dev each distro has its own of these: shared memory, terminals, the log's socket.
bool each_has_its_own(std::string_view path);

// The drive that `path` lies on: the innermost one; null when it lies on none.
const Drive* drive_at(const MountTable& mounts, std::string_view path);

// What stands behind the first `length` characters of `path`; "/" for nothing.
std::string_view rest_or_root(std::string_view path, std::size_t length);

bool is_letter(char c);
char lower_letter(char letter);
char upper_letter(char letter);

}  // namespace causeway::paths
