// map(unmap(p)) = p, as a property: for generated machines, for every identity that is shown a
// path, and for every other one that is given what the first was shown. Beside it stands a model of
// which file a path of the engine is, which knows nothing of how paths are taken apart.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "context.h"
#include "paths/unix_path.h"

using namespace paths_test;

namespace {

using Random = std::mt19937;

const std::string& pick(Random& random, const std::vector<std::string>& from) {
  return from[random() % from.size()];
}
bool often(Random& random) { return random() % 4 != 0; }

// Below what everything lies: names that mean something somewhere, and names that mean nothing.
std::string random_rest(Random& random) {
  static const std::vector<std::string> kNames = {
      "home",    "dev",         "etc",      "a b",      "x",      "c",     "d",    "z",
      "mnt",     "host",        "distro",   "Ubuntu",   "engine", "wsl",   "lib",  "var",
      "docker",  "volumes",     "run",      "proc",     "1",      "self",  "root", "shm",
      "log",     "sock",        "null",     "sys",      "ä",      "a:b",   "a\\b", "x.",
      "modules", "desktop",     "bind",     "host_mnt", "usr",    "music", "C:",   "wslg",
      "C",       "docker.sock", "cygdrive", "causeway"};
  std::string out;
  for (auto count = random() % 5; count > 0; --count) out += "/" + pick(random, kNames);
  return out;
}

PathContext random_context(Random& random) {
  PathContext context;
  for (const char letter : {'c', 'd', 'x'})
    if (often(random)) context.drives.insert(letter);
  context.wsl = pick(random, {"/mnt/wsl", "/mnt/wsl", "/wsl", "/w/wsl"});
  context.docker_root = pick(random, {"/data/docker", "/data/docker", "/srv/d"});
  for (const char* name : {"Ubuntu", "minimal", "Debian-12"}) {
    auto& distro = context.distros[name];
    distro.attached = often(random);
    if (often(random)) distro.mounts.wsl = pick(random, {"/mnt/wsl", "/wsl"});
    for (const char letter : {'c', 'd', 'x', 'z'}) {
      const std::string at = pick(random, {"/mnt/", "/", "/home/"}) + letter;
      if (random() % 2 != 0) distro.mounts.drives.push_back({at, letter, ""});
    }
    if (often(random)) distro.mounts.drives.push_back({"/home/music", 'c', "/music"});
  }
  context.own_below_dev = [](std::string_view, std::string_view path) {
    return path.ends_with("sock");
  };
  return context;
}

// A path as dockerd may print it.
std::string random_engine_path(Random& random, const PathContext& context) {
  const std::string rest = random_rest(random);
  switch (random() % 8) {
    case 0:
    case 1:
      return "/mnt/distro/" + pick(random, {"Ubuntu", "minimal", "Debian-12"}) + rest;
    case 2:
      return std::string("/mnt/host/") + "cdxz"[random() % 4] + rest;
    case 3:
      return context.docker_root + rest;
    case 4:
      return context.wsl + rest;
    case 5:
      return context.run + rest;
    case 6:
      return pick(random, {"/dev", "/proc", "/sys", "/lib/modules", "/var/lib/docker",
                           "/mnt/engine", "/host_mnt", "/run/desktop/mnt/host"}) +
             rest;
    default:
      return rest.empty() ? "/" : rest;
  }
}

// The model ------------------------------------------------------------------------------------

constexpr const char* kSocket = "the API's socket, to each its own";
constexpr const char* kNowhere = "nothing that can be had";

bool any(const std::string& path, const std::vector<std::string>& directories) {
  for (const auto& directory : directories)
    if (is_at_or_below(path, directory)) return true;
  return false;
}

bool is_socket(const std::string& path, const PathContext& context) {
  if (path == "/run/docker.sock" || path == "/var/run/docker.sock") return true;
  if (path == context.run + "/engine.sock") return true;
  return is_below(path, context.run + "/api") && path.ends_with(".sock");
}

bool is_of_a_process(const std::string& path) {
  return any(path, {"/proc/1", "/proc/self", "/dev/fd", "/dev/stdin"});
}

// Which file `path` of the engine is: another path of the engine where a share shows what isn't the
// distro's own.
std::string file_of(const std::string& path, const PathContext& context) {
  if (is_socket(path, context)) return kSocket;
  if (path.starts_with("/mnt/host/") && path.size() >= 11 && (path.size() == 11 || path[11] == '/'))
    return context.drives.contains(static_cast<char>(path[10] | 0x20)) ? path : kNowhere;
  for (const auto& [name, distro] : context.distros) {
    const std::string share = "/mnt/distro/" + name;
    if (!is_at_or_below(path, share)) continue;
    const std::string rest = path == share ? "/" : path.substr(share.size());
    if (is_socket(rest, {}) && !any(rest, {"/run/causeway"})) return kSocket;
    if (is_of_a_process(rest)) return kNowhere;
    if (is_below(rest, "/dev")) {
      const bool own =
          any(rest, {"/dev/shm", "/dev/log"}) || (distro.attached && rest.ends_with("sock"));
      return own ? path : rest;
    }
    if (any(rest, {"/dev", "/proc", "/sys", "/lib/modules"})) return rest;
    if (any(rest, {"/usr/lib/modules"})) return rest.substr(4);
    if (!distro.mounts.wsl.empty() && is_at_or_below(rest, distro.mounts.wsl))
      return context.wsl + rest.substr(distro.mounts.wsl.size());
    const Drive* on = nullptr;
    for (const auto& drive : distro.mounts.drives)
      if (is_at_or_below(rest, drive.point) && (!on || drive.point.size() > on->point.size()))
        on = &drive;
    if (on == nullptr) return path;
    if (!context.drives.contains(on->letter)) return kNowhere;
    return std::string("/mnt/host/") + on->letter + on->below + rest.substr(on->point.size());
  }
  return path;
}

// Whether `path` is something that the asker's own distro has a name for, which means something
// else elsewhere.
bool is_in_own_words(const Identity& asker, const std::string& path, const PathContext& context) {
  if (asker.kind != Identity::Kind::distro) return false;
  return is_at_or_below(path, "/mnt/distro/" + asker.name) || is_below(path, "/mnt/host") ||
         is_at_or_below(path, context.wsl);
}

// As if every share were attached, when nothing on the way is a link.
std::string mapped(const Identity& asker, const std::string& source, const PathContext& context) {
  const Target target = classify(asker, source, context);
  switch (target.kind) {
    case Target::Kind::engine:
      return target.path;
    case Target::Kind::in_distro:
    case Target::Kind::absent: {
      const auto placed = engine_path_if_attached(asker, target.distro, target.path, context);
      return placed.ok() ? *placed : "!" + placed.error().message;
    }
    case Target::Kind::refused:
      return "!" + target.reason;
    case Target::Kind::as_is:
      break;
  }
  return "=";
}

std::string problem(const Identity& shown_to, const Identity& asker, const std::string& path,
                    const PathContext& context) {
  const std::string file = file_of(path, context);
  const std::string shown = unmap(shown_to, path, context);
  const std::string back = mapped(asker, shown, context);
  const bool good = back.starts_with("!") ? file == kNowhere : file_of(back, context) == file;
  // Not only the same file, the same path, where the path is the file's only one.
  const bool same = back == path || file != path;
  if (good && same) return {};
  return path + " is shown to " + shown_to.name + " as " + shown + ", which " + asker.name +
         " gets as " + back + " (the file is " + file + ")";
}

}  // namespace

TEST_CASE("paths/unmap: what is shown of the engine's paths leads back, whoever gives it") {
  const std::vector<Identity> askers = {kUbuntu, kMinimal, kStopped, kWindows};
  Random random(20261128);  // NOLINT: the same machines and paths each time
  std::size_t in_own_words = 0;
  std::size_t pasted = 0;
  std::size_t problems = 0;
  for (int machine = 0; machine < 400; ++machine) {
    const PathContext context = random_context(random);
    for (int i = 0; i < 60; ++i) {
      const std::string path = clean(random_engine_path(random, context));
      for (const auto& shown_to : askers) {
        const bool own = is_in_own_words(shown_to, path, context);
        for (const auto& asker : askers) {
          const bool self = asker.name == shown_to.name;
          if (own && !self) {
            ++in_own_words;
            continue;
          }
          pasted += self ? 0 : 1;
          const std::string found = problem(shown_to, asker, path, context);
          if (!found.empty() && ++problems < 20) FAIL_CHECK(found);
        }
      }
    }
  }
  CHECK(problems == 0);
  // The generator makes enough of both.
  CHECK(pasted > 50'000);
  CHECK(in_own_words > 10'000);
}
