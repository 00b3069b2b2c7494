// IntegratedDistro is all that the helper does, on one loop: what the agent says, what happens to
// mounts and files, and what is to be done then.
//
//   mountinfo ──▶ share_changes ──▶ mount, unmounted, table ──▶ AgentConnection ──▶ agent
//   /run, /usr/local/bin, /etc … ──▶ DockerSocket, links, accounts ──▶ socket, report ──▶
//
//   untouched ── welcome ──▶ integrated ── remove, or refused as disabled ──▶ undoing ──▶ ended
//       └───────────── remove, or refused as disabled ─────────────────────────▲
//
//   untouched    No agent has said welcome yet: the distro may be disabled. It stays so when the
//                manifest can't be read: mounts are shared, and nothing is added.
//   integrated   Socket, group, links and context are there, and are repaired when they change. The
//                default user may come, or become another one, at any time.
//   undoing      What was added is taken away. Where another program holds the accounts' lock, it
//                is tried again at the end of that, within a bound. Nothing is repaired now.
//   ended        Undone, or as far as it can be. Its last words are on their way.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "distro/account.h"
#include "distro/agent_connection.h"
#include "distro/docker_socket.h"
#include "distro/folder_watch.h"
#include "distro/manifest.h"
#include "distro/membership.h"
#include "distro/resolver.h"
#include "distro/root_files.h"
#include "distro/run.h"
#include "io/loop.h"
#include "io/timer.h"
#include "mounts/mount_watch.h"
#include "paths/mount_table.h"

namespace causeway::distro {

class IntegratedDistro : private AgentConnection::Owner {
 public:
  // `options` with its name. `ended`: the integration is undone (`whole`), or as far as it can be.
  IntegratedDistro(io::Loop& loop, const RootFiles& files, Options options,
                   std::function<void(bool whole)> ended);
  ~IntegratedDistro() override;

  // From now on. An error when not even the mounts can be watched.
  Status start();

 private:
  using Item = handover::DistroReport::Item;
  enum class Phase { untouched, integrated, undoing, ended };

  Result<handover::Message> hello() override;
  void on_welcome() override;
  void on_message(handover::Message message) override;
  void on_unwanted(const std::string& reason) override;
  void on_other_version() override;
  void on_lost() override {}

  void on_mounts_changed();
  void read_mounts();
  void send_mounts();
  void send_changes(const std::vector<paths::ShareMount>& before);
  void send_mount(const paths::ShareMount& mount);

  void integrate();
  void see_to_accounts();
  void send_socket();
  void take_tools(UniqueFd clone);
  void link_tools();
  void watch_folders();
  void on_folders_changed();
  void see_to_links();
  void see_to_accounts_in(std::uint64_t delay_ms);
  handover::DistroReport report() const;
  void send_report();

  bool leaving() const { return phase_ == Phase::undoing || phase_ == Phase::ended; }
  void remove(bool answer);
  void undo();
  void end();

  io::Loop& loop_;
  const RootFiles& files_;
  Options options_;
  std::function<void(bool)> ended_;
  std::optional<Account> user_;

  // The share.
  std::vector<paths::ShareMount> mounts_;
  paths::MountTable table_;
  paths::MountTable told_table_;         // in the hello
  std::vector<std::string> not_shared_;  // notes

  // The integration. No manifest: it can't be read, nothing is added.
  std::optional<Manifest> manifest_;
  std::string manifest_error_;
  Phase phase_ = Phase::untouched;
  bool answer_ = false;            // the agent waits for Removed
  std::vector<std::string> left_;  // why something can't be undone
  std::set<std::string> joined_;   // users who became members since we run
  bool had_tools_ = false;
  Membership membership_;
  std::vector<Item> context_;
  std::vector<Item> links_;
  std::optional<Item> tools_;
  std::optional<handover::DistroReport> told_;
  unsigned told_socket_ = 0;  // its generation

  std::unique_ptr<DockerSocket> socket_;
  // Accounts: the next look, and from when on what is missing is made again.
  io::Timer account_timer_;
  std::uint64_t repair_from_ms_ = 0;
  std::uint64_t repair_rest_ms_ = 0;
  bool was_whole_ = false;     // nothing was missing for this user at some time
  bool home_missing_ = false;  // the user's, so that there is no context yet
  // /etc, the directories of links, and a home that is to come; /etc alone while undoing.
  std::unique_ptr<FolderWatch> folder_watch_;
  std::string watched_;    // which directories these are
  std::string unwatched_;  // why changes aren't seen; empty: they are
  io::Timer undo_timer_;
  Resolver resolver_;
  AgentConnection link_;
  std::unique_ptr<mounts::MountWatch> mount_watch_;  // goes first
};

}  // namespace causeway::distro
