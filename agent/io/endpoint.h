// Unix sockets by path, and who is at the other end.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::io {

// A socket bound at `path` (an older file there is removed first) with `mode`, listening. Paths up
// to 107 bytes (unix(7)).
Result<UniqueFd> listen_unix(const std::string& path, mode_t mode);

// Non-blocking connect. Unix sockets connect at once or fail; EAGAIN means the listener's backlog
// is full.
Result<UniqueFd> connect_unix(const std::string& path);

struct Peer {
  pid_t pid;  // 0 when the peer lives in a PID namespace that ours cannot see
  uid_t uid;
  gid_t gid;
};
Result<Peer> peer_of(int fd);  // SO_PEERCRED, unix(7)

}  // namespace causeway::io
