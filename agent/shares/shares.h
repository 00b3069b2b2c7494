// Shares makes the files of the distros visible to the engine, at /mnt/distro/<name>, and Windows'
// drives at /mnt/host/<letter>; and it knows the distros: which there are, which run, what is
// integrated.
//
//   helper in a distro ── share.sock ──▶ HelperListener ──▶ HelperSessions ──▶ mounts below
//                                                             │                /mnt/distro
//                                                             └ handler, path_context() ──▶ wiring
//
// Names of distros are taken as WSL takes them: `ubuntu` is `Ubuntu`.
//
// The one sign of a stopped distro is its PID 1's end. Everything is found again after the agent's
// death: descriptors in init's store, RUN/shares.json, and the mounts themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fd_store/store_client.h"
#include "io/loop.h"
#include "paths/identity.h"
#include "paths/path_mapper.h"
#include "shares/distro_status.h"
#include "shares/walker.h"

namespace causeway::shares {

struct Options {
  std::string run = "/run/causeway";
  std::string data = "/data";                // DATA/causeway/distros.json: the known distros
  std::string docker_root = "/data/docker";  // dockerd's data, for the path map
  // Copied to <wsl>/docker-desktop/bin/causeway, for the helpers.
  std::string program = "/proc/self/exe";
  // A directory in the engine's root, handed read-only to the helpers; empty or missing: none.
  std::string tools = "/usr/local/lib/causeway";
  // WSL's shared tmpfs; empty: found in mountinfo. Without any there are no distros to share.
  std::string wsl;
  // A share whose `detaching` isn't done by then is detached all the same. The owner stops
  // containers with a second of grace each, at once, and has a bound of its own below this.
  std::uint64_t detach_ms = 8000;
  StartWalk start_walk = shares::start_walk;
};

struct Note {
  bool problem = false;
  std::string text;
};

// A socket on which the Docker API is to be served, and for whom.
struct ApiListener {
  std::string key;   // of this listener alone, until it is closed
  std::string path;  // for status: where clients see it
  paths::Identity identity;
  UniqueFd fd;
};

class Shares {
 public:
  // None is called from within a call, but for `listener` and `changed` in start(). A callback may
  // call Shares, but not destroy it.
  struct Handler {
    // A share is there, complete. Not called for those that start() finds again.
    std::function<void(const std::string& distro)> attached;
    // A distro has stopped or was disabled: `done` is to be called when no container uses the share
    // any more. It is detached then, and after detach_ms in any case.
    std::function<void(const std::string& distro, std::function<void()> done)> detaching;
    std::function<void(ApiListener)> listener;
    // That listener's distro has stopped, or its socket is another one: close it.
    std::function<void(const std::string& key)> listener_gone;
    std::function<void()> changed;  // something that distros() or notes() show
  };

  // `loop` and `store` outlive it.
  Shares(io::Loop& loop, fd_store::StoreClient& store, Options options, Handler handler);
  ~Shares();
  Shares(const Shares&) = delete;
  Shares& operator=(const Shares&) = delete;

  // Finds everything again, gives all API sockets to `listener`, accepts helpers. Call it before
  // dockerd is started. What fails stands in notes(): the engine works without shares.
  void start();

  // What the path map depends on. The reference stays good; the content changes between events.
  const paths::PathContext& path_context() const;

  std::vector<DistroStatus> distros() const;
  std::vector<Note> notes() const;

  bool known(std::string_view distro) const;
  bool attached(std::string_view distro) const;

  // Asks whoever starts distros (Windows) for this one: all subscribers are told. Nothing happens
  // for a distro that is attached, unknown or disabled.
  void request(std::string_view distro);
  // Names asked for and not there yet, for a subscriber that comes late.
  std::vector<std::string> wanted() const;
  // Whoever starts distros can't start this one: those who wait for it are told at once, and
  // `reason` is shown, until it is asked for again or comes by itself.
  void not_started(const std::string& distro, const std::string& reason);
  std::string why_not_started(const std::string& distro) const;  // that reason, or empty
  void on_wanted(std::function<void(const std::string& distro)> subscriber);

  // `done` is called once, never from within: true when the share is there, false after the time.
  void when_attached(std::string_view distro, std::uint64_t timeout_ms,
                     std::function<void(bool attached)> done);

  // Paths (clean, absolute) of the distro, free of links as the distro sees them; one answer for
  // each, in order. By the helper, else by a look at the share, within 5 s together. `done` is
  // called once, never from within.
  using Resolved = std::function<void(std::vector<Result<std::string>>)>;
  void resolve(std::string_view distro, std::vector<std::string> paths, Resolved done);

  // A path of the distro (absolute), links followed as there, as an O_PATH descriptor: see Walker.
  // Code ESRCH when its share isn't there.
  void open(std::string_view distro, const std::string& path, std::uint64_t timeout_ms,
            Walker::Opened opened);

  // Kept for good. Enabling calls refused helpers and asks for the distro as request() does: its
  // helper ended when it was disabled. Disabling has the helper undo the integration, and detaches
  // the share as if the distro had stopped. Errors: an unknown distro; the file can't be
  // written, then it counts until the agent ends.
  Status enable(std::string_view distro);
  Status disable(std::string_view distro);
  // Its record, its API socket and its share go, as if it had never been; its helper's next hello
  // brings it back. Errors: code ENOENT when nothing is known of it, EBUSY while its helper is
  // connected; else as above.
  Status forget(std::string_view distro);

  // Whoever starts helpers could not start this distro's: those who wait for it are told, and
  // `reason` is shown until a helper of it calls. Errors: what can't be a distro's name (code
  // EINVAL), or too many that nobody knows.
  Status helper_failed(std::string_view distro, const std::string& reason);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::shares
