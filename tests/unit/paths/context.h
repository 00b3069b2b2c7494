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
inline PathContext make_context() {
  PathContext context;
  context.distros["Ubuntu"] = {{"/mnt/wsl",
                                {{"/home/me/music", 'c', "/Music"},
                                 {"/mnt/c", 'c', ""},
                                 {"/mnt/c/inner", 'd', ""},
                                 {"/mnt/d", 'd', ""},
                                 {"/mnt/e", 'e', ""}}},
                               true};
  context.distros["minimal"] = {{"/wsl", {{"/c", 'c', ""}}}, true};
  context.distros["Debian-12"] = {};
  context.drives = {'c', 'd'};
  return context;
}

// What the client's source becomes when no link stands in the way: the engine's path; "=" when it
// stays as it is; "?Debian-12:/x" when that share is to be asked for; "!" and the reason when it is
// refused.
inline std::string map(const Identity& asker, std::string_view source, const PathContext& context) {
  const Target target = classify(asker, source, context);
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
  const auto placed = engine_path(asker, target.distro, target.path, context);
  return placed.ok() ? *placed : "!" + placed.error().message;
}

}  // namespace paths_test
