#include "supervise/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/file.h"

namespace causeway::supervise {

Status LogFile::open() {
  const auto slash = path_.rfind('/');
  fd_.reset(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd_ && errno == ENOENT && slash != std::string::npos) {
    if (auto made = file::make_directories(path_.substr(0, slash)); !made) return made;
    fd_.reset(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  }
  if (!fd_) return errno_error("open " + path_);
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return errno_error("stat " + path_);
  size_ = static_cast<std::uint64_t>(info.st_size);
  return Ok{};
}

void LogFile::rotate() {
  const auto name = [&](unsigned n) { return n == 0 ? path_ : path_ + "." + std::to_string(n); };
  fd_.reset();
  if (limits_.files <= 1) {
    ::unlink(path_.c_str());
    return;
  }
  for (unsigned n = limits_.files - 1; n > 0; --n) ::rename(name(n - 1).c_str(), name(n).c_str());
}

Status LogFile::prepare(std::size_t bytes) {
  if (!fd_)
    if (auto opened = open(); !opened) return opened;
  if (size_ == 0 || size_ + bytes <= limits_.max_bytes) return Ok{};
  rotate();
  return open();
}

Status LogFile::append(std::string_view bytes, std::size_t& written) {
  written = 0;
  if (!fd_)
    if (auto opened = open(); !opened) return opened;
  while (written < bytes.size()) {
    const ssize_t n = ::write(fd_.get(), bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      auto failed = errno_error("write " + path_);
      fd_.reset();
      return failed;
    }
    written += static_cast<std::size_t>(n);
    size_ += static_cast<std::uint64_t>(n);
  }
  return Ok{};
}

std::string LogFile::tail(std::size_t most) const {
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::string out(std::min<std::uint64_t>(size, most), '\0');
  const ssize_t n =
      ::pread(fd.get(), out.data(), out.size(), static_cast<off_t>(size - out.size()));
  out.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return out;
}

Status LogFile::truncate(std::uint64_t size) {
  if (auto opened = open(); !opened) return opened;
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
    return errno_error("truncate " + path_);
  size_ = size;
  return Ok{};
}

}  // namespace causeway::supervise
