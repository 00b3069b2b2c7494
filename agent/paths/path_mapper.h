// The path map: which path of the engine a client means by a path of its own, and back. Pure: all
// that it depends on stands in PathContext, and symbolic links are resolved by the caller between
// classify() and engine_path(), in the namespace of the distro that they belong to.
//
// map(source) = classify(), then (for in_distro) resolve and engine_path(). What unmap() gives for
// an engine's path is what map() takes back to the same path: for the same asker, and for every
// other one unless it is a path of the asker's own distro, in that distro's words. So what is
// neither in a distro nor on a drive is named as the engine's (kEngineFiles, kDockerData), which
// everybody may say.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "paths/identity.h"
#include "paths/mount_table.h"

namespace causeway::paths {

struct PathContext {
  struct Distro {
    MountTable mounts;
    bool attached = false;  // its share is at /mnt/distro/<name> now
  };
  std::map<std::string, Distro, std::less<>> distros;  // every known one, by name
  std::set<char> drives;                               // letters at /mnt/host
  std::string wsl = "/mnt/wsl";                        // where the engine itself has it
  std::string run = "/run/causeway";
  std::string docker_root = "/data/docker";  // dockerd's data
  // Whether a path below /dev (clean, free of links) of a distro whose share is attached is the
  // distro's own: a socket, a file, what lies on another mount. Devices and their directories are
  // the kernel's. Not set: only what each_has_its_own().
  std::function<bool(std::string_view distro, std::string_view path)> own_below_dev;
};

struct Target {
  enum class Kind {
    as_is,      // nothing to map: a volume's name, or the engine's own identity asks
    engine,     // `path` is the engine's
    in_distro,  // `path` (clean, absolute) is to be resolved in `distro`, then engine_path() says
    absent,     // as in_distro, but its share is not attached: ask for it, wait, classify again
    refused,    // `reason`, for the client's 400
  };
  Kind kind = Kind::as_is;
  std::string path;
  std::string distro;
  std::string reason;
};

Target classify(const Identity& asker, std::string_view source, const PathContext& context);

// The engine's path of `resolved`, a path of `distro` that is absolute and free of links. An error,
// for the client's 400, when nothing the engine can reach is there.
Result<std::string> engine_path(const Identity& asker, std::string_view distro,
                                std::string_view resolved, const PathContext& context);

// The same as if the share of `distro` were attached: for comparing paths while it is not.
Result<std::string> engine_path_if_attached(const Identity& asker, std::string_view distro,
                                            std::string_view resolved, const PathContext& context);

// The canonical path for the asker; a path that isn't ours comes back as it is.
std::string unmap(const Identity& asker, std::string_view engine_path, const PathContext& context);

// The same for every engine path inside a message: "bind source path does not exist:
// /mnt/distro/…".
std::string unmap_text(const Identity& asker, std::string_view text, const PathContext& context);

// The API socket that containers of this asker get for docker.sock.
std::string api_socket(const Identity& asker, std::string_view run);

// What dockerd takes a path for where it hands it to the kernel unseen (the device of a volume, a
// device, a file that it reads): a relative one begins at its working directory, which is the root.
std::string from_root(std::string_view path);

// How long the source of a bind "SOURCE:DESTINATION[:OPTIONS]" is, in all forms that a source may
// have (C:\x, \\?\C:\x, \\wsl$\D\x, //c/x); npos: there is no destination, the text is one path.
std::size_t bind_source_length(std::string_view bind);

// What may stand as a folder below /mnt/distro, and in names of ours: [A-Za-z0-9._-]{1,64}, neither
// "." nor "..", not beginning with "-".
bool valid_distro_name(std::string_view name);

}  // namespace causeway::paths
