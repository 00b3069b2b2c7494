#include "walk/gated_walk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/unique_fd.h"

namespace causeway::walk {
namespace {

constexpr int kMostLinks = 40;  // the kernel's own bound, MAXSYMLINKS

struct Place {
  UniqueFd fd;
  int mount = 0;
  bool link = false;
};

// What the kernel knows of a file without asking the file system.
std::optional<Place> at(UniqueFd fd) {
  if (!fd) return std::nullopt;
  struct statx info {};
  const int flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
  if (::statx(fd.get(), "", flags, STATX_TYPE | STATX_MNT_ID, &info) != 0) return std::nullopt;
  return Place{std::move(fd), static_cast<int>(info.stx_mnt_id), S_ISLNK(info.stx_mode)};
}

void put_in_front(std::deque<std::string>& parts, std::string_view path) {
  const auto more = text::split(path, '/');
  parts.insert(parts.begin(), more.begin(), more.end());
}

}  // namespace

Status gated_walk(int root, std::string_view path, const std::function<Status(int)>& enter) {
  auto top = at(UniqueFd(::fcntl(root, F_DUPFD_CLOEXEC, 0)));
  if (!top) return errno_error("the root");
  if (auto may = enter(top->mount); !may) return may;
  std::vector<Place> way;  // from the root down
  way.push_back(*std::move(top));
  std::deque<std::string> parts;
  put_in_front(parts, path);
  for (int links = 0; !parts.empty();) {
    const std::string name = std::move(parts.front());
    parts.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    auto next =
        at(UniqueFd(::openat(way.back().fd.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)));
    if (!next) return Ok{};
    if (next->mount != way.back().mount)
      if (auto may = enter(next->mount); !may) return may;
    if (!next->link) {
      way.push_back(*std::move(next));
      continue;
    }
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(next->fd.get(), "", target.data(), target.size());
    if (size <= 0 || ++links > kMostLinks) return Ok{};
    if (target[0] == '/') way.resize(1);
    put_in_front(parts, {target.data(), static_cast<std::size_t>(size)});
  }
  return Ok{};
}

}  // namespace causeway::walk
