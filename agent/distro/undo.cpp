#include "distro/undo.h"

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "distro/account_files.h"
#include "distro/group_text.h"
#include "distro/listening.h"

namespace causeway::distro {
namespace {

using Kind = Addition::Kind;

bool is_fine(const Status& done, std::initializer_list<int> codes) {
  if (done) return true;
  for (const int code : codes)
    if (done.error().code == code) return true;
  return false;
}

Status undo_directory(const RootFiles& files, const std::string& path) {
  auto done = files.remove_directory(path);
  // Others use it now, or made something else of it.
  if (is_fine(done, {ENOTEMPTY, EEXIST, ENOTDIR, ELOOP})) return Ok{};
  return done;
}

Status undo_link(const RootFiles& files, const Addition& link) {
  files.remove_temporary(link.path);
  const auto there = files.look(link.path);
  if (!there) return there.error();
  if (!*there || !S_ISLNK((*there)->st_mode)) return Ok{};
  const auto target = files.read_link(link.path);
  if (!target) return target.error();
  return *target == link.content ? files.remove(link.path) : Status(Ok{});
}

Status undo_file(const RootFiles& files, const std::string& path, const std::string& content) {
  files.remove_temporary(path);
  const auto there = files.look(path);
  if (!there) return is_fine(there.error(), {ELOOP, ENOTDIR}) ? Status(Ok{}) : there.error();
  if (!*there || !S_ISREG((*there)->st_mode)) return Ok{};
  const auto now = files.read(path, content.size());
  return now && *now == content ? files.remove(path) : Status(Ok{});
}

Status undo_edit(const RootFiles& files, const Addition& addition) {
  files.remove_temporary(addition.path);
  const auto edited = edit_account_file(
      files, addition.path, [&](const std::string& text) -> Result<std::optional<std::string>> {
        return addition.kind == Kind::line
                   ? without_line(text, addition.content, addition.separated)
                   : without_member(text, addition.group, addition.user, addition.separated);
      });
  if (!edited && edited.error().code != ENOENT) return edited.error();
  return Ok{};
}

Status undo_socket(const RootFiles& files, const Addition& socket) {
  const auto there = files.look(socket.path);
  if (!there) return there.error();
  if (!*there || !S_ISSOCK((*there)->st_mode)) return Ok{};
  // Killed between its making and the note which one it is: then nobody listens on it.
  const bool ours = socket.inode != 0 ? is_noted_socket(**there, socket)
                                      : probe_socket(files, socket.path) == Listening::nobody;
  return ours ? files.remove(socket.path) : Status(Ok{});
}

// As the owner of the home, and with no link followed.
Status undo_in_home(const RootFiles& files, const Addition& addition) {
  const AsUser user(static_cast<uid_t>(addition.uid), static_cast<gid_t>(addition.gid));
  const auto home = files.home(addition.home);
  if (!home) return home.error().code == ENOENT ? Status(Ok{}) : Status(home.error());
  const std::string path = addition.path.substr(addition.home.size());
  return addition.kind == Kind::file ? undo_file(*home, path, addition.content)
                                     : undo_directory(*home, path);
}

}  // namespace

Status undo(const RootFiles& files, const Addition& addition) {
  if (!addition.home.empty()) return undo_in_home(files, addition);
  switch (addition.kind) {
    case Kind::directory:
      return undo_directory(files, addition.path);
    case Kind::link:
      return undo_link(files, addition);
    case Kind::file:
      return undo_file(files, addition.path, addition.content);
    case Kind::line:
    case Kind::member:
      return undo_edit(files, addition);
    case Kind::socket:
      return undo_socket(files, addition);
  }
  return Ok{};
}

std::vector<Error> undo_all(const RootFiles& files, Manifest& manifest,
                            const std::function<bool(const Addition&)>& which) {
  std::vector<Error> errors;
  std::vector<Addition> undone;
  const auto& all = manifest.additions();
  for (auto addition = all.rbegin(); addition != all.rend(); ++addition) {
    if (!which(*addition)) continue;
    auto done = undo(files, *addition);
    if (done) {
      undone.push_back(*addition);
    } else {
      errors.push_back(std::move(done).error());
    }
  }
  auto forgotten = manifest.forget([&](const Addition& addition) {
    for (const auto& one : undone)
      if (one.same_thing(addition)) return true;
    return false;
  });
  if (!forgotten) errors.push_back(std::move(forgotten).error());
  return errors;
}

}  // namespace causeway::distro
