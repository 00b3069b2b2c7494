#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <string>

#include "base/scope_exit.h"

namespace causeway::file {

Result<std::string> read(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return errno_error("open " + path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error("stat " + path);
  if (!S_ISREG(info.st_mode)) return make_error("read " + path + ": not a regular file");
  std::string out;
  std::array<char, 16384> block;
  for (;;) {
    const ssize_t n = ::read(fd.get(), block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read " + path);
    if (n == 0) return out;
    out.append(block.data(), static_cast<std::size_t>(n));
    if (out.size() > limit)
      return make_error("read " + path + ": larger than " + std::to_string(limit) + " bytes");
  }
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return Ok{};
}

Status write_atomic(const std::string& path, std::string_view content, mode_t mode) {
  const std::string temporary = path + ".new";
  UniqueFd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return errno_error("open " + temporary);
  ScopeExit discard([&] { ::unlink(temporary.c_str()); });
  if (auto done = write_all(fd.get(), content); !done)
    return std::move(done).error().with("write " + temporary);
  if (::fchmod(fd.get(), mode) != 0) return errno_error("chmod " + temporary);
  if (::fsync(fd.get()) != 0) return errno_error("fsync " + temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return errno_error("rename to " + path);
  discard.dismiss();
  const auto slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd dir(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir) ::fsync(dir.get());
  return Ok{};
}

Status make_directories(const std::string& path, mode_t mode) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) return errno_error("mkdir " + part);
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno_error("stat " + path);
  if (!S_ISDIR(info.st_mode)) return errno_error("mkdir " + path, ENOTDIR);
  return Ok{};
}

}  // namespace causeway::file
