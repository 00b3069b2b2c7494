// A VM for the tests of the path map, and the whole map as its users put it together.
#pragma once

#include <string>
#include <string_view>

#include "paths/path_mapper.h"

namespace paths_test {

using namespace causeway::paths;

inline const Identity kEngine{};
inline const Identity kWindows{Identity::Kind::windows, "windows"};
inline const Identity kUbuntu{Identity::Kind::distro, "Ubuntu"};
inline const Identity kMinimal{Identity::Kind::distro, "minimal"};
inline const Identity kStopped{Identity::Kind::distro, "Debian-12"};

// Ubuntu has drives in several places, one of which (E:) the engine lacks; minimal has
// automount.root=/; Debian-12 is known and doesn't run. The engine sees C: and D:.
inline World make_world() {
  World world;
  world.distros["Ubuntu"] = {{"/mnt/wsl",
                              {{"/home/me/music", 'c', "/Music"},
                               {"/mnt/c", 'c', ""},
                               {"/mnt/c/inner", 'd', ""},
                               {"/mnt/d", 'd', ""},
                               {"/mnt/e", 'e', ""}}},
                             true};
  world.distros["minimal"] = {{"/wsl", {{"/c", 'c', ""}}}, true};
  world.distros["Debian-12"] = {};
  world.drives = {'c', 'd'};
  return world;
}

// What the client's source becomes when no link stands in the way: the engine's path; "=" when it
// stays as it is; "?Debian-12:/x" when that share is to be asked for; "!" and the reason when it is
// refused.
inline std::string map(const Identity& asker, std::string_view source, const World& world) {
  const Target target = classify(asker, source, world);
  switch (target.kind) {
    case Target::Kind::as_is:
      return "=";
    case Target::Kind::engine:
      return target.path;
    case Target::Kind::absent:
      return "?" + target.distro + ":" + target.path;
    case Target::Kind::refused:
      return "!" + target.reason;
    case Target::Kind::in_distro:
      break;
  }
  const auto placed = engine_path(asker, target.distro, target.path, world);
  return placed.ok() ? *placed : "!" + placed.error().message;
}

}  // namespace paths_test
