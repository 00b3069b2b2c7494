// The sockets that init binds once in a boot: a fixed table. A socket that is bound again is a
// new inode, and a container that mounts it would get ECONNREFUSED for ever; so the agent only ever
// inherits them.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fd_store/fd_store.h"

namespace causeway::fd_store {

struct SocketEntry {
  const char* slot;  // name in the fd store
  const char* file;  // below RUN
  mode_t mode;
  const char* group;  // nullptr: root
};

inline constexpr std::array<SocketEntry, 3> kSockets{{
    {"control", "control.sock", 0600, nullptr},
    {"engine", "engine.sock", 0660, "docker"},
    {"link", "link.sock", 0600, nullptr},
}};

// The number of a group in the text of /etc/group (group(5)); nothing when it isn't there. getgrnam
// would load NSS modules into the static binary.
std::optional<gid_t> find_group(std::string_view group_file, std::string_view name);

// Binds, listens, sets owner and mode. A leftover socket file at `path` is replaced.
Result<UniqueFd> bind_socket(const std::string& path, mode_t mode, gid_t group);

// All of kSockets below `run` into the store.
Status bind_sockets(const std::string& run, FdStore& store);

}  // namespace causeway::fd_store
