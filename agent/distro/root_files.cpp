#include "distro/root_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <utility>

#include "base/file.h"
#include "base/scope_exit.h"

namespace causeway::distro {
namespace {

// Beside the file, in a directory that others may write: opened with O_EXCL, so that nothing
// planted is taken. What a killed helper left is removed first.
std::string temporary_of(const std::string& name) { return "." + name + ".causeway-new"; }

// All extended attributes: SELinux labels and ACLs among them. File systems without any are fine.
Status copy_attributes(int from, int to) {
  std::string names(std::size_t{64} * 1024, 0);
  const ssize_t size = ::flistxattr(from, names.data(), names.size());
  if (size < 0) return errno == ENOTSUP ? Status(Ok{}) : errno_error("list extended attributes");
  std::string value(std::size_t{64} * 1024, 0);
  for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
    const std::string name = names.c_str() + at;
    at += name.size() + 1;
    const ssize_t length = ::fgetxattr(from, name.c_str(), value.data(), value.size());
    if (length < 0) return errno_error("read extended attribute " + name);
    if (::fsetxattr(to, name.c_str(), value.data(), static_cast<std::size_t>(length), 0) != 0 &&
        errno != ENOTSUP)
      return errno_error("set extended attribute " + name);
  }
  return Ok{};
}

void sync_directory(int directory) {
  const UniqueFd fd(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());
}

}  // namespace

Result<RootFiles> RootFiles::open(const std::string& root) {
  UniqueFd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_error("open " + root);
  return RootFiles(std::move(fd), mounts::Lookup::in_root);
}

Result<RootFiles> RootFiles::home(const std::string& path) const {
  auto fd = open_at(path, O_PATH | O_DIRECTORY);
  if (!fd) return std::move(fd).error();
  return RootFiles(*std::move(fd), mounts::Lookup::beneath);
}

Result<UniqueFd> RootFiles::open_at(const std::string& path, int flags) const {
  return mounts::open_in_root(fd_.get(), path, lookup_, static_cast<std::uint64_t>(flags));
}

Result<RootFiles::Entry> RootFiles::entry(const std::string& path) const {
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? "" : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return make_error(path + ": not a file's path");
  auto directory = open_at(path.substr(0, slash + 1), O_PATH | O_DIRECTORY);
  if (!directory) return std::move(directory).error();
  return Entry{*std::move(directory), name};
}

Result<std::optional<struct stat>> RootFiles::look(const std::string& path) const {
  const auto at = entry(path);
  if (!at) {
    if (at.error().code == ENOENT) return std::optional<struct stat>();
    return at.error();
  }
  struct stat info {};
  if (::fstatat(at->directory.get(), at->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
    return std::optional(info);
  if (errno == ENOENT) return std::optional<struct stat>();
  return errno_error("stat " + path);
}

Result<std::string> RootFiles::read(const std::string& path, std::size_t limit) const {
  const auto at = entry(path);
  if (!at) return at.error();
  const UniqueFd fd(::openat(at->directory.get(), at->name.c_str(),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno == ELOOP) return make_error(path + " is a link");
  if (!fd) return errno_error("open " + path);
  auto content = file::read("/proc/self/fd/" + std::to_string(fd.get()), limit);
  if (!content) return std::move(content).error().with(path);
  return content;
}

Result<std::string> RootFiles::read_followed(const std::string& path, std::size_t limit) const {
  const auto fd = open_at(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return fd.error();
  auto content = file::read("/proc/self/fd/" + std::to_string(fd->get()), limit);
  if (!content) return std::move(content).error().with(path);
  return content;
}

Result<std::string> RootFiles::read_link(const std::string& path) const {
  const auto at = entry(path);
  if (!at) return at.error();
  std::array<char, PATH_MAX> target{};
  const ssize_t size =
      ::readlinkat(at->directory.get(), at->name.c_str(), target.data(), target.size());
  if (size < 0) return errno_error("read the link " + path);
  return std::string(target.data(), static_cast<std::size_t>(size));
}

Result<std::vector<std::string>> RootFiles::list(const std::string& path) const {
  auto fd = open_at(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::move(fd).error();
  DIR* stream = ::fdopendir(fd->get());
  if (stream == nullptr) return errno_error("list " + path);
  fd->release();
  const ScopeExit close([&] { ::closedir(stream); });
  std::vector<std::string> out;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Status RootFiles::make_directory(const std::string& path, mode_t mode) const {
  const auto at = entry(path);
  if (!at) return at.error();
  if (::mkdirat(at->directory.get(), at->name.c_str(), mode) != 0)
    return errno_error("mkdir " + path);
  // Not what the umask leaves. Only the owner of the directory above could have put another one
  // here meanwhile, and this follows no link.
  const UniqueFd made(::openat(at->directory.get(), at->name.c_str(),
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made || ::fchmod(made.get(), mode) != 0) return errno_error("chmod " + path);
  return Ok{};
}

Status RootFiles::make_link(const std::string& path, const std::string& target) const {
  const auto at = entry(path);
  if (!at) return at.error();
  if (::symlinkat(target.c_str(), at->directory.get(), at->name.c_str()) != 0)
    return errno_error("link " + path);
  return Ok{};
}

Status RootFiles::replace_link(const std::string& path, const std::string& target) const {
  const auto at = entry(path);
  if (!at) return at.error();
  const std::string temporary = temporary_of(at->name);
  const int directory = at->directory.get();
  if (::unlinkat(directory, temporary.c_str(), 0) != 0 && errno != ENOENT)
    return errno_error("remove " + temporary);
  if (::symlinkat(target.c_str(), directory, temporary.c_str()) != 0)
    return errno_error("link " + path);
  if (::renameat(directory, temporary.c_str(), directory, at->name.c_str()) == 0) return Ok{};
  const int code = errno;
  ::unlinkat(directory, temporary.c_str(), 0);
  return errno_error("rename to " + path, code);
}

// `like`: a descriptor whose owner, mode and attributes the file gets; -1: none, `mode` counts.
Status RootFiles::write_temporary(const Entry& entry, const std::string& name,
                                  std::string_view content, mode_t mode, int like) const {
  const int directory = entry.directory.get();
  if (::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT)
    return errno_error("remove " + name);
  const UniqueFd fd(::openat(directory, name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno_error("create " + name);
  if (auto done = file::write_all(fd.get(), content); !done)
    return std::move(done).error().with(name);
  if (like >= 0) {
    struct stat info {};
    if (::fstat(like, &info) != 0) return errno_error("stat");
    // The owner first: changing it takes away set-uid bits.
    if (::fchown(fd.get(), info.st_uid, info.st_gid) != 0) return errno_error("chown " + name);
    mode = info.st_mode & 07777;
  }
  if (::fchmod(fd.get(), mode) != 0) return errno_error("chmod " + name);
  if (like >= 0) {
    if (auto done = copy_attributes(like, fd.get()); !done)
      return std::move(done).error().with(name);
  }
  if (::fsync(fd.get()) != 0) return errno_error("fsync " + name);
  return Ok{};
}

Status RootFiles::create(const std::string& path, std::string_view content, mode_t mode) const {
  const auto at = entry(path);
  if (!at) return at.error();
  const std::string temporary = temporary_of(at->name);
  const int directory = at->directory.get();
  ScopeExit discard([&] { ::unlinkat(directory, temporary.c_str(), 0); });
  if (auto done = write_temporary(*at, temporary, content, mode, -1); !done)
    return std::move(done).error().with("create " + path);
  if (::renameat2(directory, temporary.c_str(), directory, at->name.c_str(), RENAME_NOREPLACE) != 0)
    return errno_error("create " + path);
  discard.dismiss();
  sync_directory(directory);
  return Ok{};
}

Status RootFiles::put(const std::string& path, std::string_view content, mode_t mode) const {
  const auto at = entry(path);
  if (!at) return at.error();
  const std::string temporary = temporary_of(at->name);
  const int directory = at->directory.get();
  ScopeExit discard([&] { ::unlinkat(directory, temporary.c_str(), 0); });
  if (auto done = write_temporary(*at, temporary, content, mode, -1); !done)
    return std::move(done).error().with("write " + path);
  if (::renameat(directory, temporary.c_str(), directory, at->name.c_str()) != 0)
    return errno_error("rename to " + path);
  discard.dismiss();
  sync_directory(directory);
  return Ok{};
}

void RootFiles::remove_temporary(const std::string& path) const {
  if (const auto at = entry(path))
    ::unlinkat(at->directory.get(), temporary_of(at->name).c_str(), 0);
}

Status RootFiles::replace(const std::string& path, std::string_view expected,
                          std::string_view content) const {
  const auto at = entry(path);
  if (!at) return at.error();
  const int directory = at->directory.get();
  const UniqueFd old(
      ::openat(directory, at->name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!old) return errno_error("open " + path);
  const std::string temporary = temporary_of(at->name);
  ScopeExit discard([&] { ::unlinkat(directory, temporary.c_str(), 0); });
  if (auto done = write_temporary(*at, temporary, content, 0, old.get()); !done)
    return std::move(done).error().with("write " + path);
  // As late as possible: nothing can compare and rename in one step.
  const auto now = read(path, expected.size() + 1);
  struct stat before {};
  struct stat after {};
  if (!now || *now != expected || ::fstat(old.get(), &before) != 0 ||
      ::fstatat(directory, at->name.c_str(), &after, AT_SYMLINK_NOFOLLOW) != 0 ||
      before.st_dev != after.st_dev || before.st_ino != after.st_ino)
    return Error{path + " was changed by somebody else at the same time", EAGAIN};
  if (::renameat(directory, temporary.c_str(), directory, at->name.c_str()) != 0)
    return errno_error("rename to " + path);
  discard.dismiss();
  sync_directory(directory);
  return Ok{};
}

Status RootFiles::remove(const std::string& path) const {
  const auto at = entry(path);
  if (!at) return at.error().code == ENOENT ? Status(Ok{}) : Status(at.error());
  if (::unlinkat(at->directory.get(), at->name.c_str(), 0) != 0 && errno != ENOENT)
    return errno_error("remove " + path);
  sync_directory(at->directory.get());
  return Ok{};
}

Status RootFiles::remove_directory(const std::string& path) const {
  const auto at = entry(path);
  if (!at) return at.error().code == ENOENT ? Status(Ok{}) : Status(at.error());
  if (::unlinkat(at->directory.get(), at->name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return errno_error("remove " + path);
  return Ok{};
}

// The group first while still allowed, the user first on the way back.
AsUser::AsUser(uid_t uid, gid_t gid) {
  ::setfsgid(gid);
  ::setfsuid(uid);
}

AsUser::~AsUser() {
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
}

}  // namespace causeway::distro
