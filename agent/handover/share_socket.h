// Where helpers and agent meet: <wsl>/docker-desktop/run/share.sock. The file system there is mode
// 1777 and shared by all distros, so that any user could have planted something there: both
// sides walk by descriptors, follow no link, and take only what is root's and nobody else's to
// write.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::handover {

inline constexpr const char* kRendezvous = "docker-desktop";  // below <wsl>
inline constexpr const char* kSocketName = "share.sock";      // in <wsl>/docker-desktop/run
inline constexpr const char* kProgramName = "causeway";       // in <wsl>/docker-desktop/bin

// Which file `name` in `directory` is: so one sees whether a socket there is still ours.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};
Result<FileId> file_id(int directory, const std::string& name);

// The directory `base`/`parts`…, as O_PATH descriptor: each part is a directory, not a link, owned
// by root, and not writable for group or others; `base` itself is taken as it is. Errors name the
// part and what is wrong; code ENOENT when it isn't there, EPERM when it isn't root's alone. What
// is mounted below `base` is refused without a question to its file system.
Result<UniqueFd> open_trusted(const std::string& base, const std::vector<std::string>& parts);

// Connected SOCK_SEQPACKET socket to `name` in `directory`, non-blocking; the listener there must
// be root's (SO_PEERCRED). Code ECONNREFUSED or ENOENT: nobody listens (yet).
Result<UniqueFd> connect_in(int directory, const std::string& name);

// Bound, mode 0600, listening, non-blocking. It listens before it gets its name, in place of an
// older file: nobody who sees it is refused.
struct Listening {
  UniqueFd fd;
  FileId file;
};
Result<Listening> listen_in(int directory, const std::string& name);

}  // namespace causeway::handover
