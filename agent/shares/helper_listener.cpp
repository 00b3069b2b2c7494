#include "shares/helper_listener.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <utility>

#include "base/log.h"
#include "handover/share_socket.h"
#include "io/endpoint.h"

namespace causeway::shares {
namespace {

// The kernel tells of a file's end just before it drops the lock on it (__fput).
constexpr std::uint64_t kAfterCloseMs = 100;

}  // namespace

HelperListener::HelperListener(io::Loop& loop, Paths paths, std::function<void(UniqueFd)> accepted,
                               std::function<void()> changed)
    : loop_(loop),
      paths_(std::move(paths)),
      accepted_(std::move(accepted)),
      changed_(std::move(changed)),
      after_close_(loop) {}

void HelperListener::start() {
  // Each in its own folder, which is what is watched. Our own changes are seen too, and find
  // everything in order.
  const std::string directory = paths_.wsl + "/" + handover::kRendezvous;
  for (const auto& path :
       {directory, directory + "/run", directory + "/run/" + handover::kSocketName,
        directory + "/bin/" + handover::kProgramName}) {
    auto watch = io::PathWatch::start(loop_, path, [this] { check(); });
    if (watch)
      watches_.push_back(std::move(*watch));
    else
      log::warning("shares.not_watched", {{"path", path}, {"error", watch.error().message}});
  }
  check();
}

// At each event; while another one holds the lock, once more after it.
void HelperListener::check() {
  after_close_.stop();
  if (check_once()) return;
  after_close_.start(kAfterCloseMs, [this] { check_once(); });
}

// False: another one holds the lock.
bool HelperListener::check_once() {
  auto done = put_in_order();
  const bool held_elsewhere = !done && done.error().code == EWOULDBLOCK;
  std::string problem = done ? "" : done.error().message;
  if (problem == problem_) return !held_elsewhere;
  if (problem.empty())
    log::info("shares.rendezvous_in_order", {{"path", paths_.wsl + "/" + handover::kRendezvous}});
  else
    log::error("shares.rendezvous_refused", {{"error", problem}});
  problem_ = std::move(problem);
  changed_();
  return !held_elsewhere;
}

Status HelperListener::put_in_order() {
  auto directory = make_rendezvous_directory(paths_.wsl);
  if (directory && !directory->put_aside.empty()) put_aside_ = directory->put_aside;
  auto claimed = directory ? lock_.claim(directory->run.get()) : Status(directory.error());
  if (!claimed) {
    // Whoever took the directory must not get helpers through a socket that is still there.
    listener_.reset();
    socket_ = {};
    return claimed;
  }
  // The program first: a helper is started when it appears, and looks for the socket.
  auto installed = install_program(paths_.program, directory->bin.get(), handover::kProgramName);
  if (!installed) return std::move(installed).error();
  if (*installed) log::info("shares.program_installed");
  if (listener_) {
    const auto there = handover::file_id(directory->run.get(), handover::kSocketName);
    if (there && *there == socket_) return Ok{};
    log::warning("shares.socket_gone", {{"action", "bind it anew"}});
  }
  return listen(*directory);
}

Status HelperListener::listen(const RendezvousDirectory& directory) {
  listener_.reset();
  auto socket = handover::listen_in(directory.run.get(), handover::kSocketName);
  if (!socket) return std::move(socket).error();
  socket_ = socket->file;
  listener_ = std::make_unique<io::Listener>(
      loop_, std::move(socket->fd),
      [this](UniqueFd connected) { on_connection(std::move(connected)); });
  return Ok{};
}

void HelperListener::on_connection(UniqueFd connected) {
  const auto peer = io::peer_of(connected.get());
  if (!peer || peer->uid != 0) {
    log::warning("shares.connection_refused",
                 {{"reason", peer ? "its other end isn't root's" : peer.error().message}});
    return;
  }
  accepted_(std::move(connected));
}

void HelperListener::call_again() {
  if (!listener_) return;
  const auto run = handover::open_trusted(paths_.wsl, {handover::kRendezvous, "run"});
  if (!run || ::utimensat(run->get(), handover::kSocketName, nullptr, AT_SYMLINK_NOFOLLOW) != 0)
    log::warning("shares.not_called",
                 {{"error", run ? errno_error("touch the socket").message : run.error().message}});
}

}  // namespace causeway::shares
