#include "shares/plain_paths.h"

#include <fcntl.h>
#include <sys/stat.h>

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

std::string_view parent_of(std::string_view path) { return path.substr(0, path.rfind('/')); }

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

std::vector<bool> find_plain(int root, const std::vector<std::string>& paths) {
  std::vector<bool> out(paths.size());
  // Many sources of one directory are the rule: it is opened once, and no name costs the whole way.
  std::string_view folder;
  UniqueFd directory;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto parent = parent_of(paths[i]);
    const bool again = directory && parent == folder;
    const bool next = i + 1 < paths.size() && parent_of(paths[i + 1]) == parent;
    if (!again && next && !parent.empty()) {
      folder = parent;
      directory = open_plain(root, std::string(parent));
    }
    if (directory && parent == folder) {
      out[i] = static_cast<bool>(open_plain(directory.get(), paths[i].substr(parent.size() + 1)));
    } else {
      out[i] = static_cast<bool>(open_plain(root, paths[i]));
    }
  }
  return out;
}

}  // namespace causeway::shares
