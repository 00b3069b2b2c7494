#include "shares/share_tree.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/log.h"
#include "mounts/mount_calls.h"
#include "mounts/open_in_root.h"
#include "paths/unix_path.h"

namespace causeway::shares {
namespace {

// The cache can't be asked while mounts change.
constexpr int kCacheTries = 16;

// No link is followed: a path through one has no mount of ours. And no file system is asked: what
// is a mount's point is in the kernel's cache, but for a file system that wants to be asked each
// time, and may be away.
Result<UniqueFd> open_point(int root, const std::string& point, int flags = 0) {
  for (int i = 1;; ++i) {
    auto fd = mounts::open_in_root(root, point, mounts::Lookup::cached,
                                   static_cast<std::uint64_t>(O_PATH | flags));
    if (fd || fd.error().code != EAGAIN || i == kCacheTries) return fd;
  }
}

}  // namespace

ShareTree::ShareTree(std::string base, SharedMounts mounts, mounts::Release release)
    : base_(std::move(base)), mounts_(std::move(mounts)), release_(std::move(release)) {}

Result<UniqueFd> ShareTree::open_root() const {
  UniqueFd fd(::open(base_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno_error("open " + base_);
  return fd;
}

std::optional<SharedMount> ShareTree::root() const {
  const auto found = mounts_.find("/");
  return found == mounts_.end() ? std::nullopt : std::optional(found->second);
}

const paths::MountEntry* ShareTree::entry_of(int mount_id, bool read_again) {
  if (read_again || seen_.empty()) {
    auto mounts = mounts::own_mounts();
    if (!mounts) return nullptr;
    seen_ = std::move(*mounts);
  }
  const auto found = std::find_if(seen_.begin(), seen_.end(),
                                  [&](const auto& entry) { return entry.id == mount_id; });
  return found == seen_.end() ? nullptr : &*found;
}

// What is mounted right at `fd`, if anything is. Reading mountinfo for each of many mounts would
// take most of the time of attaching them, so what was read last is good while it says what is
// expected.
std::optional<SharedMount> ShareTree::shown_by(int fd, const SharedMount* expected) {
  const auto mount = mounts::mount_shown(fd);
  if (!mount || !*mount) return std::nullopt;
  const auto* entry = entry_of(**mount, false);
  if (entry == nullptr || expected == nullptr ||
      SharedMount{entry->device, entry->root} != *expected)
    entry = entry_of(**mount, true);
  if (entry == nullptr) return std::nullopt;
  return SharedMount{entry->device, entry->root};
}

Result<bool> ShareTree::add(const std::string& point, const SharedMount& what, int tree,
                            UniqueFd target) {
  if (point != "/" && !root()) return make_error("the mount of / comes first");
  auto base = open_root();
  if (!base) return std::move(base).error();
  if (point == "/") {
    target = std::move(*base);
  } else if (!target) {
    auto opened = open_point(base->get(), point);
    if (!opened) return std::move(opened).error();
    target = std::move(*opened);
  }
  const auto known = mounts_.find(point);
  if (auto shown = shown_by(target.get(), &what)) {
    if (*shown == what) {
      record(point, what);
      return false;
    }
    if (point == "/") return make_error("another root is shared already");
    if (known != mounts_.end() && *shown == known->second) {
      if (auto done = remove(point); !done) return std::move(done).error();
      auto opened = open_point(base->get(), point);
      if (!opened) return std::move(opened).error();
      target = std::move(*opened);
    }
  }
  if (auto done = mounts::receive_only(tree, false); !done)
    return std::move(done).error().with(point);
  if (auto done = mounts::attach_tree(tree, target.get()); !done)
    return std::move(done).error().with(point);
  record(point, what);
  return true;
}

void ShareTree::record(const std::string& point, const SharedMount& what) {
  mounts_.insert_or_assign(point, what);
}

Status ShareTree::remove(const std::string& point) {
  if (point == "/") return make_error("the root goes with the whole share");
  const auto known = mounts_.find(point);
  if (known == mounts_.end()) return Ok{};
  const SharedMount ours = known->second;
  auto base = open_root();
  const auto target = base ? open_point(base->get(), point) : Result<UniqueFd>(base.error());
  // It stays ours: it may be reached another time.
  if (!target && target.error().code == EAGAIN) return Error(target.error()).with(point);
  // What lies on it goes with it.
  std::erase_if(mounts_,
                [&](const auto& item) { return paths::is_at_or_below(item.first, point); });
  if (!base) return std::move(base).error();
  // Not to be reached: something is in its place, or its directory is gone with it.
  if (!target) return Ok{};
  if (shown_by(target->get(), nullptr) != ours) return Ok{};
  if (auto done = mounts::detach_shown(target->get(), release_); !done)
    return std::move(done).error().with(paths::join(base_, point));
  return Ok{};
}

void ShareTree::keep_only(const std::vector<std::string>& points) {
  std::vector<std::string> gone;
  for (const auto& [point, what] : mounts_)
    if (point != "/" && std::find(points.begin(), points.end(), point) == points.end())
      gone.push_back(point);
  // Deepest first: a child that stays in the distro is on another mount by now.
  for (auto point = gone.rbegin(); point != gone.rend(); ++point)
    if (auto done = remove(*point); !done)
      log::warning("share.mount_not_removed", {{"point", *point}, {"error", done.error().message}});
}

std::vector<Error> ShareTree::add_engine_mounts(const std::string& engine_wsl,
                                                const std::string& wsl) {
  std::vector<std::pair<std::string, std::string>> wanted{
      {"/dev", "/dev"}, {"/proc", "/proc"}, {"/sys", "/sys"}};
  if (!engine_wsl.empty() && !wsl.empty()) wanted.emplace_back(engine_wsl, wsl);
  std::vector<Error> problems;
  auto base = open_root();
  if (!base) return {std::move(base).error()};
  for (const auto& [from, point] : wanted) {
    const auto target = open_point(base->get(), point, O_DIRECTORY);
    // This distro has no such directory; or none that it has anything on, so that the cache doesn't
    // know it.
    if (!target) continue;
    const auto mount = mounts::mount_shown(target->get());
    if (mount && *mount) continue;
    auto tree = mounts::clone_mount(from, true);
    // Received only: a lazy unmount of the share takes this tree along, and from mounts shared with
    // the others it would take theirs, in every distro.
    auto done = tree ? mounts::receive_only(tree->get(), true) : Status(tree.error());
    if (done) done = mounts::attach_tree(tree->get(), target->get());
    if (!done) problems.push_back(std::move(done).error().with(paths::join(base_, point)));
  }
  return problems;
}

void ShareTree::moved(std::string base) {
  base_ = std::move(base);
  seen_.clear();
}

}  // namespace causeway::shares
