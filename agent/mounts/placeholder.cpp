#include "mounts/placeholder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/file.h"

namespace causeway::mounts {
namespace {

// The mounts' source, by which we know our own.
constexpr const char* kSource = "causeway";

Status attach_at(int tree, const std::string& path) {
  const UniqueFd target(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!target) return errno_error("open " + path);
  if (auto done = attach_tree(tree, target.get()); !done) return std::move(done).error().with(path);
  return Ok{};
}

// Ours, somebody else's, or none.
enum class There { none, ours, other };
Result<There> what_is_at(const std::string& path) {
  auto mounts = own_mounts();
  if (!mounts) return std::move(mounts).error();
  const auto* mount = paths::mounted_at(*mounts, path);
  if (mount == nullptr) return There::none;
  return mount->fs_type == "tmpfs" && mount->source == kSource ? There::ours : There::other;
}

}  // namespace

Result<Placeholder> Placeholder::at(std::string path, Release release) {
  auto there = what_is_at(path);
  if (!there) return std::move(there).error();
  if (*there == There::other) return make_error(path + ": something else is mounted there");
  if (*there == There::none) {
    if (auto made = file::make_directories(path); !made) return std::move(made).error();
    auto mount = detached_tmpfs(kSource, "0755", true);
    if (!mount) return std::move(mount).error().with(path);
    if (auto done = attach_at(mount->get(), path); !done) return std::move(done).error();
  }
  return Placeholder(std::move(path), std::move(release));
}

Result<UniqueFd> Placeholder::writable() const {
  auto copy = clone_mount(path_, false);
  if (!copy) return copy;
  // And private: else what is attached to the visible one would propagate to the copy as well.
  if (auto done = make_writable(copy->get()); !done)
    return std::move(done).error().with("a copy of " + path_);
  return copy;
}

Status Placeholder::attach(int tree, const std::string& name) const {
  {
    auto copy = writable();
    if (!copy) return std::move(copy).error();
    if (::mkdirat(copy->get(), name.c_str(), 0755) != 0 && errno != EEXIST)
      return errno_error("mkdir " + path_of(name));
  }
  auto done = attach_at(tree, path_of(name));
  if (!done && !mounted(name)) (void)detach(name);
  return done;
}

Status Placeholder::detach(const std::string& name) const {
  if (auto done = detach_all(path_of(name), release_); !done) return done;
  auto copy = writable();
  if (!copy) return std::move(copy).error();
  if (::unlinkat(copy->get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return errno_error("rmdir " + path_of(name));
  return Ok{};
}

Result<std::vector<std::string>> Placeholder::names() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path_.c_str()), ::closedir);
  if (!directory) return errno_error("open " + path_);
  std::vector<std::string> out;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool Placeholder::mounted(const std::string& name) const {
  const UniqueFd fd(::open(path_of(name).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return false;
  const auto shown = mount_shown(fd.get());
  return shown && *shown;
}

Status make_staging(const std::string& path) {
  if (auto made = file::make_directories(path, 0700); !made) return made;
  auto there = what_is_at(path);
  if (!there) return std::move(there).error();
  if (*there == There::other) return make_error(path + ": something else is mounted there");
  if (*there == There::ours)
    if (auto done = detach_all(path); !done) return done;
  auto mount = detached_tmpfs(kSource, "0700", false);
  if (!mount) return std::move(mount).error().with(path);
  if (auto done = attach_at(mount->get(), path); !done) return done;
  // Attached to a shared mount, it became one.
  if (auto done = make_private(mount->get()); !done) return std::move(done).error().with(path);
  return Ok{};
}

}  // namespace causeway::mounts
