#include "handover/resolve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <optional>
#include <vector>

#include "base/text.h"
#include "base/unique_fd.h"
#include "handover/message.h"
#include "mounts/open_in_root.h"
#include "paths/unix_path.h"

namespace causeway::handover {
namespace {

// A file may be deleted or renamed between two looks. Whoever does that all the time gets an error.
constexpr int kTries = 16;

// `path` as a descriptor, links followed as if `root` were "/".
Result<UniqueFd> open_at(int root, const std::string& path) {
  return mounts::open_in_root(root, path, mounts::Lookup::in_root, O_PATH);
}

std::string quoted(std::string_view path) { return "\"" + text::printable(path) + "\""; }

// Where the file is now, as /proc says; nothing when it was deleted or isn't below any root.
Result<std::optional<std::string>> place_of(int fd) {
  std::array<char, PATH_MAX + 1> link{};
  const std::string proc = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(proc.c_str(), link.data(), link.size());
  if (size < 0) return errno_error("where it is");
  const std::string_view text(link.data(), static_cast<std::size_t>(size));
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error("stat");
  if (text.empty() || text[0] != '/' || (info.st_nlink == 0 && text.ends_with(" (deleted)")))
    return std::optional<std::string>();
  return std::optional<std::string>(text);
}

// `place` as seen from a root at `root`.
std::optional<std::string> within(const std::string& place, const std::string& root) {
  if (root == "/") return place;
  if (place == root) return "/";
  if (!paths::is_below(place, root)) return std::nullopt;
  return place.substr(root.size());
}

std::string link_text(int directory, const std::string& name) {
  std::array<char, PATH_MAX> link{};
  const ssize_t size = ::readlinkat(directory, name.c_str(), link.data(), link.size());
  return size < 0 ? "" : std::string(link.data(), static_cast<std::size_t>(size));
}

// No file has that path: also behind a file, and when a part is longer than any name. What docker
// says of such a path is docker's to say, and no link can be in it.
bool is_absent(int code) { return code == ENOENT || code == ENOTDIR || code == ENAMETOOLONG; }

// Why `name` in the existing `parent` can't be opened, when it is there or can't be; else Ok: it is
// missing.
Status is_missing(const UniqueFd& parent, const std::string& name, const std::string& path) {
  struct stat info {};
  if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (is_absent(errno)) return Ok{};
    return errno_error(quoted(path));
  }
  if (S_ISLNK(info.st_mode))
    return Error{quoted(path) + " is a link that leads nowhere (to " +
                     quoted(link_text(parent.get(), name)) + ")",
                 ENOENT};
  return Error{quoted(path) + " changed while it was looked at", EAGAIN};
}

// What there is of a path: an open descriptor of the longest existing part, and what comes behind.
struct Found {
  UniqueFd fd;
  std::string missing;  // "" or "/a/b"
};

Result<Found> find(int root, const std::string& path) {
  auto whole = open_at(root, path);
  if (whole) return Found{*std::move(whole), ""};
  if (!is_absent(whole.error().code)) return errno_error(quoted(path), whole.error().code);
  // The parts' ends; of the first `low` we know that they are there, of the first `high` that they
  // aren't.
  std::vector<std::size_t> ends{0};
  for (std::size_t at = 1; at <= path.size(); ++at)
    if (at == path.size() || path[at] == '/') ends.push_back(at);
  std::size_t low = 0;
  std::size_t high = ends.size() - 1;
  auto top = open_at(root, "/");
  if (!top) return errno_error("the root", top.error().code);
  Found found{*std::move(top), ""};
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    auto fd = open_at(root, path.substr(0, ends[middle]));
    if (fd) {
      low = middle;
      found.fd = *std::move(fd);
    } else if (is_absent(fd.error().code)) {
      high = middle;
    } else {
      return errno_error(quoted(path.substr(0, ends[middle])), fd.error().code);
    }
  }
  const std::string next = path.substr(ends[low] + 1, ends[high] - ends[low] - 1);
  if (auto missing = is_missing(found.fd, next, path.substr(0, ends[high])); !missing)
    return std::move(missing).error();
  found.missing = path.substr(ends[low]);
  return found;
}

Status check_length(const std::string& path) {
  if (path.size() < PATH_MAX) return Ok{};
  return errno_error(quoted(path.substr(0, 64) + "…"), ENAMETOOLONG);
}

}  // namespace

Result<std::string> resolve_path(int root, std::string_view given) {
  if (given.empty() || given[0] != '/' || given.find('\0') != std::string_view::npos)
    return make_error(quoted(given.substr(0, 64)) + " is no absolute path");
  const std::string path = paths::clean(given);
  if (auto fine = check_length(path); !fine) return std::move(fine).error();
  for (int i = 0; i < kTries; ++i) {
    auto found = find(root, path);
    if (!found && found.error().code == EAGAIN) continue;
    if (!found) return std::move(found).error();
    const auto root_place = place_of(root);
    auto place = place_of(found->fd.get());
    if (!root_place || !place) return errno_error(quoted(path), ENAMETOOLONG);
    if (!*place) continue;  // deleted since
    if (!*root_place) return make_error("the distro's root is gone");
    auto inside = within(**place, **root_place);
    if (!inside) return make_error(quoted(path) + " lies outside of the distro's root");
    std::string out = *inside == "/" && !found->missing.empty() ? "" : *std::move(inside);
    out += found->missing;
    if (auto fine = check_length(out); !fine) return std::move(fine).error();
    if (!json_can_carry(out))
      return make_error(quoted(path) + " leads to " + quoted(out) +
                        ", which isn't UTF-8: the Docker API can't carry that");
    return out;
  }
  return Error{quoted(path) + " changes all the time", EAGAIN};
}

}  // namespace causeway::handover
