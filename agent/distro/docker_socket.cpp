#include "distro/docker_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "distro/directories.h"
#include "distro/listening.h"
#include "handover/resolve.h"

namespace causeway::distro {
namespace {

constexpr const char* kDirectory = "/var/run";
constexpr const char* kName = "/docker.sock";
constexpr int kBacklog =
    1024;  // clients that may wait while the agent restarts; the kernel caps it
// Between its bind and its listen another engine's socket looks like one that is left over, and no
// event tells of the listen. Engines do both at once.
constexpr std::uint64_t kStaleMs = 1000;
constexpr std::uint64_t kRestMs = 5000;

Addition addition_of(const std::string& path) {
  Addition out;
  out.kind = Addition::Kind::socket;
  out.path = path;
  return out;
}

}  // namespace

DockerSocket::DockerSocket(io::Loop& loop, const RootFiles& files, Manifest& manifest,
                           std::string root, std::function<void()> changed)
    : loop_(loop),
      files_(files),
      manifest_(manifest),
      root_(root == "/" ? "" : std::move(root)),
      changed_(std::move(changed)),
      item_{"docker.sock", kPath, State::failed, "not bound yet"},
      stale_timer_(loop),
      rest_timer_(loop) {}

UniqueFd DockerSocket::duplicate() const {
  return UniqueFd(fd_ ? ::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3) : -1);
}

void DockerSocket::ensure(std::optional<gid_t> gid) {
  gid_ = gid;
  look();
  watch();
}

void DockerSocket::look() {
  if (rest_timer_.armed()) return;
  if (auto made = ensure_directories(files_, manifest_, kDirectory); !made)
    return settle(State::failed, made.error().message);
  const auto directory = handover::resolve_path(files_.fd(), kDirectory);
  if (!directory) return settle(State::failed, directory.error().message);
  path_ = *directory + kName;
  const auto there = files_.look(path_);
  if (!there) return settle(State::failed, there.error().message);
  if (*there && S_ISSOCK((*there)->st_mode)) return look_at_socket(**there);
  if (*there)
    return settle(State::left_alone, S_ISLNK((*there)->st_mode) ? "a link is in its place"
                                                                : "another file is in its place");
  bind_or_rest();
}

void DockerSocket::bind_or_rest() {
  stale_inode_ = 0;
  const auto bound = bind();
  if (bound) return settle(State::added);
  rest_timer_.start(kRestMs, [this] { look(); });
  settle(State::failed, bound.error().message);
}

void DockerSocket::look_at_socket(const struct stat& info) {
  const auto* noted = manifest_.find(addition_of(path_));
  const bool ours = noted != nullptr && is_noted_socket(info, *noted);
  if (ours && (fd_ || probe_socket(files_, path_) == Listening::somebody)) {
    const bool as_wanted = (info.st_mode & 07777) == 0660 && (!gid_ || info.st_gid == *gid_);
    const Status done = as_wanted ? Ok{} : give_to_group();
    return done ? settle(State::added) : settle(State::failed, done.error().message);
  }
  if (!ours && probe_socket(files_, path_) != Listening::nobody)
    return settle(State::left_alone, "another engine listens there");
  if (!ours && stale_inode_ != info.st_ino) {
    stale_inode_ = info.st_ino;
    stale_timer_.start(kStaleMs, [this] { look(); });
    return settle(State::left_alone, "a socket is in its place on which nobody listens (yet)");
  }
  if (!ours && stale_timer_.armed()) return;
  if (auto removed = files_.remove(path_); !removed)
    return settle(State::failed, removed.error().message);
  bind_or_rest();
}

// Not over anything: what appears there meanwhile is another engine's.
Status DockerSocket::bind() {
  fd_.reset();
  Addition addition = addition_of(path_);
  if (auto noted = manifest_.add(addition); !noted) return noted;
  const std::string path = root_ + path_;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return make_error(path_ + ": too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket");
  // Closed to all but root until it has its group (unix(7): the descriptor's mode counts).
  if (::fchmod(fd.get(), 0600) != 0) return errno_error("chmod the socket of " + path_);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return errno_error("bind " + path_);
  if (::listen(fd.get(), kBacklog) != 0) return errno_error("listen on " + path_);
  const auto info = files_.look(path_);
  if (!info || !*info) return make_error(path_ + " vanished while it was bound");
  note_socket(**info, addition);
  if (auto noted = manifest_.add(addition); !noted) {
    (void)files_.remove(path_).ok();  // else the next helper would take it for somebody else's
    return noted;
  }
  fd_ = std::move(fd);
  ++generation_;
  return give_to_group();
}

Status DockerSocket::give_to_group() {
  const std::string path = root_ + path_;
  if (gid_ && ::lchown(path.c_str(), 0, *gid_) != 0) return errno_error("chown " + path_);
  if (::chmod(path.c_str(), 0660) != 0) return errno_error("chmod " + path_);
  return Ok{};
}

void DockerSocket::settle(State state, std::string reason) {
  handover::DistroReport::Item item{"docker.sock", kPath, state, std::move(reason)};
  if (state == State::left_alone) fd_.reset();
  if (item == item_ && told_generation_ == generation_) return;
  item_ = std::move(item);
  told_generation_ = generation_;
  loop_.defer(lifetime_.guard([this] { changed_(); }));
}

// By directory and inode: what is mounted over the directory later is watched anew.
void DockerSocket::watch() {
  const auto slash = path_.rfind('/');
  if (slash == std::string::npos) return;
  const std::string directory = slash == 0 ? "/" : path_.substr(0, slash);
  struct stat info {};
  if (::stat((root_ + directory).c_str(), &info) != 0) return;
  const std::string identity =
      directory + " " + std::to_string(info.st_dev) + " " + std::to_string(info.st_ino);
  if (watch_ && watched_ == identity) return;
  auto started = io::PathWatch::start(loop_, root_ + path_, [this] { look(); });
  if (!started) return settle(State::failed, started.error().message);
  watch_ = *std::move(started);
  watched_ = identity;
  look();  // what happened before gives no event
}

}  // namespace causeway::distro
