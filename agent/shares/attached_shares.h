// AttachedShares are the shares at /mnt/distro: from the move out of the staging directory until
// the distro's PID 1 has ended and the share is detached again. A distro's docker.sock, which we
// accept on, lives and ends with its share.
//
//   attach ──▶ attached ──(PID 1 ended, or stop)──▶ detaching ──(owner done, or time over)──▶ gone
//
// What a killed agent leaves is found again. In order of writing: record, pidfd in the store,
// mount; and of removing: mount, directory, pidfd, record. So a mount without a pidfd is one whose
// distro can't be watched: it is detached, and its helper comes again. A pidfd or record without a
// mount is dropped, a directory without one removed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "fd_store/store_client.h"
#include "io/loop.h"
#include "io/poll.h"
#include "io/timer.h"
#include "mounts/placeholder.h"
#include "paths/mount_table.h"
#include "shares/share_record.h"
#include "shares/share_tree.h"

namespace causeway::shares {

// Whether two pidfds are of one process. Kernels before 6.9 don't tell.
enum class SameProcess { yes, no, unknown };
SameProcess same_process(int pidfd_a, int pidfd_b);
bool is_pidfd(int fd);
bool has_ended(int pidfd);

// A listening docker.sock of a distro.
struct DistroSocket {
  std::string path;  // in the distro
  UniqueFd fd;
};
// An error unless it is a unix stream socket that listens.
Status check_socket(int fd);

class AttachedShares {
 public:
  struct Options {
    std::string record;              // RUN/shares.json
    std::string directory;           // /mnt/distro
    std::uint64_t detach_ms = 8000;  // for the owner to be done with a share
    mounts::Release release = {};    // of what is taken away
  };
  // None is called from within a call but `listener`, `listener_gone` and `changed`. None may
  // destroy us.
  struct Handler {
    std::function<void(const std::string& distro, std::function<void()> done)> detaching;
    std::function<void(const std::string& distro)> detached;
    std::function<void(const std::string& distro, std::string key, DistroSocket)> listener;
    std::function<void(const std::string& key)> listener_gone;
    std::function<void()> changed;
  };
  // `loop` and `store` outlive it.
  AttachedShares(io::Loop& loop, fd_store::StoreClient& store, Options options, Handler handler);
  ~AttachedShares();

  // The placeholder, and everything that is there from before. After an error nothing can be
  // attached.
  Status start();

  // Moves the tree (complete, in the staging directory) to its path, and takes it over. After an
  // error nothing of it is there, and the tree is as it was.
  Status attach(const std::string& distro, UniqueFd pidfd, ShareTree& tree, paths::MountTable table,
                std::optional<DistroSocket> socket);
  // As if its distro had stopped.
  void stop(const std::string& distro);

  bool usable(std::string_view distro) const;   // attached, and not detaching
  bool present(std::string_view distro) const;  // attached or detaching
  std::vector<std::string> names() const;       // of usable ones
  // Of a usable share; -1 without one.
  int pidfd(std::string_view distro) const;
  std::string path_of(std::string_view distro) const {
    return options_.directory + "/" + std::string(distro);
  }
  // The record of a present share, or null.
  const ShareRecord* record(std::string_view distro) const;

  // Changes of a usable share, as ShareTree has them. The record is written before the mount is
  // made.
  Status add_mount(const std::string& distro, const std::string& point, const SharedMount& what,
                   int tree, UniqueFd target = {});
  Status remove_mount(const std::string& distro, const std::string& point);
  void keep_mounts(const std::string& distro, const std::vector<std::string>& points);
  void set_table(const std::string& distro, const paths::MountTable& table);
  void set_socket(const std::string& distro, DistroSocket socket);

  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct Share {
    explicit Share(io::Loop& loop, ShareTree attached) : tree(std::move(attached)), guard(loop) {}
    ShareTree tree;
    UniqueFd pidfd;
    std::uint64_t generation = 0;
    bool detaching = false;
    int socket = -1;  // to compare only; the listener owns it
    std::uint64_t socket_inode = 0;
    std::string listener_key;
    io::Timer guard;
    std::unique_ptr<io::Poll> end;  // stops first
  };

  void find_again(const std::string& name, bool mounted);
  void watch_end(const std::string& name, Share& share);
  void finish(const std::string& name, std::uint64_t generation);
  void listen_on(const std::string& name, Share& share, DistroSocket socket);
  void close_listener(const std::string& name, Share& share);
  void put(const std::string& slot, int fd);
  void drop(const std::string& slot);
  Status save();
  Share* find(std::string_view name);
  const Share* find(std::string_view name) const;

  io::Loop& loop_;
  fd_store::StoreClient& store_;
  const Options options_;
  Handler handler_;
  std::optional<mounts::Placeholder> placeholder_;
  ShareRecords records_;
  std::uint64_t generations_ = 0;
  std::uint64_t listeners_ = 0;
  std::vector<std::string> problems_;
  Lifetime lifetime_;
  std::map<std::string, std::unique_ptr<Share>, std::less<>> shares_;
};

}  // namespace causeway::shares
