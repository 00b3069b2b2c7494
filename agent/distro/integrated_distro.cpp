#include "distro/integrated_distro.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <variant>

#include "base/log.h"
#include "base/overloaded.h"
#include "base/text.h"
#include "distro/agents_program.h"
#include "distro/docker_context.h"
#include "distro/share_changes.h"
#include "distro/tool_links.h"
#include "distro/tools_mount.h"
#include "distro/undo.h"
#include "handover/message.h"
#include "handover/resolve.h"
#include "mounts/mount_calls.h"

namespace causeway::distro {
namespace {

using handover::DistroReport;
using State = DistroReport::State;

// Each is a descriptor on its way to the agent. Parents come first, so none is without its own.
constexpr std::size_t kMaxMounts = 512;
// How long an undo waits for another program's lock on the accounts; an editor may hold it for
// ever.
constexpr std::uint64_t kUndoMs = 10'000;
constexpr const char* kFirstUser = "1000";  // that is whom distros' set-ups make first
// Making a user changes several files, one after the other; and of a lock's end the kernel tells
// just before it is one (__fput).
constexpr std::uint64_t kSettleMs = 100;
// Between two repairs of the accounts: somebody may take away what we add, each time.
constexpr std::uint64_t kFirstRestMs = 1000;
constexpr std::uint64_t kLongestRestMs = 60'000;

// WSL's order: the distro's own configuration, then what Windows has in its registry, which is what
// the one who starts us says.
std::optional<Account> find_user(const RootFiles& files, const std::string& wanted) {
  // NixOS has links into its store there.
  const auto passwd = files.read_followed("/etc/passwd");
  if (!passwd) return std::nullopt;
  const auto conf = files.read_followed("/etc/wsl.conf");
  if (const auto named = conf ? default_user(*conf) : std::nullopt)
    if (auto account = find_account(*passwd, *named)) return account;
  return find_account(*passwd, wanted.empty() ? kFirstUser : wanted);
}

Result<UniqueFd> open_pid_one() {
  const long fd = ::syscall(SYS_pidfd_open, 1, 0);
  if (fd < 0) return errno_error("pidfd_open of PID 1");
  return UniqueFd(static_cast<int>(fd));
}

// Only when it is what runs: another one there is of a later helper, or of nobody we know.
void remove_program(const RootFiles& files) {
  std::array<char, 64> link{};
  const ssize_t size = ::readlink("/proc/self/exe", link.data(), link.size());
  if (size <= 0 || std::string_view(link.data(), static_cast<std::size_t>(size)) != kProgram)
    return;
  if (files.remove(kProgram)) (void)files.remove_directory(kProgramDirectory).ok();
}

}  // namespace

IntegratedDistro::IntegratedDistro(io::Loop& loop, const RootFiles& files, Options options,
                                   std::function<void(bool)> ended)
    : loop_(loop),
      files_(files),
      options_(std::move(options)),
      ended_(std::move(ended)),
      account_timer_(loop),
      undo_timer_(loop),
      resolver_(
          loop,
          // Also in a thread that outlives us: by value, and on a descriptor of its own.
          [root = std::make_shared<UniqueFd>(::fcntl(files.fd(), F_DUPFD_CLOEXEC, 3))](
              const std::string& path) {
            auto resolved = handover::resolve_path(root->get(), path);
            return resolved ? handover::Resolution{*std::move(resolved), ""}
                            : handover::Resolution{"", resolved.error().message};
          },
          [this](std::int64_t ticket, std::vector<handover::Resolution> results) {
            for (auto& part : handover::resolved_messages(ticket, std::move(results)))
              link_.send(std::move(part.body));
          }),
      link_(loop, *this) {}

IntegratedDistro::~IntegratedDistro() = default;

Status IntegratedDistro::start() {
  auto manifest = Manifest::load(files_);
  if (manifest) {
    manifest_ = *std::move(manifest);
  } else {
    manifest_error_ = manifest.error().message;
    log::error("manifest.unreadable", {{"error", manifest_error_}});
  }
  // At once: a path on a new mount may be in somebody's next request.
  auto watch = mounts::MountWatch::start(loop_, 0, [this] { on_mounts_changed(); });
  if (!watch) return std::move(watch).error();
  mount_watch_ = *std::move(watch);
  return Ok{};
}

// --- The share.

void IntegratedDistro::read_mounts() {
  const auto mounts = mounts::own_mounts();
  if (!mounts) {
    log::error("mounts.unreadable", {{"error", mounts.error().message}});
    return;
  }
  mounts_ = paths::plan_share(*mounts);
  if (mounts_.size() > kMaxMounts) {
    log::warning("mounts.too_many", {{"mounts", mounts_.size()}, {"shared", kMaxMounts}});
    mounts_.resize(kMaxMounts);
  }
  table_ = paths::summarize(*mounts);
  if (!options_.wsl.empty()) table_.wsl = options_.wsl;
}

void IntegratedDistro::on_mounts_changed() {
  const auto before = mounts_;
  const auto table_before = table_;
  read_mounts();
  if (link_.talking()) {
    send_changes(before);
    if (table_ != table_before) link_.send(handover::TableChanged{table_});
  }
  if (leaving()) return;
  if (phase_ == Phase::integrated) {
    socket_->ensure(membership_.gid);
    // Nothing of it is left to attach again: the agent sends it at a hello.
    if (had_tools_ && !tools_attached(files_)) {
      had_tools_ = false;
      log::warning("tools.gone");
      link_.renew();
    }
    watch_folders();
    send_report();
  }
  link_.look(table_.wsl);
}

void IntegratedDistro::send_mount(const paths::ShareMount& mount) {
  auto note = [&](const std::string& why) {
    log::warning("mount.not_shared", {{"point", mount.point}, {"reason", why}});
    not_shared_.push_back(text::printable(mount.point) + " can't be shared: " + why);
  };
  if (!handover::json_can_carry(mount.point) || !handover::json_can_carry(mount.root))
    return note("its path isn't UTF-8");
  auto clone = clone_mount(mount);
  if (!clone) return note(clone.error().message);
  link_.send(handover::Mount{mount.point, mount.device, mount.root, mount.fs_type},
             *std::move(clone));
}

void IntegratedDistro::send_mounts() {
  not_shared_.clear();
  for (const auto& mount : mounts_) send_mount(mount);
  link_.send(handover::MountsDone{});
}

void IntegratedDistro::send_changes(const std::vector<paths::ShareMount>& before) {
  const auto changes = share_changes(before, mounts_);
  for (const auto& point : changes.gone)
    if (handover::json_can_carry(point)) link_.send(handover::Unmounted{point});
  for (const auto& mount : changes.there) send_mount(mount);
}

// --- What the agent says.

Result<handover::Message> IntegratedDistro::hello() {
  auto pid_one = open_pid_one();
  if (!pid_one) return std::move(pid_one).error();
  told_table_ = table_;
  return handover::Message{
      handover::Hello{handover::kVersion, options_.name, CAUSEWAY_VERSION, table_},
      *std::move(pid_one)};
}

void IntegratedDistro::on_welcome() {
  told_.reset();
  told_socket_ = 0;
  if (table_ != told_table_) link_.send(handover::TableChanged{table_});
  send_mounts();
  if (phase_ == Phase::untouched) integrate();
  send_socket();
  send_report();
}

void IntegratedDistro::on_message(handover::Message message) {
  if (leaving()) return;
  const auto unexpected = [&] {
    log::warning("agent.unexpected", {{"type", handover::type_name(message.body)}});
  };
  std::visit(Overloaded{
                 [&](handover::Resolve& resolve) {
                   resolver_.ask(resolve.ticket, std::move(resolve.paths));
                 },
                 [&](handover::Tools&) { take_tools(std::move(message.fd)); },
                 [&](handover::Remove&) { remove(true); },
                 [&](handover::Welcome&) { unexpected(); },
                 [&](handover::Refused&) { unexpected(); },
                 [&](handover::FromHelper auto&) { unexpected(); },
             },
             message.body);
}

void IntegratedDistro::on_unwanted(const std::string&) { remove(false); }

// What stands in the distro stays: the program that follows goes on with it, as after a kill.
void IntegratedDistro::on_other_version() {
  if (auto done = become_agents_program(files_, table_.wsl); !done)
    log::warning("helper.not_replaced", {{"error", done.error().message}});
}

// --- The integration.

void IntegratedDistro::integrate() {
  if (!manifest_) return;
  phase_ = Phase::integrated;
  see_to_accounts();
  socket_ = std::make_unique<DockerSocket>(loop_, files_, *manifest_, options_.root, [this] {
    send_socket();
    send_report();
  });
  socket_->ensure(membership_.gid);
  had_tools_ = tools_attached(files_);
  if (had_tools_) tools_ = Item{"tools", kToolsPath, State::added, ""};
  watch_folders();
}

// The default user and the group, as they are now. What is missing is made, with a growing rest
// where somebody takes it away each time.
void IntegratedDistro::see_to_accounts() {
  account_timer_.stop();
  const auto now = loop_.now_ms();
  const bool rests = now < repair_from_ms_;
  const auto before = std::exchange(user_, find_user(files_, options_.user));
  membership_ = ensure_membership(files_, *manifest_, user_, rests ? Repair::later : Repair::now);
  if (membership_.joined_now) joined_.insert(user_->name);
  if (user_ != before) was_whole_ = false;
  if (membership_.changed && was_whole_) {
    const bool calm = now >= repair_from_ms_ + kLongestRestMs;
    repair_rest_ms_ =
        calm ? kFirstRestMs : std::min(std::max(2 * repair_rest_ms_, kFirstRestMs), kLongestRestMs);
    repair_from_ms_ = now + repair_rest_ms_;
  }
  was_whole_ = was_whole_ || (!membership_.put_off && !membership_.locked);
  if (membership_.put_off) see_to_accounts_in(repair_from_ms_ - now);
  // useradd(8) makes the home when the accounts are written.
  if (user_ != before || home_missing_)
    context_ = ensure_context(files_, *manifest_, user_, table_.drives);
  home_missing_ = user_ && context_.empty() && user_->home.size() > 1 && user_->home[0] == '/';
}

void IntegratedDistro::see_to_accounts_in(std::uint64_t delay_ms) {
  account_timer_.start(delay_ms, [this] {
    if (phase_ == Phase::undoing) return undo();
    if (phase_ != Phase::integrated) return;
    see_to_accounts();
    socket_->ensure(membership_.gid);
    watch_folders();
    send_report();
  });
}

void IntegratedDistro::send_socket() {
  if (!socket_ || !link_.talking() || told_socket_ == socket_->generation()) return;
  auto fd = socket_->duplicate();
  if (!fd) return;
  told_socket_ = socket_->generation();
  log::info("socket.sent", {{"path", socket_->path()}});
  link_.send(handover::Socket{socket_->path()}, std::move(fd));
}

void IntegratedDistro::take_tools(UniqueFd clone) {
  if (!manifest_) return;
  const auto done = attach_tools(files_, *manifest_, clone);
  had_tools_ = done.ok();
  tools_ = Item{"tools", kToolsPath, State::added, ""};
  if (!done) {
    tools_->state = done.error().code == ENOTEMPTY ? State::left_alone : State::failed;
    tools_->reason = done.error().message;
    log::warning("tools.not_attached", {{"error", done.error().message}});
  } else {
    link_tools();
  }
  send_report();
}

void IntegratedDistro::link_tools() {
  links_ = ensure_links(files_, *manifest_);
  watch_folders();  // of the directories that there are now
}

// Anew when a directory is another one: made since, or something was mounted over it, which gives
// no event of its own. One watch for all: see folder_watch.h.
void IntegratedDistro::watch_folders() {
  std::vector<std::string> folders{"/etc"};
  if (had_tools_) {
    auto links = link_directories();
    folders.insert(folders.end(), links.begin(), links.end());
  }
  if (home_missing_) folders.push_back(user_->home);
  std::string which;
  for (auto& folder : folders) {
    const auto fd = files_.open_at(folder, O_PATH);
    struct stat info {};
    if (fd && ::fstat(fd->get(), &info) == 0)
      which += std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
    which += ' ';
    folder.insert(0, options_.root);
  }
  if (which == std::exchange(watched_, which)) return;
  folder_watch_.reset();
  auto watch = FolderWatch::start(loop_, std::move(folders), [this] { on_folders_changed(); });
  unwatched_ = watch ? "" : watch.error().message;
  if (watch) {
    folder_watch_ = *std::move(watch);
  } else {
    watched_.clear();  // to be tried again
    log::warning("folders.unwatched", {{"error", unwatched_}});
  }
  on_folders_changed();  // what happened before gives no event
}

void IntegratedDistro::on_folders_changed() {
  if (phase_ != Phase::undoing && phase_ != Phase::integrated) return;
  if (!account_timer_.armed()) see_to_accounts_in(kSettleMs);
  see_to_links();
}

void IntegratedDistro::see_to_links() {
  // Without them all links would seem to be of tools that are no more.
  if (!had_tools_ || leaving() || !tools_attached(files_)) return;
  links_ = ensure_links(files_, *manifest_);
  send_report();
}

DistroReport IntegratedDistro::report() const {
  DistroReport out;
  if (!manifest_)
    out.items.push_back({"manifest", Manifest::kPath, State::failed, manifest_error_});
  if (socket_) out.items.push_back(socket_->item());
  const auto add = [&](const std::vector<Item>& items) {
    out.items.insert(out.items.end(), items.begin(), items.end());
  };
  add(membership_.items);
  if (tools_) out.items.push_back(*tools_);
  add(links_);
  add(context_);
  if (user_ && joined_.contains(user_->name))
    out.notes.push_back("open a new shell: those that run don't know yet that " + user_->name +
                        " is in the group docker");
  if (phase_ == Phase::integrated && !user_)
    out.notes.push_back("the distro's default user isn't in /etc/passwd: only root can use docker");
  // NixOS and Guix System have their programs there, and no other folder in PATH.
  const auto elsewhere = files_.look("/run/current-system");
  if (had_tools_ && elsewhere && *elsewhere)
    out.notes.emplace_back(
        "shells of this distro may not look in /usr/local/bin, where docker is: add it to PATH");
  if (!unwatched_.empty())
    out.notes.push_back("changes of accounts and links here aren't seen: " + unwatched_);
  out.notes.insert(out.notes.end(), not_shared_.begin(), not_shared_.end());
  return out;
}

void IntegratedDistro::send_report() {
  if (!link_.talking()) return;
  auto now = report();
  if (told_ && *told_ == now) return;
  told_ = now;
  link_.send(handover::Report{std::move(now)});
}

// --- The end.

void IntegratedDistro::remove(bool answer) {
  if (leaving()) return;
  log::info("remove");
  phase_ = Phase::undoing;
  answer_ = answer;
  socket_.reset();
  folder_watch_.reset();
  account_timer_.stop();
  if (!manifest_) {
    left_.push_back(manifest_error_);
    return end();
  }
  undo_timer_.start(kUndoMs, [this] { end(); });
  undo();
}

// Again, when something is left since another program changes accounts right now.
void IntegratedDistro::undo() {
  if (phase_ == Phase::ended) return;
  bool locked = false;
  bool failed = false;
  left_.clear();
  const auto note = [&](const Error& error) {
    log::warning("undo", {{"error", error.message}});
    left_.push_back(error.message);
    (error.code == EAGAIN ? locked : failed) = true;
  };
  if (auto done = detach_tools(files_); !done) note(done.error());
  for (const auto& error : undo_all(files_, *manifest_, [](const Addition&) { return true; }))
    note(error);
  if (failed || !locked) return end();
  // Who holds the lock closes its file at last.
  if (folder_watch_) return;
  auto watch =
      FolderWatch::start(loop_, {options_.root + "/etc"}, [this] { on_folders_changed(); });
  if (!watch) return end();
  folder_watch_ = *std::move(watch);
  on_folders_changed();
}

void IntegratedDistro::end() {
  if (std::exchange(phase_, Phase::ended) == Phase::ended) return;
  undo_timer_.stop();
  account_timer_.stop();
  const bool whole = left_.empty();
  if (whole) remove_program(files_);
  if (answer_) {
    DistroReport report;
    for (const auto& reason : left_) report.items.push_back({"undo", "", State::failed, reason});
    link_.send(handover::Report{std::move(report)});
    link_.send(handover::Removed{});
  }
  link_.finish([this, whole] { ended_(whole); });
}

}  // namespace causeway::distro
