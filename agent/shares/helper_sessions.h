// HelperSessions is the distros as their helpers tell of them: who may come, what is being put
// together, which share is there.
//
//   hello ──▶ refused (who, or what it says, can't be)
//     │ its share is not there                              its share is there, same distro │
//     ▼                                                                                     ▼
//   arriving ── mounts_done ──▶ complete ── no older share ──▶ attached ◀── mounts_done ── resuming
//     └─────────────┴──────── it was disabled ──▶ removing ◀──────┴────────────────────────┘
//
//   arriving   Mounts go to the staging directory. Its end drops them, and its name if that wasn't
//              known before: a name alone is remembered by nobody.
//   complete   All are there. An older share of that name is being detached; then the whole tree is
//              moved below /mnt/distro, so a share is visible as a whole and never in part.
//   resuming   The helper, or the agent, was started again. What it sends is collected: at
//              mounts_done what has gone is detached, and only then what is new attached.
//   attached   Mounts come and go at the share itself.
//   removing   It undoes the integration, and nothing else that it says counts. `removed` ends it,
//              or the time.
//
// The helper's end changes nothing at a share that is there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "handover/distro_report.h"
#include "io/loop.h"
#include "io/timer.h"
#include "shares/attached_shares.h"
#include "shares/distro_names.h"
#include "shares/helper_connection.h"
#include "shares/known_distros.h"
#include "shares/share_tree.h"
#include "shares/walkers.h"

namespace causeway::shares {

class HelperSessions final : private HelperConnection::Handler {
 public:
  struct Directories {
    std::string staging;  // RUN/staging
    std::string tools;    // to be handed to helpers; empty: none
  };
  struct Handler {
    std::function<void(const std::string& distro)> attached;
    std::function<void(const std::string& distro)> integrated;  // known from now on: it has a share
    std::function<void()> changed;
  };
  // All outlive it.
  HelperSessions(io::Loop& loop, AttachedShares& attached, Walkers& walkers, KnownDistros& known,
                 Directories directories, Handler handler);
  ~HelperSessions() override;

  Status start();
  // A connection whose other end is root's.
  void accept(UniqueFd connected);
  // AttachedShares says so.
  void detached(const std::string& distro);

  // The helper undoes the integration, the share goes.
  void disable(const std::string& distro);
  // Nothing of it is remembered. Not with a helper connected.
  void forget(const std::string& distro);
  // Whoever starts helpers says why this distro's couldn't be; until one calls. False: too many
  // distros nobody knows have failed.
  bool failed(const std::string& distro, std::string why);
  // Where the engine itself has WSL's shared tmpfs.
  void set_engine_wsl(std::string wsl) { engine_wsl_ = std::move(wsl); }

  // Null when none is connected.
  HelperConnection* helper(std::string_view distro) const;
  bool arriving(std::string_view distro) const;  // or complete
  // What its helper says; null when none is connected.
  const paths::MountTable* table(std::string_view distro) const;
  // Those with a helper, or without one and a reason for it.
  std::vector<std::string> names() const;
  // Why its helper was refused last, or couldn't be started, where nothing good came after; empty:
  // it wasn't.
  std::string refusal(std::string_view distro) const;
  std::string failure(std::string_view distro) const;
  const handover::DistroReport* report(std::string_view distro) const;
  // Refusals of what isn't even a distro's name, and the like.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  enum class Phase { arriving, complete, resuming, attached, removing };
  template <typename T>
  using ByDistro = std::map<std::string, T, DistroNameLess>;
  struct Staged {
    ShareTree tree;
    std::optional<DistroSocket> socket;
  };
  struct Helper {
    HelperConnection* session = nullptr;
    UniqueFd pidfd;
    paths::MountTable table;
    Phase phase = Phase::arriving;
    std::optional<Staged> staged;                            // while arriving or complete
    std::vector<std::pair<handover::Mount, UniqueFd>> sent;  // while resuming
    std::unique_ptr<io::Timer> removal;                      // while removing: the time for it
  };

  void on_hello(HelperConnection& session, handover::Hello hello, UniqueFd pidfd) override;
  void on_message(HelperConnection& session, handover::Message message) override;
  void on_closed(HelperConnection& session, const Error& why) override;

  std::string objection(const handover::Hello& hello, int pidfd);
  void greet(HelperConnection& session, handover::Hello hello, UniqueFd pidfd);
  void send_tools(HelperConnection& session);
  void on_report(const std::string& name, handover::DistroReport report);
  void on_removed(const std::string& name, HelperConnection& session);
  void on_mount(const std::string& name, Helper& helper, handover::Mount mount, UniqueFd tree,
                UniqueFd target = {});
  void open_point(const std::string& name, const Helper& helper, handover::Mount mount,
                  UniqueFd tree);
  std::string base_of(const std::string& name, const Helper& helper) const;
  void drop_sent(const std::string& name, Helper& helper);
  void on_mounts_done(const std::string& name, Helper& helper);
  void catch_up(const std::string& name, Helper& helper);
  void on_unmounted(const std::string& name, Helper& helper, const std::string& point);
  void on_socket(const std::string& name, Helper& helper, DistroSocket socket);
  void on_table(const std::string& name, Helper& helper, paths::MountTable table);
  void try_attach(const std::string& name);
  void give_up(const std::string& name, std::string why);
  void collect(const std::string& name, Helper& helper, handover::Mount mount, UniqueFd tree);
  void begin_staging(const std::string& name, Helper& helper);
  void discard_staging(const std::string& name);
  std::string staging_of(const std::string& name) const;
  void end_session(HelperConnection& session);
  void complain(std::string what);
  std::string spelling(const std::string& said) const;
  bool note(ByDistro<std::string>& whose, const std::string& name, std::string why);

  io::Loop& loop_;
  AttachedShares& attached_;
  Walkers& walkers_;
  KnownDistros& known_;
  const Directories directories_;
  Handler handler_;
  std::string engine_wsl_;
  bool staging_ready_ = false;
  ByDistro<std::string> refusals_;
  ByDistro<std::string> failures_;
  ByDistro<handover::DistroReport> reports_;
  std::vector<std::string> complaints_;
  Lifetime lifetime_;
  ByDistro<Helper> helpers_;
  std::map<HelperConnection*, std::unique_ptr<HelperConnection>> sessions_;  // goes first
};

}  // namespace causeway::shares
