#include "paths/path_mapper.h"

#include <doctest/doctest.h>

#include <random>

#include "map_cases.h"
#include "paths/unix_path.h"

using namespace paths_test;

namespace {

// Places that a source of a distro's client may end at, unless it says that it means the engine's.
bool allowed(const Identity& asker, const std::string& source, const std::string& path,
             const PathContext& context) {
  if (!is_clean(path)) return false;
  if (is_at_or_below(clean(source), "/mnt/engine")) return true;
  if (is_at_or_below(clean(source), "/var/lib/docker")) return is_at_or_below(path, "/data/docker");
  if (asker.kind == Identity::Kind::windows) return true;  // all of the engine's files, by design
  for (const auto& [name, distro] : context.distros)
    if (distro.attached && is_at_or_below(path, "/mnt/distro/" + name)) return true;
  for (const char letter : context.drives)
    if (is_at_or_below(path, std::string("/mnt/host/") + letter)) return true;
  for (const char* own : {"/dev", "/proc", "/sys", "/lib/modules", "/usr/lib/wsl"})
    if (is_at_or_below(path, own)) return true;
  return is_at_or_below(path, context.wsl) || path == api_socket(asker, context.run);
}

// Both properties for any source: what is broken, or nothing.
std::string broken(const Identity& asker, const std::string& source, const PathContext& context) {
  const std::string mapped = map(asker, source, context);
  if (mapped.front() != '/') return {};
  const std::string shown = unmap(asker, mapped, context);
  const std::string again = map(asker, shown, context);
  const std::string story =
      asker.name + ": " + source + " -> " + mapped + " -> " + shown + " -> " + again;
  if (!allowed(asker, source, mapped, context)) return "leaves its share: " + story;
  // A distro that isn't there hasn't said yet where it has <wsl> and drives.
  if (again.front() == '?') return {};
  if (again != mapped) return "means something else: " + story;
  return unmap(asker, again, context) == shown ? "" : "is shown differently: " + story;
}

void check_properties(const Identity& asker, const std::string& source,
                      const PathContext& context) {
  if (const std::string problem = broken(asker, source, context); !problem.empty())
    FAIL_CHECK(problem);
}

// Sources made of the pieces that mean something, glued in any order.
std::string random_source(std::mt19937& random) {
  static const std::vector<std::string> kBegins = {"/",
                                                   "//",
                                                   "\\\\",
                                                   "\\",
                                                   "C:",
                                                   "d:",
                                                   "\\\\?\\",
                                                   "\\\\.\\",
                                                   "//?/",
                                                   "\\\\wsl$\\",
                                                   "//wsl.localhost/",
                                                   "/mnt/",
                                                   "/mnt/distro/",
                                                   "/mnt/host/",
                                                   "/home/me/",
                                                   "\\\\?\\UNC\\wsl$\\",
                                                   "/mnt/c/",
                                                   "/mnt/engine/",
                                                   "/var/lib/docker/",
                                                   "/run/desktop/mnt/host/",
                                                   "/host_mnt/",
                                                   "/cygdrive/",
                                                   "/dev/",
                                                   "/proc/",
                                                   "/mnt/wsl/",
                                                   ""};
  static const std::vector<std::string> kParts = {
      "Ubuntu", "minimal", "Debian-12", "c",      "C:",  "inner", "mnt",     "distro",
      "host",   "wsl",     "music",     "..",     ".",   "...",   "x.",      "x ",
      " ",      "a b",     "dev",       "proc",   "lib", "usr",   "modules", "docker.sock",
      "self",   "shm",     "engine",    "docker", "var", "run",   "home",    "me",
      "a:b",    "a\\b",    "ä",         "\n",     "?",   "UNC",   "pipe",    "wsl$"};
  static const std::vector<std::string> kGlue = {"/", "/", "/", "\\", "\\", "//", "\\\\", ""};
  const auto pick = [&](const std::vector<std::string>& from) -> const std::string& {
    return from[random() % from.size()];
  };
  std::string out = pick(kBegins);
  for (auto count = random() % 7; count > 0; --count) out += pick(kParts) + pick(kGlue);
  return out;
}

}  // namespace

TEST_CASE("paths/path_mapper: the table") {
  const PathContext context = make_context();
  const auto cases = all_cases();
  CHECK(cases.size() >= 150);
  for (const auto& one : cases) {
    CAPTURE(one.asker.name);
    CAPTURE(one.source);
    const std::string mapped = map(one.asker, one.source, context);
    if (one.expected.front() == '!') {
      CAPTURE(mapped);
      CHECK(mapped.front() == '!');
      CHECK(mapped.find(one.expected.substr(1)) != std::string::npos);
    } else {
      CHECK(mapped == one.expected);
    }
  }
}

TEST_CASE("paths/path_mapper: what is shown can be given back, and nothing leaves its share") {
  const PathContext context = make_context();
  const auto cases = all_cases();
  for (const auto& one : cases) {
    check_properties(one.asker, one.source, context);
    // Everybody may be given everything.
    for (const auto* asker : {&kUbuntu, &kMinimal, &kStopped, &kWindows})
      check_properties(*asker, one.source, context);
  }
}

TEST_CASE("paths/path_mapper: the same for random sources") {
  const PathContext context = make_context();
  PathContext bare = context;  // nothing attached, no drives
  bare.drives.clear();
  for (auto& [name, distro] : bare.distros) distro.attached = false;
  PathContext elsewhere = context;
  elsewhere.wsl = "/wsl";
  std::mt19937 random(20250917);  // NOLINT: the same sources each time
  for (int i = 0; i < 15'000; ++i) {
    const std::string source = random_source(random);
    for (const auto& one : {context, bare, elsewhere})
      for (const auto* asker : {&kUbuntu, &kMinimal, &kWindows})
        check_properties(*asker, source, one);
  }
}

TEST_CASE("paths/path_mapper: what a path resolves to decides where it is placed") {
  const PathContext context = make_context();
  struct Case {
    const char* resolved;
    const char* expected;
  };
  const Case cases[] = {
      {"/srv/real", "/mnt/distro/Ubuntu/srv/real"},
      {"/mnt/c/x", "/mnt/host/c/x"},
      {"/run/docker.sock", "/run/causeway/api/windows.sock"},
      {"/proc/cpuinfo", "/proc/cpuinfo"},
      {"/proc/42/ns", nullptr},
      {"/proc/42/fd", nullptr},
      {"/dev/kvm", "/dev/kvm"},
      {"/dev/shm/x", "/mnt/distro/Ubuntu/dev/shm/x"},
      // A link's end is the distro's own file, also where a client would mean the engine's by it.
      {"/var/lib/docker/x", "/mnt/distro/Ubuntu/var/lib/docker/x"},
      {"/host_mnt/c", "/mnt/distro/Ubuntu/host_mnt/c"},
      {"/usr/lib/modules/6.6", "/lib/modules/6.6"},
      {"/mnt/wsl/shared", "/mnt/wsl/shared"},
      // Not taken apart again: that is how the distro itself names it.
      {"/mnt/distro/minimal/x", "/mnt/distro/Ubuntu/mnt/distro/minimal/x"},
      {"/mnt/host/c/x", "/mnt/distro/Ubuntu/mnt/host/c/x"},
      {"C:\\x", nullptr},
      {"", nullptr},
      {"relative", nullptr},
      {"/a/../b", nullptr},
      {"/a/./b", nullptr},
      {"/a//b", nullptr},
      {"/a/", nullptr},
      {"/mnt/e/x", nullptr},
  };
  for (const auto& one : cases) {
    CAPTURE(one.resolved);
    const auto placed = engine_path(kWindows, "Ubuntu", one.resolved, context);
    CHECK(placed.ok() == (one.expected != nullptr));
    if (placed.ok() && one.expected != nullptr) CHECK(*placed == one.expected);
  }
  CHECK_FALSE(engine_path(kUbuntu, "Ubuntu", std::string_view("/a\0b", 4), context).ok());
  CHECK_FALSE(engine_path(kUbuntu, "Arch", "/x", context).ok());
}

TEST_CASE("paths/path_mapper: without the share only what isn't in it can be placed") {
  const PathContext context = make_context();
  CHECK_FALSE(engine_path(kStopped, "Debian-12", "/home/me", context).ok());
  CHECK(*engine_path_if_attached(kStopped, "Debian-12", "/home/me", context) ==
        "/mnt/distro/Debian-12/home/me");
  CHECK(*engine_path(kStopped, "Debian-12", "/dev/kvm", context) == "/dev/kvm");
}

TEST_CASE("paths/path_mapper: of /dev a distro has what is no device") {
  PathContext context = make_context();
  context.own_below_dev = [](std::string_view distro, std::string_view path) {
    return distro == "Ubuntu" && path == "/dev/my.sock";
  };
  CHECK(map(kUbuntu, "/dev/my.sock", context) == "/mnt/distro/Ubuntu/dev/my.sock");
  CHECK(map(kWindows, "\\\\wsl$\\Ubuntu\\dev\\my.sock", context) ==
        "/mnt/distro/Ubuntu/dev/my.sock");
  CHECK(map(kUbuntu, "/dev/kvm", context) == "/dev/kvm");
  CHECK(map(kMinimal, "/dev/my.sock", context) == "/dev/my.sock");
  CHECK(unmap(kUbuntu, "/mnt/distro/Ubuntu/dev/my.sock", context) == "/dev/my.sock");
  CHECK(unmap(kUbuntu, "/dev/my.sock", context) == "/mnt/engine/dev/my.sock");
}

TEST_CASE("paths/path_mapper: what dockerd opens itself begins at the root") {
  struct Case {
    const char* path;
    const char* expected;
  };
  for (const auto& one : {
           Case{"/a", "/a"},
           Case{"etc", "/etc"},
           Case{"./etc", "/./etc"},
           Case{"../etc", "/../etc"},
           Case{"C:\\x", "C:\\x"},
           Case{"C:x", "C:x"},
           Case{"\\\\wsl$\\Ubuntu", "\\\\wsl$\\Ubuntu"},
           Case{"", ""},
       }) {
    CAPTURE(one.path);
    CHECK(from_root(one.path) == one.expected);
  }
}

TEST_CASE("paths/path_mapper: an engine without <wsl> refuses what lies there") {
  PathContext context = make_context();
  context.wsl.clear();
  CHECK_FALSE(engine_path(kUbuntu, "Ubuntu", "/mnt/wsl/x", context).ok());
  CHECK(map(kUbuntu, "/x", context) == "/mnt/distro/Ubuntu/x");
}

TEST_CASE("paths/path_mapper: where a bind's source ends") {
  struct Case {
    const char* bind;
    std::size_t length;
  };
  constexpr auto kWhole = std::string_view::npos;
  const Case cases[] = {
      {"/a:/b", 2},
      {"/a:/b:ro", 2},
      {"data:/b", 4},
      {"/a", kWhole},
      {"", kWhole},
      {":/b", 0},
      {"C:\\a:/b", 4},
      {"C:/a:/b:ro", 4},
      {"c:\\a b\\c:/b", 8},
      {"C:\\a", kWhole},
      {"C:/a", kWhole},
      {"C::/b", 2},
      {"C:", kWhole},
      {"C:a:/b", 3},
      {"\\\\?\\C:\\a:/b", 8},
      {"//?/C:/a:/b", 8},
      {"//./C:/a:/b", 8},
      {"\\\\?\\C:\\a", kWhole},
      {"\\\\?\\UNC\\wsl$\\D\\a:/b", 16},
      {"\\\\wsl$\\D\\a:/b", 10},
      {"\\\\wsl.localhost\\D:/b", 17},
      {"//c/a:/b", 5},
      {"//var/run/docker.sock:/b", 21},
      {"\\\\.\\pipe\\docker_engine:\\\\.\\pipe\\docker_engine", 22},
      {"C:\\a:D:\\b", 4},
      {"ä:/b", 2},
      {"1:/b", 1},
  };
  for (const auto& one : cases) {
    CAPTURE(one.bind);
    CHECK(bind_source_length(one.bind) == one.length);
  }
}

TEST_CASE("paths/path_mapper: names of distros") {
  for (const char* name : {"Ubuntu", "Ubuntu-22.04", "a", "...", "_x", ".hidden", "docker-desktop"})
    CHECK(valid_distro_name(name));
  CHECK(valid_distro_name(std::string(64, 'a')));
  for (const char* name : {"", ".", "..", "-x", "a b", "a/b", "ä", "a\\b", "a:b", "a\n", "a*"}) {
    CAPTURE(name);
    CHECK_FALSE(valid_distro_name(name));
  }
  CHECK_FALSE(valid_distro_name(std::string(65, 'a')));
  CHECK_FALSE(valid_distro_name(std::string_view("a\0b", 3)));
}

TEST_CASE("paths/path_mapper: each asker has an API socket of its own") {
  CHECK(api_socket(kEngine, "/run/causeway") == "/run/causeway/engine.sock");
  CHECK(api_socket(kWindows, "/run/causeway") == "/run/causeway/api/windows.sock");
  CHECK(api_socket(kUbuntu, "/r") == "/r/api/distro-Ubuntu.sock");
}
