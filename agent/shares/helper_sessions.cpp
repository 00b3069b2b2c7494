#include "shares/helper_sessions.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <set>
#include <utility>
#include <variant>

#include "base/log.h"
#include "base/overloaded.h"
#include "base/text.h"
#include "handover/share_socket.h"
#include "mounts/mount_calls.h"
#include "mounts/placeholder.h"
#include "paths/path_mapper.h"

namespace causeway::shares {
namespace {

// One helper a distro, and some that are just being replaced.
constexpr std::size_t kMostSessions = 128;
// An integration is some dozen files; a helper that takes longer is stuck.
constexpr std::uint64_t kRemovalMs = 10'000;
constexpr std::size_t kMostComplaints = 8;
// For the way to a mount's point below a file system that wants to be asked.
constexpr std::uint64_t kOpenMs = 2000;
// Names of distros that nobody knows, and that are shown for what went wrong with their helpers.
constexpr std::size_t kMostStrangers = 32;
// More mounts than any distro has; each holds a descriptor while they are collected.
constexpr std::size_t kMostMounts = 4096;

constexpr const char* kDisabled =
    "disabled with `causeway distro disable`; `causeway distro enable` integrates it again";

Result<UniqueFd> clone_tools(const std::string& path) {
  auto tree = mounts::clone_mount(path, false);
  if (!tree) return tree;
  if (auto done = mounts::protect(tree->get()); !done) return std::move(done).error().with(path);
  return tree;
}

// Where an open file is, as the kernel names it.
std::string shown_path(int fd) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return size < 0 ? "" : std::string(path.data(), static_cast<std::size_t>(size));
}

}  // namespace

HelperSessions::HelperSessions(io::Loop& loop, AttachedShares& attached, Walkers& walkers,
                               KnownDistros& known, Directories directories, Handler handler)
    : loop_(loop),
      attached_(attached),
      walkers_(walkers),
      known_(known),
      directories_(std::move(directories)),
      handler_(std::move(handler)) {}

HelperSessions::~HelperSessions() = default;

Status HelperSessions::start() {
  if (auto made = mounts::make_staging(directories_.staging); !made) return made;
  staging_ready_ = true;
  // Disabled, and the agent was killed before that was carried out.
  for (const auto& [name, enabled] : known_.all())
    if (!enabled) attached_.stop(name);
  // The list was lost, or the agent was killed between the share and the list.
  for (const auto& name : attached_.names()) {
    if (known_.has(name)) continue;
    if (auto done = known_.set(name, true); !done) complain(done.error().message);
    handler_.integrated(name);
  }
  return Ok{};
}

void HelperSessions::accept(UniqueFd connected) {
  if (sessions_.size() >= kMostSessions) {
    log::warning("shares.connection_refused", {{"reason", "too many helpers"}});
    return;
  }
  auto session = std::make_unique<HelperConnection>(loop_, std::move(connected),
                                                    static_cast<HelperConnection::Handler&>(*this));
  auto* key = session.get();
  sessions_.emplace(key, std::move(session));
}

// Why this helper can't be taken; empty when it can. A distro that was disabled is another matter.
std::string HelperSessions::objection(const handover::Hello& hello, int pidfd) {
  if (hello.version != handover::kVersion)
    return "the helper speaks version " + std::to_string(hello.version) +
           " of the hand-over, the agent version " + std::to_string(handover::kVersion);
  if (!staging_ready_) return "the agent has nowhere to attach shares; see `causeway status`";
  if (!is_pidfd(pidfd)) return "what came with the hello is no pidfd";
  if (has_ended(pidfd)) return "its distro has ended";
  // It may have ended without our having heard.
  if (const int old = attached_.pidfd(hello.distro); old >= 0 && has_ended(old))
    attached_.stop(hello.distro);
  const auto helper = helpers_.find(hello.distro);
  const int old = attached_.usable(hello.distro) ? attached_.pidfd(hello.distro)
                  : helper != helpers_.end()     ? helper->second.pidfd.get()
                                                 : -1;
  if (old >= 0 && !has_ended(old) && same_process(old, pidfd) == SameProcess::no)
    return "another distro of that name is integrated and runs";
  return {};
}

void HelperSessions::on_hello(HelperConnection& session, handover::Hello hello, UniqueFd pidfd) {
  const std::string name = hello.distro = spelling(hello.distro);
  if (!paths::valid_distro_name(name) || text::iequals(name, handover::kRendezvous)) {
    complain("a helper said it was in distro '" + text::printable(name) + "', which can't be");
    return session.refuse("no distro is called '" + name + "'", false);
  }
  if (known_.has(name) && !known_.enabled(name)) {
    log::info("share.refused", {{"distro", name}, {"reason", "disabled"}});
    return session.refuse(kDisabled, true);
  }
  if (auto why = objection(hello, pidfd.get()); !why.empty()) {
    log::warning("share.refused", {{"distro", name}, {"reason", why}});
    if (!note(refusals_, name, why)) complain("helpers of too many unknown distros were refused");
    session.refuse(std::move(why), false);
    return handler_.changed();
  }
  // The same distro's helper, started again before we heard of the old one's end.
  if (const auto old = helpers_.find(name); old != helpers_.end())
    end_session(*old->second.session);
  greet(session, std::move(hello), std::move(pidfd));
}

void HelperSessions::greet(HelperConnection& session, handover::Hello hello, UniqueFd pidfd) {
  const std::string name = hello.distro;
  refusals_.erase(name);
  failures_.erase(name);
  session.set_distro(name);
  log::info("share.helper_connected", {{"distro", name}, {"version", hello.helper_version}});
  auto& helper = helpers_[name];
  helper = {};
  helper.session = &session;
  helper.pidfd = std::move(pidfd);
  helper.table = std::move(hello.table);
  if (attached_.usable(name)) {
    helper.phase = Phase::resuming;
    attached_.set_table(name, helper.table);
  } else {
    helper.phase = Phase::arriving;
    begin_staging(name, helper);
  }
  session.send(handover::Welcome{});
  send_tools(session);
  handler_.changed();
}

void HelperSessions::send_tools(HelperConnection& session) {
  if (directories_.tools.empty()) return;
  auto tree = clone_tools(directories_.tools);
  if (tree) return session.send(handover::Tools{}, std::move(*tree));
  if (tree.error().code != ENOENT)
    log::warning("share.no_tools", {{"error", tree.error().message}});
}

void HelperSessions::on_message(HelperConnection& session, handover::Message message) {
  const std::string name = session.distro();
  const auto found = helpers_.find(name);
  if (found == helpers_.end() || found->second.session != &session) return;
  auto& helper = found->second;
  std::visit(
      Overloaded{
          [&](handover::Report& report) { on_report(name, std::move(report.report)); },
          [&](handover::Removed&) { on_removed(name, session); },
          [&](handover::Mount& mount) {
            on_mount(name, helper, std::move(mount), std::move(message.fd));
          },
          [&](handover::MountsDone&) { on_mounts_done(name, helper); },
          [&](handover::Unmounted& unmounted) { on_unmounted(name, helper, unmounted.point); },
          [&](handover::TableChanged& changed) {
            on_table(name, helper, std::move(changed.table));
          },
          [&](handover::Socket& socket) {
            on_socket(name, helper, {std::move(socket.path), std::move(message.fd)});
          },
          // The connection keeps these for itself.
          [](handover::Hello&) {},
          [](handover::Resolved&) {},
          [](handover::FromAgent auto&) {},
      },
      message.body);
}

void HelperSessions::on_report(const std::string& name, handover::DistroReport report) {
  reports_[name] = std::move(report);
  handler_.changed();
}

void HelperSessions::on_removed(const std::string& name, HelperConnection& session) {
  log::info("share.integration_removed", {{"distro", name}});
  reports_.erase(name);
  end_session(session);
}

// Of a helper whose share is there: until it has said all.
void HelperSessions::collect(const std::string& name, Helper& helper, handover::Mount mount,
                             UniqueFd tree) {
  const auto* record = attached_.record(name);
  // Where the kernel can't tell processes apart (before 6.9), two distros' disks tell.
  if (mount.point == "/" && record != nullptr) {
    const auto root = record->mounts.find("/");
    if (root != record->mounts.end() && root->second != SharedMount{mount.device, mount.root})
      return give_up(name, "another distro of that name is integrated and runs");
  }
  if (helper.sent.size() >= kMostMounts) return give_up(name, "it has too many mounts");
  helper.sent.emplace_back(std::move(mount), std::move(tree));
}

void HelperSessions::on_mount(const std::string& name, Helper& helper, handover::Mount mount,
                              UniqueFd tree, UniqueFd target) {
  const bool opened = static_cast<bool>(target);
  const SharedMount what{mount.device, mount.root};
  auto done = Status(Ok{});
  switch (helper.phase) {
    case Phase::arriving:
    case Phase::complete:
      if (helper.staged->tree.mounts().size() >= kMostMounts)
        return give_up(name, "it has too many mounts");
      if (auto added = helper.staged->tree.add(mount.point, what, tree.get(), std::move(target));
          !added)
        done = std::move(added).error();
      break;
    case Phase::resuming:
      return collect(name, helper, std::move(mount), std::move(tree));
    case Phase::attached:
      done = attached_.add_mount(name, mount.point, what, tree.get(), std::move(target));
      break;
    case Phase::removing:
      return;
  }
  if (done) return;
  if (mount.point == "/") return give_up(name, done.error().message);
  if (done.error().code == EAGAIN && !opened)
    return open_point(name, helper, std::move(mount), std::move(tree));
  // The rest of the distro is worth more than nothing.
  log::warning("share.mount_left_out",
               {{"distro", name}, {"point", mount.point}, {"error", done.error().message}});
  walkers_.of(name).drop(std::move(tree));
}

// Below a file system that the agent may not ask itself.
void HelperSessions::open_point(const std::string& name, const Helper& helper,
                                handover::Mount mount, UniqueFd tree) {
  UniqueFd root(
      ::open(base_of(name, helper).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const auto kept =
      std::make_shared<std::pair<handover::Mount, UniqueFd>>(std::move(mount), std::move(tree));
  walkers_.of(name).open_at(
      std::move(root), kept->first.point, kOpenMs,
      lifetime_.guard([this, name, session = helper.session, kept](auto target) {
        const auto found = helpers_.find(name);
        if (found == helpers_.end() || found->second.session != session) return;
        auto& [sent, clone] = *kept;
        // A link on the way leads to another place, which has no mount of ours.
        if (target && shown_path(target->get()) == base_of(name, found->second) + sent.point)
          return on_mount(name, found->second, std::move(sent), std::move(clone),
                          std::move(*target));
        log::warning("share.mount_left_out",
                     {{"distro", name},
                      {"point", sent.point},
                      {"error", target ? "another folder is there" : target.error().message}});
        walkers_.of(name).drop(std::move(clone));
      }));
}

// Where the helper's mounts go to.
std::string HelperSessions::base_of(const std::string& name, const Helper& helper) const {
  return helper.staged ? helper.staged->tree.base() : attached_.path_of(name);
}

// What it sent may be the last of a mount: the distro may have ended.
void HelperSessions::drop_sent(const std::string& name, Helper& helper) {
  for (auto& [mount, tree] : std::exchange(helper.sent, {}))
    walkers_.of(name).drop(std::move(tree));
}

void HelperSessions::on_mounts_done(const std::string& name, Helper& helper) {
  switch (helper.phase) {
    case Phase::arriving:
      helper.phase = Phase::complete;
      return try_attach(name);
    case Phase::resuming:
      helper.phase = Phase::attached;
      return catch_up(name, helper);
    case Phase::complete:
    case Phase::attached:
    case Phase::removing:
      return;
  }
}

// First what has gone, so that nothing is attached on it.
void HelperSessions::catch_up(const std::string& name, Helper& helper) {
  std::vector<std::string> points;
  for (const auto& [mount, tree] : helper.sent) points.push_back(mount.point);
  attached_.keep_mounts(name, points);
  const auto* session = helper.session;
  for (auto& [mount, tree] : std::exchange(helper.sent, {})) {
    on_mount(name, helper, std::move(mount), std::move(tree));
    if (this->helper(name) != session) return;  // it was given up
  }
}

void HelperSessions::on_unmounted(const std::string& name, Helper& helper,
                                  const std::string& point) {
  auto done = Status(Ok{});
  switch (helper.phase) {
    case Phase::arriving:
    case Phase::complete:
      done = helper.staged->tree.remove(point);
      break;
    case Phase::resuming:
      for (auto& [mount, tree] : helper.sent)
        if (mount.point == point) walkers_.of(name).drop(std::move(tree));
      std::erase_if(helper.sent, [&](const auto& sent) { return sent.first.point == point; });
      break;
    case Phase::attached:
      done = attached_.remove_mount(name, point);
      break;
    case Phase::removing:
      break;
  }
  if (!done)
    log::warning("share.mount_not_removed", {{"distro", name}, {"error", done.error().message}});
}

void HelperSessions::on_table(const std::string& name, Helper& helper, paths::MountTable table) {
  switch (helper.phase) {
    case Phase::arriving:
    case Phase::complete:
      helper.table = std::move(table);
      break;
    case Phase::resuming:
    case Phase::attached:
      helper.table = std::move(table);
      attached_.set_table(name, helper.table);
      break;
    case Phase::removing:
      break;
  }
}

void HelperSessions::on_socket(const std::string& name, Helper& helper, DistroSocket socket) {
  if (helper.phase == Phase::removing) return;
  if (auto good = check_socket(socket.fd.get()); !good) {
    log::warning("share.socket_refused",
                 {{"distro", name}, {"path", socket.path}, {"error", good.error().message}});
    return;
  }
  if (helper.staged)
    helper.staged->socket = std::move(socket);
  else
    attached_.set_socket(name, std::move(socket));
}

void HelperSessions::try_attach(const std::string& name) {
  const auto found = helpers_.find(name);
  if (found == helpers_.end()) return;
  auto& helper = found->second;
  if (helper.phase != Phase::complete || attached_.present(name)) return;
  if (has_ended(helper.pidfd.get())) return end_session(*helper.session);
  auto& staged = *helper.staged;
  if (!staged.tree.root()) return give_up(name, "it has no root to share");
  for (const auto& problem : staged.tree.add_engine_mounts(engine_wsl_, helper.table.wsl))
    log::warning("share.engine_mount", {{"distro", name}, {"error", problem.message}});
  UniqueFd pidfd(::fcntl(helper.pidfd.get(), F_DUPFD_CLOEXEC, 0));
  if (!pidfd) return give_up(name, "no descriptor is free");
  const bool is_new = !known_.has(name);
  if (is_new && known_.all().size() >= KnownDistros::kMost)
    return give_up(name, std::to_string(KnownDistros::kMost) +
                             " distros are known; `causeway distro forget` makes room");
  auto done =
      attached_.attach(name, std::move(pidfd), staged.tree, helper.table, std::move(staged.socket));
  if (!done) return give_up(name, done.error().message);
  if (auto saved = known_.set(name, true); !saved) complain(saved.error().message);
  if (is_new) handler_.integrated(name);
  helper.staged.reset();
  helper.phase = Phase::attached;
  discard_staging(name);
  handler_.attached(name);
}

void HelperSessions::detached(const std::string& name) {
  const auto found = helpers_.find(name);
  if (found == helpers_.end()) return;
  switch (found->second.phase) {
    case Phase::arriving:
      return;
    case Phase::complete:
      return try_attach(name);
    case Phase::resuming:
    case Phase::attached:
    case Phase::removing:
      // One whose distro has ended, and which has not been heard to end, can't come back; one that
      // was disabled is still to say what it could undo.
      if (known_.enabled(name)) end_session(*found->second.session);
      return;
  }
}

// This helper's share can't be; it may come again.
void HelperSessions::give_up(const std::string& name, std::string why) {
  log::error("share.refused", {{"distro", name}, {"reason", why}});
  const auto found = helpers_.find(name);
  if (found == helpers_.end()) return;
  if (!note(refusals_, name, why)) complain("helpers of too many unknown distros were refused");
  auto* session = found->second.session;
  drop_sent(name, found->second);
  helpers_.erase(found);
  discard_staging(name);
  session->set_distro({});
  session->refuse(std::move(why), false);
  handler_.changed();
}

void HelperSessions::forget(const std::string& name) {
  refusals_.erase(name);
  failures_.erase(name);
  reports_.erase(name);
}

bool HelperSessions::failed(const std::string& name, std::string why) {
  if (helper(name) != nullptr) return true;  // it is a later one
  return note(failures_, name, std::move(why));
}

void HelperSessions::disable(const std::string& name) {
  refusals_.erase(name);
  failures_.erase(name);
  const auto found = helpers_.find(name);
  if (found != helpers_.end()) {
    auto& helper = found->second;
    helper.phase = Phase::removing;
    drop_sent(name, helper);
    if (helper.staged) {
      helper.staged.reset();
      discard_staging(name);
    }
    helper.session->send(handover::Remove{});
    helper.removal = std::make_unique<io::Timer>(loop_);
    helper.removal->start(kRemovalMs, [this, name] {
      log::warning("share.removal_overdue", {{"distro", name}});
      if (const auto late = helpers_.find(name); late != helpers_.end())
        end_session(*late->second.session);
    });
  }
  attached_.stop(name);
}

void HelperSessions::end_session(HelperConnection& session) {
  on_closed(session, make_error("closed by us"));
}

void HelperSessions::on_closed(HelperConnection& session, const Error& why) {
  const auto kept = sessions_.find(&session);
  if (kept == sessions_.end()) return;
  const std::string name = session.distro();
  const auto found = helpers_.find(name);
  if (!name.empty()) log::info("share.helper_gone", {{"distro", name}, {"why", why.message}});
  if (found != helpers_.end() && found->second.session == &session) {
    const bool staged = found->second.staged.has_value();
    drop_sent(name, found->second);
    helpers_.erase(found);
    if (staged) discard_staging(name);
    if (!known_.has(name)) reports_.erase(name);
  }
  sessions_.erase(kept);
  handler_.changed();
}

std::string HelperSessions::staging_of(const std::string& name) const {
  return directories_.staging + "/" + name;
}

void HelperSessions::begin_staging(const std::string& name, Helper& helper) {
  discard_staging(name);
  // An error shows at the first mount.
  (void)::mkdir(staging_of(name).c_str(), 0700);
  const auto release = [this, name](UniqueFd tree) { walkers_.of(name).drop(std::move(tree)); };
  helper.staged = Staged{ShareTree(staging_of(name), {}, release), std::nullopt};
}

void HelperSessions::discard_staging(const std::string& name) {
  const auto release = [this, &name](UniqueFd tree) { walkers_.of(name).drop(std::move(tree)); };
  if (auto done = mounts::detach_all(staging_of(name), release); !done)
    log::warning("share.staging", {{"distro", name}, {"error", done.error().message}});
  (void)::rmdir(staging_of(name).c_str());
}

void HelperSessions::complain(std::string what) {
  if (std::find(complaints_.begin(), complaints_.end(), what) != complaints_.end()) return;
  if (complaints_.size() >= kMostComplaints) complaints_.erase(complaints_.begin());
  complaints_.push_back(std::move(what));
  handler_.changed();
}

// False: too many distros that nobody knows are shown already.
bool HelperSessions::note(ByDistro<std::string>& whose, const std::string& name, std::string why) {
  const auto strangers = std::count_if(whose.begin(), whose.end(),
                                       [&](const auto& item) { return !known_.has(item.first); });
  if (!known_.has(name) && !whose.contains(name) &&
      static_cast<std::size_t>(strangers) >= kMostStrangers)
    return false;
  whose.insert_or_assign(name, std::move(why));
  return true;
}

// As the name is known, or as the helper that is there says it.
std::string HelperSessions::spelling(const std::string& said) const {
  const auto helper = helpers_.find(said);
  return known_.has(said) || helper == helpers_.end() ? known_.spelling(said) : helper->first;
}

std::vector<std::string> HelperSessions::names() const {
  std::set<std::string, DistroNameLess> out;
  for (const auto& [name, helper] : helpers_) out.insert(name);
  for (const auto& [name, why] : refusals_) out.insert(name);
  for (const auto& [name, why] : failures_) out.insert(name);
  return {out.begin(), out.end()};
}

std::string HelperSessions::refusal(std::string_view name) const {
  const auto found = refusals_.find(name);
  return found == refusals_.end() ? "" : found->second;
}

std::string HelperSessions::failure(std::string_view name) const {
  const auto found = failures_.find(name);
  return found == failures_.end() ? "" : found->second;
}

HelperConnection* HelperSessions::helper(std::string_view name) const {
  const auto found = helpers_.find(name);
  return found == helpers_.end() ? nullptr : found->second.session;
}

bool HelperSessions::arriving(std::string_view name) const {
  const auto found = helpers_.find(name);
  return found != helpers_.end() && found->second.staged.has_value();
}

const paths::MountTable* HelperSessions::table(std::string_view name) const {
  const auto found = helpers_.find(name);
  return found == helpers_.end() ? nullptr : &found->second.table;
}

const handover::DistroReport* HelperSessions::report(std::string_view name) const {
  const auto found = reports_.find(name);
  return found == reports_.end() ? nullptr : &found->second;
}

}  // namespace causeway::shares
