#include "distro/share_changes.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "mounts/mount_calls.h"

namespace causeway::distro {
namespace {

// Numbers of mounts are given again. The parent doesn't count: a mount stays itself when what is
// below it changes.
bool same_mount(const paths::ShareMount& a, const paths::ShareMount& b) {
  return a.id == b.id && a.device == b.device && a.root == b.root && a.fs_type == b.fs_type;
}

}  // namespace

ShareChanges share_changes(const std::vector<paths::ShareMount>& before,
                           const std::vector<paths::ShareMount>& now) {
  std::map<std::string_view, const paths::ShareMount*> known;
  for (const auto& mount : before) known[mount.point] = &mount;
  ShareChanges out;
  for (const auto& mount : now) {
    const auto found = known.find(mount.point);
    if (found == known.end() || !same_mount(*found->second, mount)) out.there.push_back(mount);
    if (found != known.end()) known.erase(found);
  }
  for (const auto& mount : before)
    if (known.contains(mount.point)) out.gone.push_back(mount.point);
  std::reverse(out.gone.begin(), out.gone.end());
  return out;
}

Result<UniqueFd> clone_mount(const paths::ShareMount& mount) {
  const UniqueFd there(::open(mount.point.c_str(), O_PATH | O_CLOEXEC));
  if (!there) return errno_error("open " + mount.point);
  const auto shown = mounts::mount_shown(there.get());
  if (!shown) return Error(shown.error()).with(mount.point);
  if (*shown != mount.id) return make_error(mount.point + ": another mount is there now");
  auto clone = mounts::clone_shown(there.get());
  if (!clone) return std::move(clone).error().with(mount.point);
  return clone;
}

}  // namespace causeway::distro
