#include "distro/docker_context.h"

#include <cerrno>
#include <string>
#include <utility>

#include "handover/resolve.h"
#include "paths/unix_path.h"

namespace causeway::distro {
namespace {

using Item = handover::DistroReport::Item;
using State = handover::DistroReport::State;
using Kind = Addition::Kind;

// docker's context store: contexts/meta/<SHA-256 of the name>/meta.json (docker/cli
// cli/context/store). What `docker context create` writes, byte for byte.
constexpr const char* kDirectories[] = {
    "/.docker", "/.docker/contexts", "/.docker/contexts/meta",
    "/.docker/contexts/meta/c2c0a72b71b80142760661b2ca697e2bf7db5c4281da903b23af67ee1277c045"};
constexpr std::string_view kContent =
    R"({"Name":"causeway","Metadata":{"Description":"Causeway"},)"
    R"("Endpoints":{"docker":{"Host":"unix:///var/run/docker.sock","SkipTLSVerify":false}}})";

Addition in_home(Kind kind, const Account& user, const std::string& path) {
  Addition out;
  out.kind = kind;
  out.path = user.home + path;
  out.home = user.home;
  out.uid = user.uid;
  out.gid = user.gid;
  if (kind == Kind::file) out.content = kContent;
  return out;
}

// True: it is there and ours. False: there is another one of that name.
Result<bool> ensure(const RootFiles& home, const Account& user, Manifest& manifest,
                    const std::string& path) {
  const Addition file = in_home(Kind::file, user, path);
  const auto there = home.look(path);
  if (!there) return there.error();
  // The user may change it: then it isn't written again.
  if (*there) return manifest.find(file) != nullptr;
  std::vector<Addition> additions;
  for (const std::string directory : kDirectories) {
    const auto found = home.look(directory);
    if (!found) return found.error();
    if (!*found) additions.push_back(in_home(Kind::directory, user, directory));
  }
  additions.push_back(file);
  {
    // The manifest is root's.
    if (auto noted = manifest.add(additions); !noted) return std::move(noted).error();
  }
  const AsUser as_user(user.uid, user.gid);
  for (const auto& addition : additions) {
    if (addition.kind != Kind::directory) continue;
    auto made = home.make_directory(addition.path.substr(user.home.size()), 0755);
    if (!made && made.error().code != EEXIST) return std::move(made).error();
  }
  if (auto made = home.create(path, kContent, 0644); !made) return std::move(made).error();
  return true;
}

// The drive that `path` is on, links followed; 0: on none.
char drive_of(const RootFiles& files, const std::string& path,
              const std::vector<paths::Drive>& drives) {
  const auto resolved = handover::resolve_path(files.fd(), path);
  for (const auto& drive : drives)
    if (resolved && paths::is_at_or_below(*resolved, drive.point)) return drive.letter;
  return 0;
}

}  // namespace

std::vector<Item> ensure_context(const RootFiles& files, Manifest& manifest,
                                 const std::optional<Account>& user,
                                 const std::vector<paths::Drive>& drives) {
  // A home that is the root is nobody's home.
  if (!user || user->home.size() < 2 || user->home[0] != '/') return {};
  const auto home = [&] {
    const AsUser as_user(user->uid, user->gid);
    return files.home(user->home);
  }();
  if (!home && home.error().code == ENOENT) return {};
  const std::string path = std::string(kDirectories[3]) + "/meta.json";
  Item item{"context", user->home + path, State::added, ""};
  if (const char letter = drive_of(files, item.path, drives); letter != 0) {
    item.state = State::left_alone;
    item.reason = std::string("docker's contexts are on Windows' drive ") +
                  static_cast<char>(letter - 'a' + 'A') + ": and Windows' own docker has them, too";
    return {std::move(item)};
  }
  auto done = home ? ensure(*home, *user, manifest, path) : Result<bool>(home.error());
  if (!done) {
    const bool planted = done.error().code == ELOOP || done.error().code == ENOTDIR;
    item.state = planted ? State::left_alone : State::failed;
    item.reason = planted ? "something on the way is no directory" : done.error().message;
  } else if (!*done) {
    item.state = State::left_alone;
    item.reason = "it isn't ours";
  }
  return {std::move(item)};
}

}  // namespace causeway::distro
