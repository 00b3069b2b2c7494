#include "shares/attached_shares.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "paths/path_mapper.h"

namespace causeway::shares {
namespace {

// linux/magic.h of 6.9: each process has an inode of its own there.
constexpr unsigned long kPidFs = 0x50494446;

std::uint64_t inode_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

bool on_pidfs(int fd) {
  struct statfs info {};
  return ::fstatfs(fd, &info) == 0 && static_cast<unsigned long>(info.f_type) == kPidFs;
}

}  // namespace

SameProcess same_process(int pidfd_a, int pidfd_b) {
  if (!on_pidfs(pidfd_a) || !on_pidfs(pidfd_b)) return SameProcess::unknown;
  return inode_of(pidfd_a) == inode_of(pidfd_b) ? SameProcess::yes : SameProcess::no;
}

bool is_pidfd(int fd) {
  // Signal 0 does nothing. A process of another PID namespace may not be signalled (EINVAL), an
  // ended one can't be (ESRCH); only what is no pidfd at all is EBADF.
  return ::syscall(SYS_pidfd_send_signal, fd, 0, nullptr, 0) == 0 || errno != EBADF;
}

bool has_ended(int pidfd) {
  pollfd state{pidfd, POLLIN, 0};
  return ::poll(&state, 1, 0) == 1;
}

Status check_socket(int fd) {
  const auto option = [&](int name) {
    int value = 0;
    socklen_t size = sizeof(value);
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
  };
  if (option(SO_DOMAIN) != AF_UNIX || option(SO_TYPE) != SOCK_STREAM)
    return make_error("not a unix stream socket");
  if (option(SO_ACCEPTCONN) != 1) return make_error("it doesn't listen");
  return Ok{};
}

AttachedShares::AttachedShares(io::Loop& loop, fd_store::StoreClient& store, Options options,
                               Handler handler)
    : loop_(loop), store_(store), options_(std::move(options)), handler_(std::move(handler)) {}

AttachedShares::~AttachedShares() = default;

Status AttachedShares::start() {
  auto placeholder = mounts::Placeholder::at(options_.directory, options_.release);
  if (!placeholder) return std::move(placeholder).error();
  placeholder_ = std::move(*placeholder);
  auto text = file::read(options_.record, 16 << 20);
  if (text) {
    auto parsed = parse_share_records(*text);
    if (parsed)
      records_ = std::move(*parsed);
    else
      problems_.push_back(options_.record + ": " + parsed.error().message);
  } else if (text.error().code != ENOENT) {
    problems_.push_back(text.error().message);
  }
  auto there = placeholder_->names();
  if (!there) return std::move(there).error();
  std::set<std::string> names(there->begin(), there->end());
  for (const auto& [name, record] : records_) names.insert(name);
  for (const auto& name : names) find_again(name, placeholder_->mounted(name));
  return save();
}

void AttachedShares::find_again(const std::string& name, bool mounted) {
  const SlotNames slots(name);
  UniqueFd pidfd = store_.take(slots.pid);
  UniqueFd socket = store_.take(slots.sock);
  if (!mounted) {
    // The agent died between the record and the mount, or between the unmount and the record.
    if (auto done = placeholder_->detach(name); !done)
      problems_.push_back("a leftover: " + done.error().message);
    if (pidfd) drop(slots.pid);
    if (socket) drop(slots.sock);
    records_.erase(name);
    return;
  }
  auto& record = records_[name];
  auto share = std::make_unique<Share>(
      loop_, ShareTree(placeholder_->path_of(name), record.mounts, options_.release));
  share->pidfd = std::move(pidfd);
  share->generation = ++generations_;
  auto& kept = *(shares_[name] = std::move(share));
  const bool alive = kept.pidfd && !has_ended(kept.pidfd.get());
  log::info("share.found", {{"distro", name}, {"alive", alive}, {"mounts", record.mounts.size()}});
  if (!alive) {
    if (socket) drop(slots.sock);
    stop(name);
    return;
  }
  if (socket) listen_on(name, kept, {record.socket, std::move(socket)});
  watch_end(name, kept);
}

void AttachedShares::watch_end(const std::string& name, Share& share) {
  share.end = std::make_unique<io::Poll>(loop_, share.pidfd.get(), [this, name](unsigned) {
    log::info("share.distro_stopped", {{"distro", name}});
    stop(name);
  });
  share.end->watch(io::Poll::readable);
}

Status AttachedShares::attach(const std::string& name, UniqueFd pidfd, ShareTree& tree,
                              paths::MountTable table, std::optional<DistroSocket> socket) {
  if (!placeholder_) return make_error("there is no place for shares");
  if (present(name)) return make_error("a share of that name is there");
  auto root = tree.open_root();
  if (!root) return std::move(root).error();
  const SlotNames slots(name);
  records_[name] = {std::move(table), socket ? socket->path : "", tree.mounts()};
  auto done = save();
  if (done) {
    put(slots.pid, pidfd.get());
    done = placeholder_->attach(root->get(), name);
    if (!done) drop(slots.pid);
  }
  if (!done) {
    records_.erase(name);
    (void)save();
    return done;
  }
  tree.moved(placeholder_->path_of(name));
  auto share = std::make_unique<Share>(loop_, std::move(tree));
  share->pidfd = std::move(pidfd);
  share->generation = ++generations_;
  auto& kept = *(shares_[name] = std::move(share));
  if (socket) {
    put(slots.sock, socket->fd.get());
    listen_on(name, kept, std::move(*socket));
  }
  watch_end(name, kept);
  log::info("share.attached", {{"distro", name}, {"mounts", kept.tree.mounts().size()}});
  handler_.changed();
  return Ok{};
}

void AttachedShares::stop(const std::string& name) {
  Share* share = find(name);
  if (share == nullptr || share->detaching) return;
  share->detaching = true;
  share->end.reset();
  // Its clients are gone, and the socket keeps a file system of the distro busy.
  close_listener(name, *share);
  const auto generation = share->generation;
  const auto finish_later = lifetime_.guard([this, name, generation] {
    loop_.defer(lifetime_.guard([this, name, generation] { finish(name, generation); }));
  });
  share->guard.start(options_.detach_ms, [this, name, generation] {
    log::warning("share.detach_overdue", {{"distro", name}, {"action", "detach it now"}});
    finish(name, generation);
  });
  loop_.defer(lifetime_.guard([this, name, finish_later]() mutable {
    if (handler_.detaching)
      handler_.detaching(name, finish_later);
    else
      finish_later();
  }));
  handler_.changed();
}

void AttachedShares::finish(const std::string& name, std::uint64_t generation) {
  Share* share = find(name);
  if (share == nullptr || !share->detaching || share->generation != generation) return;
  if (auto done = placeholder_->detach(name); !done) {
    log::error("share.not_detached", {{"distro", name}, {"error", done.error().message}});
    problems_.push_back("the share of " + name + " is not fully detached: " + done.error().message);
  } else {
    log::info("share.detached", {{"distro", name}});
  }
  drop(SlotNames(name).pid);
  records_.erase(name);
  shares_.erase(name);
  if (auto done = save(); !done) log::error("shares.not_saved", {{"error", done.error().message}});
  handler_.changed();
  loop_.defer(lifetime_.guard([this, name] { handler_.detached(name); }));
}

void AttachedShares::listen_on(const std::string& name, Share& share, DistroSocket socket) {
  share.socket_inode = inode_of(socket.fd.get());
  share.listener_key = name + "/docker.sock/" + std::to_string(++listeners_);
  handler_.listener(name, share.listener_key, std::move(socket));
}

void AttachedShares::close_listener(const std::string& name, Share& share) {
  if (share.listener_key.empty()) return;
  drop(SlotNames(name).sock);
  share.socket_inode = 0;
  handler_.listener_gone(std::exchange(share.listener_key, {}));
}

void AttachedShares::set_socket(const std::string& name, DistroSocket socket) {
  Share* share = find(name);
  if (share == nullptr || share->detaching) return;
  auto& record = records_[name];
  const bool same = share->socket_inode != 0 && share->socket_inode == inode_of(socket.fd.get());
  if (same && record.socket == socket.path) return;
  record.socket = socket.path;
  if (auto done = save(); !done)
    log::warning("shares.not_saved", {{"error", done.error().message}});
  if (!same) {
    close_listener(name, *share);
    put(SlotNames(name).sock, socket.fd.get());
    listen_on(name, *share, std::move(socket));
  }
  handler_.changed();
}

Status AttachedShares::add_mount(const std::string& name, const std::string& point,
                                 const SharedMount& what, int tree, UniqueFd target) {
  Share* share = find(name);
  if (share == nullptr || share->detaching) return make_error("the share is not attached");
  auto& record = records_[name];
  const auto before = share->tree.mounts();
  record.mounts.insert_or_assign(point, what);
  if (record.mounts != before)
    if (auto done = save(); !done) return done;
  auto added = share->tree.add(point, what, tree, std::move(target));
  record.mounts = share->tree.mounts();
  if (!added) return std::move(added).error();
  if (*added) log::info("share.mount_added", {{"distro", name}, {"point", point}});
  if (record.mounts != before) handler_.changed();
  return Ok{};
}

Status AttachedShares::remove_mount(const std::string& name, const std::string& point) {
  Share* share = find(name);
  if (share == nullptr || share->detaching) return Ok{};
  const auto before = share->tree.mounts();
  auto done = share->tree.remove(point);
  if (share->tree.mounts() == before) return done;
  records_[name].mounts = share->tree.mounts();
  if (auto saved = save(); !saved && done) done = std::move(saved);
  log::info("share.mount_removed", {{"distro", name}, {"point", point}});
  handler_.changed();
  return done;
}

void AttachedShares::keep_mounts(const std::string& name, const std::vector<std::string>& points) {
  Share* share = find(name);
  if (share == nullptr || share->detaching) return;
  share->tree.keep_only(points);
  auto& record = records_[name];
  if (record.mounts == share->tree.mounts()) return;
  record.mounts = share->tree.mounts();
  if (auto done = save(); !done)
    log::warning("shares.not_saved", {{"error", done.error().message}});
  handler_.changed();
}

void AttachedShares::set_table(const std::string& name, const paths::MountTable& table) {
  const Share* share = find(name);
  if (share == nullptr || share->detaching) return;
  auto& record = records_[name];
  if (record.table == table) return;
  record.table = table;
  if (auto done = save(); !done)
    log::warning("shares.not_saved", {{"error", done.error().message}});
  handler_.changed();
}

// Without init there is nobody to keep it, and the next agent begins anew.
void AttachedShares::put(const std::string& slot, int fd) {
  if (!store_.has_init()) return;
  if (auto done = store_.put(slot, fd); !done)
    log::error("shares.not_stored", {{"slot", slot}, {"error", done.error().message}});
}

void AttachedShares::drop(const std::string& slot) {
  if (!store_.has_init()) return;
  if (auto done = store_.drop(slot); !done)
    log::debug("shares.not_dropped", {{"slot", slot}, {"error", done.error().message}});
}

Status AttachedShares::save() {
  return file::write_atomic(options_.record, to_json(records_), 0600);
}

AttachedShares::Share* AttachedShares::find(std::string_view name) {
  const auto found = shares_.find(name);
  return found == shares_.end() ? nullptr : found->second.get();
}
const AttachedShares::Share* AttachedShares::find(std::string_view name) const {
  const auto found = shares_.find(name);
  return found == shares_.end() ? nullptr : found->second.get();
}

bool AttachedShares::usable(std::string_view name) const {
  const Share* share = find(name);
  return share != nullptr && !share->detaching;
}
bool AttachedShares::present(std::string_view name) const { return find(name) != nullptr; }

std::vector<std::string> AttachedShares::names() const {
  std::vector<std::string> out;
  for (const auto& [name, share] : shares_)
    if (!share->detaching) out.push_back(name);
  return out;
}

int AttachedShares::pidfd(std::string_view name) const {
  const Share* share = find(name);
  return share == nullptr || share->detaching ? -1 : share->pidfd.get();
}

const ShareRecord* AttachedShares::record(std::string_view name) const {
  const auto found = records_.find(name);
  return present(name) && found != records_.end() ? &found->second : nullptr;
}

}  // namespace causeway::shares
