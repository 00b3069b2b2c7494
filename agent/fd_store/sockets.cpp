#include "fd_store/sockets.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/file.h"
#include "base/text.h"

namespace causeway::fd_store {
namespace {

// Clients wait in the backlog while the agent restarts; the kernel caps it at net.core.somaxconn.
constexpr int kBacklog = 1024;

}  // namespace

std::optional<gid_t> find_group(std::string_view group_file, std::string_view name) {
  for (const auto line : text::split(group_file, '\n')) {
    const auto fields = text::split(line, ':');
    if (fields.size() < 3 || fields[0] != name) continue;
    const auto gid = text::to_u64(fields[2]);
    // The highest value means "no change" to chown(2).
    if (gid && *gid < std::numeric_limits<gid_t>::max()) return static_cast<gid_t>(*gid);
  }
  return std::nullopt;
}

Result<UniqueFd> bind_socket(const std::string& path, mode_t mode, gid_t group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return make_error("bind " + path + ": longer than " +
                      std::to_string(sizeof(address.sun_path) - 1) + " bytes");
  std::copy(path.begin(), path.end(), address.sun_path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket");
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
  // Nobody connects between bind and chmod: nothing listens yet.
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return errno_error("bind " + path);
  if (::chown(path.c_str(), 0, group) != 0) return errno_error("chown " + path);
  if (::chmod(path.c_str(), mode) != 0) return errno_error("chmod " + path);
  if (::listen(fd.get(), kBacklog) != 0) return errno_error("listen " + path);
  return fd;
}

Status bind_sockets(const std::string& run, FdStore& store) {
  const auto groups = file::read("/etc/group");
  for (const auto& entry : kSockets) {
    gid_t group = 0;
    if (entry.group != nullptr && groups) group = find_group(*groups, entry.group).value_or(0);
    auto fd = bind_socket(run + "/" + entry.file, entry.mode, group);
    if (!fd) return std::move(fd).error();
    if (!store.keep(entry.slot, std::move(*fd)))
      return make_error(std::string("keep socket ") + entry.slot + ": no free slot");
  }
  return Ok{};
}

}  // namespace causeway::fd_store
