#include "shares/plain_paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "base/unique_fd.h"
#include "mounts/open_in_root.h"

namespace causeway::shares {
namespace {

UniqueFd open_plain(int root, const std::string& path) {
  auto fd = mounts::open_in_root(root, path, mounts::Lookup::cached, O_PATH);
  return fd ? *std::move(fd) : UniqueFd();
}

// Whether it lies on that disk, without asking the file system.
bool is_on(int fd, std::string_view device) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &info) != 0) return false;
  return std::to_string(info.stx_dev_major) + ":" + std::to_string(info.stx_dev_minor) == device;
}

std::string_view parent_of(std::string_view path) { return path.substr(0, path.rfind('/')); }

// A name in a directory of the distro's own disk: there, and no link (readlink(2) says EINVAL).
// What is mounted there, if anything is, is no link either.
bool is_plain_name(int directory, const char* name) {
  std::array<char, 1> text{};
  return ::readlinkat(directory, name, text.data(), text.size()) < 0 && errno == EINVAL;
}

struct FileAt {
  std::uint64_t mount = 0;
  mode_t mode = 0;
};
std::optional<FileAt> look(int root, const std::string& path) {
  const UniqueFd fd = open_plain(root, path);
  struct statx info {};
  if (!fd || ::statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID,
                     &info) != 0)
    return std::nullopt;
  return FileAt{info.stx_mnt_id, info.stx_mode};
}

}  // namespace

bool is_own_below_dev(int root, const std::string& path) {
  const auto dev = look(root, "/dev");
  if (!dev) return false;
  const auto file = look(root, path);
  if (!file || file->mount != dev->mount) return true;
  return !S_ISCHR(file->mode) && !S_ISBLK(file->mode) && !S_ISDIR(file->mode);
}

std::vector<bool> find_plain(int root, std::string_view device,
                             const std::vector<std::string>& paths) {
  std::vector<bool> out(paths.size());
  // Many sources of one directory are the rule: it is opened once, and each name costs one call.
  std::string_view folder;
  UniqueFd directory;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto parent = parent_of(paths[i]);
    const bool again = directory && parent == folder;
    const bool next = i + 1 < paths.size() && parent_of(paths[i + 1]) == parent;
    if (!again && next && !parent.empty()) {
      folder = parent;
      directory = open_plain(root, std::string(parent));
      if (directory && !is_on(directory.get(), device)) directory.reset();
    }
    if (directory && parent == folder) {
      out[i] = is_plain_name(directory.get(), paths[i].c_str() + parent.size() + 1);
    } else {
      out[i] = static_cast<bool>(open_plain(root, paths[i]));
    }
  }
  return out;
}

}  // namespace causeway::shares
