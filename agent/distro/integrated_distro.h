// IntegratedDistro is all that the helper does, on one loop: what the agent says, what happens to
// mounts and files, and what is to be done then.
//
//   mountinfo ──▶ share_changes ──▶ mount, unmounted, table ──▶ AgentConnection ──▶ agent
//   /run, /usr/local/bin … ──▶ DockerSocket, ToolLinks ──▶ socket, report ──▶
//
// Nothing in the distro is touched before the agent has said welcome: it may be disabled.
#pragma once

#include <functional>
#include <memory>
#include <optional>
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
#include "io/path_watch.h"
#include "io/timer.h"
#include "mounts/mount_watch.h"
#include "paths/mount_table.h"

namespace causeway::distro {

class IntegratedDistro : private AgentConnection::Host {
 public:
  // `options` with its name. `ended`: the integration is undone (`whole`), or as far as it can be.
  IntegratedDistro(io::Loop& loop, const RootFiles& files, Options options,
                   std::function<void(bool whole)> ended);
  ~IntegratedDistro() override;

  // From now on. An error when not even the mounts can be watched.
  Status start();

 private:
  using Item = handover::DistroReport::Item;

  Result<handover::Message> hello() override;
  void on_welcome() override;
  void on_message(handover::Message message) override;
  void on_unwanted(const std::string& reason) override;
  void on_lost() override {}

  void on_mounts_changed();
  void read_mounts();
  void send_mounts();
  void send_changes(const std::vector<paths::ShareMount>& before);
  void send_mount(const paths::ShareMount& mount);

  void integrate();
  void join_group();
  void send_socket();
  void take_tools(UniqueFd clone);
  void link_tools();
  void watch_links();
  void on_links_changed();
  void on_accounts_changed();
  handover::DistroReport report() const;
  void send_report();

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
  bool integrated_ = false;
  bool removing_ = false;
  bool answer_ = false;  // the agent waits for Removed
  bool ending_ = false;
  std::vector<std::string> left_;  // why something can't be undone
  bool joined_now_ = false;
  bool had_tools_ = false;
  Membership membership_;
  std::vector<Item> context_;
  std::vector<Item> links_;
  std::optional<Item> tools_;
  std::optional<handover::DistroReport> told_;
  unsigned told_socket_ = 0;  // its generation

  std::unique_ptr<DockerSocket> socket_;
  std::unique_ptr<io::PathWatch> account_watch_;
  std::unique_ptr<FolderWatch> link_watch_;
  std::string watched_links_;  // which directories these are
  io::Timer undo_timer_;
  Resolver resolver_;
  AgentConnection link_;
  std::unique_ptr<mounts::MountWatch> mount_watch_;  // goes first
};

}  // namespace causeway::distro
