#include "distro/account_files.h"

#include <fcntl.h>

#include <cerrno>

namespace causeway::distro {
namespace {

// Made by the first program that locks; where it isn't, none does, and we leave none behind.
constexpr const char* kLockPath = "/etc/.pwd.lock";
constexpr int kTries = 8;

// The descriptor holds the lock; none when there is nothing to lock.
Result<UniqueFd> lock(const RootFiles& files) {
  auto fd = files.open_at(kLockPath, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) {
    if (fd.error().code == ENOENT) return UniqueFd();
    return std::move(fd).error();
  }
  // The open file's lock also excludes the others' process locks (fcntl(2), "Open file
  // description locks"), and goes with the descriptor.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd->get(), F_OFD_SETLK, &whole) == 0) return fd;
  if (errno == EAGAIN || errno == EACCES)
    return Error{std::string(kLockPath) + " is locked: another program changes accounts", EAGAIN};
  return errno_error(std::string("lock ") + kLockPath);
}

}  // namespace

Result<bool> edit_account_file(const RootFiles& files, const std::string& path,
                               const AccountEdit& edit) {
  const auto locked = lock(files);
  if (!locked) return locked.error();
  for (int i = 0;; ++i) {
    auto text = files.read(path);
    if (!text) return std::move(text).error();
    auto changed = edit(*text);
    if (!changed) return std::move(changed).error();
    if (!*changed) return false;
    auto done = files.replace(path, *text, **changed);
    if (done) return true;
    if (done.error().code != EAGAIN || i == kTries) return std::move(done).error();
  }
}

}  // namespace causeway::distro
