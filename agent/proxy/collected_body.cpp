#include "proxy/collected_body.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/file.h"

namespace causeway::proxy {
namespace {

// O_TMPFILE where the file system has it (overlayfs has it since Linux 6.3), else a name for a
// moment.
Result<UniqueFd> open_unnamed(const std::string& directory) {
  UniqueFd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file && (errno == EOPNOTSUPP || errno == EISDIR)) {
    std::string name = directory + "/.request-XXXXXX";
    file.reset(::mkostemp(name.data(), O_CLOEXEC));
    if (file) ::unlink(name.c_str());
  }
  if (!file) return errno_error("make a temporary file in " + directory);
  return file;
}

}  // namespace

// What counts is the memory that is taken, which is more than what is in it.
bool CollectedBody::fits_memory(std::size_t more) {
  const std::size_t size = memory_.size() + more;
  if (size > in_memory_) return false;
  if (size <= memory_.capacity()) return true;
  const std::size_t wanted = std::min(in_memory_, std::max(size, 2 * memory_.capacity()));
  if (!of_memory_.set(wanted)) return false;
  memory_.reserve(wanted);
  return true;
}

Result<bool> CollectedBody::append(std::string_view bytes) {
  if (!file_ && fits_memory(bytes.size())) {
    memory_.append(bytes);
    size_ += bytes.size();
    return true;
  }
  if (!of_disk_.set(size_ + bytes.size())) return false;
  if (!file_) {
    if (auto moved = move_to_file(); !moved.ok()) return std::move(moved).error();
  }
  if (auto written = write(bytes); !written.ok()) return std::move(written).error();
  size_ += bytes.size();
  return true;
}

Status CollectedBody::move_to_file() {
  auto file = open_unnamed(directory_);
  if (!file.ok()) return std::move(file).error();
  file_ = std::move(*file);
  const std::string bytes = std::exchange(memory_, {});
  of_memory_.set(0);
  return write(bytes);
}

// Without a look at the disk: the page cache takes it, and the pages of a file that is gone soon
// are seldom written at all.
Status CollectedBody::write(std::string_view bytes) {
  auto written = file::write_all(file_.get(), bytes);
  if (!written.ok()) {
    return std::move(written).error().with("write a temporary file in " + directory_);
  }
  return Ok{};
}

Status CollectedBody::read(std::uint64_t begin, std::size_t length, std::string& out) const {
  if (!file_) {
    out.append(memory_, begin, length);
    return Ok{};
  }
  const std::size_t before = out.size();
  out.resize(before + length);
  for (std::size_t at = 0; at < length;) {
    const ssize_t n =
        ::pread(file_.get(), out.data() + before + at, length - at, static_cast<off_t>(begin + at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read a temporary file in " + directory_);
    if (n == 0) return make_error("a temporary file in " + directory_ + " has become shorter");
    at += static_cast<std::size_t>(n);
  }
  return Ok{};
}

}  // namespace causeway::proxy
