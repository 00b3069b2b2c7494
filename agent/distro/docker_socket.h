// The distro's docker.sock: bound and listened on here, accepted on by the agent, which gets the
// descriptor. Bound once, and again only when it is gone: who mounts it into a container holds on
// to the file. Never in place of another engine's.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/lifetime.h"
#include "base/unique_fd.h"
#include "distro/manifest.h"
#include "distro/root_files.h"
#include "handover/distro_report.h"
#include "io/loop.h"
#include "io/path_watch.h"
#include "io/timer.h"

namespace causeway::distro {

class DockerSocket {
 public:
  static constexpr const char* kPath = "/var/run/docker.sock";

  // `root` is the path of `files`, as this process sees it. `changed`: the socket is another one,
  // or there is something else to report; not called from within a call.
  DockerSocket(io::Loop& loop, const RootFiles& files, Manifest& manifest, std::string root,
               std::function<void()> changed);

  // Looks, and does what is to be done; from now on at each event of the directory too. To be
  // called when mounts changed: a new /run brings no event of the old one. `gid`: whom it belongs
  // to besides root.
  void ensure(std::optional<gid_t> gid);

  // A duplicate of the listening descriptor; none when a former helper has bound it, whose
  // descriptor the agent has.
  UniqueFd duplicate() const;
  // Where it is, free of links: "/run/docker.sock".
  const std::string& path() const { return path_; }
  // Grows with each binding.
  unsigned generation() const { return generation_; }
  const handover::DistroReport::Item& item() const { return item_; }

 private:
  using State = handover::DistroReport::State;
  void look();
  void look_at_socket(const struct stat& info);
  Status bind();
  void bind_or_rest();
  Status give_to_group();
  void settle(State state, std::string reason = "");
  void watch();

  io::Loop& loop_;
  const RootFiles& files_;
  Manifest& manifest_;
  std::string root_;
  std::function<void()> changed_;
  std::string path_;
  std::optional<gid_t> gid_;
  UniqueFd fd_;  // listening
  unsigned generation_ = 0;
  unsigned told_generation_ = 0;
  handover::DistroReport::Item item_;
  ino_t stale_inode_ = 0;  // somebody else's that nobody listens on, looked at again in a while
  io::Timer stale_timer_;
  io::Timer rest_timer_;  // after a failure, whose own events must not bring the next try
  Lifetime lifetime_;
  std::string watched_;  // directory and its identity
  std::unique_ptr<io::PathWatch> watch_;
};

}  // namespace causeway::distro
