#include "shares/drives.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "mounts/mount_calls.h"
#include "paths/mount_table.h"
#include "paths/unix_path.h"

namespace causeway::shares {

std::map<char, const paths::MountEntry*> choose_drives(const std::vector<paths::MountEntry>& mounts,
                                                       const std::vector<std::string>& ours) {
  std::map<char, const paths::MountEntry*> out;
  for (const auto& drive : paths::summarize(mounts).drives) {
    if (!drive.below.empty() || drive.letter < 'a' || drive.letter > 'z') continue;
    if (std::any_of(ours.begin(), ours.end(), [&](const std::string& directory) {
          return paths::is_at_or_below(drive.point, directory);
        }))
      continue;
    if (const auto* mount = paths::mounted_at(mounts, drive.point))
      out.emplace(drive.letter, mount);
  }
  return out;
}

Result<Drives> Drives::at(const std::string& path, mounts::Release release) {
  auto placeholder = mounts::Placeholder::at(path, std::move(release));
  if (!placeholder) return std::move(placeholder).error();
  auto names = placeholder->names();
  if (!names) return std::move(names).error();
  Drives drives(std::move(*placeholder));
  for (const auto& name : *names) {
    if (drives.placeholder_.mounted(name)) {
      drives.letters_.insert(name[0]);
    } else if (auto done = drives.placeholder_.detach(name); !done) {
      return std::move(done).error();
    }
  }
  return drives;
}

Status Drives::attach(char letter, const paths::MountEntry& from) {
  auto tree = mounts::clone_mount(from.mount_point, false);
  if (!tree) return std::move(tree).error();
  if (auto done = mounts::receive_only(tree->get(), false); !done) return done;
  return placeholder_.attach(tree->get(), std::string(1, letter));
}

bool Drives::update(const std::vector<paths::MountEntry>& mounts,
                    const std::vector<std::string>& ours) {
  const auto wanted = choose_drives(mounts, ours);
  const auto before = letters_;
  for (const char letter : before) {
    const auto found = wanted.find(letter);
    const std::string name(1, letter);
    const auto* shown = paths::mounted_at(mounts, placeholder_.path_of(name));
    if (found != wanted.end() && shown != nullptr && shown->device == found->second->device &&
        shown->root == found->second->root)
      continue;
    if (auto done = placeholder_.detach(name); !done)
      log::warning("drives.not_detached", {{"drive", name}, {"error", done.error().message}});
    letters_.erase(letter);
  }
  for (const auto& [letter, mount] : wanted) {
    if (letters_.contains(letter)) continue;
    const std::string name(1, letter);
    if (auto done = attach(letter, *mount); done) {
      letters_.insert(letter);
      failed_.erase(letter);
      log::info("drives.attached", {{"drive", name}, {"from", mount->mount_point}});
    } else if (std::exchange(failed_[letter], done.error().message) != done.error().message) {
      log::warning("drives.not_attached", {{"drive", name}, {"error", done.error().message}});
    }
  }
  return letters_ != before;
}

}  // namespace causeway::shares
