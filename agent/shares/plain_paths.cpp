#include "shares/plain_paths.h"

#include <fcntl.h>

#include "base/unique_fd.h"
#include "mounts/open_in_root.h"

namespace causeway::shares {
namespace {

UniqueFd open_plain(int root, const std::string& path) {
  auto fd = mounts::open_in_root(root, path, mounts::Lookup::cached, O_PATH);
  return fd ? *std::move(fd) : UniqueFd();
}

std::string_view parent_of(std::string_view path) { return path.substr(0, path.rfind('/')); }

}  // namespace

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
