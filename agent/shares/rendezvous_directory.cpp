#include "shares/rendezvous_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/scope_exit.h"
#include "handover/share_socket.h"

namespace causeway::shares {
namespace {

constexpr mode_t kProgramMode = 0755;
constexpr std::size_t kBlock = std::size_t{256} * 1024;

Result<UniqueFd> make_directory(const std::string& wsl, std::vector<std::string> parts) {
  const std::string last = parts.back();
  parts.pop_back();
  auto parent = handover::open_trusted(wsl, parts);
  if (!parent) return parent;
  if (::mkdirat(parent->get(), last.c_str(), 0755) != 0 && errno != EEXIST)
    return errno_error("mkdir " + wsl + "/" + last);
  parts.push_back(last);
  return handover::open_trusted(wsl, parts);
}

std::string random_hex() {
  std::array<unsigned char, 8> bytes{};
  std::array<char, 17> text{};
  std::uint64_t number = 0;
  if (::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()))
    std::memcpy(&number, bytes.data(), sizeof(number));
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(number));
  return text.data();
}

// A directory of ours takes the place of whatever is there, in one step: who planted it once may do
// so again at any moment, but what is root's in a sticky directory only root can take away.
// Gives where what was there is now.
Result<std::string> replace_planted(const std::string& wsl) {
  const UniqueFd parent(::open(wsl.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!parent) return errno_error("open " + wsl);
  const std::string place = handover::kRendezvous;
  const std::string aside = place + ".put-aside-" + random_hex();
  if (::mkdirat(parent.get(), aside.c_str(), 0755) != 0) return errno_error("mkdir " + aside);
  ScopeExit discard([&] { ::unlinkat(parent.get(), aside.c_str(), AT_REMOVEDIR); });
  if (::renameat2(parent.get(), aside.c_str(), parent.get(), place.c_str(), RENAME_EXCHANGE) != 0)
    return errno_error(wsl + "/" + place + " is somebody else's and can't be put aside");
  discard.dismiss();
  log::warning("shares.planted", {{"path", wsl + "/" + place}, {"now", wsl + "/" + aside}});
  return wsl + "/" + aside;
}

// What is at `offset`, as much as there is up to the block's size.
Result<std::string_view> read_block(int fd, off_t offset, std::vector<char>& block) {
  std::size_t have = 0;
  while (have < block.size()) {
    const ssize_t n =
        ::pread(fd, block.data() + have, block.size() - have, offset + static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read");
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return std::string_view(block.data(), have);
}

bool same_content(int a, int b) {
  std::vector<char> block_a(kBlock);
  std::vector<char> block_b(kBlock);
  for (off_t offset = 0;;) {
    const auto part_a = read_block(a, offset, block_a);
    const auto part_b = read_block(b, offset, block_b);
    if (!part_a || !part_b || *part_a != *part_b) return false;
    if (part_a->empty()) return true;
    offset += static_cast<off_t>(part_a->size());
  }
}

bool is_installed(int program, int directory, const std::string& name) {
  const UniqueFd there(
      ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!there || ::fstat(there.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if (info.st_uid != 0 || (info.st_mode & 07777) != kProgramMode) return false;
  return same_content(program, there.get());
}

Status copy(int from, int to) {
  std::vector<char> block(kBlock);
  for (off_t offset = 0;;) {
    const auto part = read_block(from, offset, block);
    if (!part) return part.error();
    if (part->empty()) return Ok{};
    if (auto done = file::write_all(to, *part); !done) return done;
    offset += static_cast<off_t>(part->size());
  }
}

}  // namespace

Result<RendezvousDirectory> make_rendezvous_directory(const std::string& wsl) {
  std::string put_aside;
  auto made = make_directory(wsl, {handover::kRendezvous});
  if (!made && made.error().code == EPERM) {
    auto planted = replace_planted(wsl);
    if (!planted) return std::move(planted).error();
    put_aside = *std::move(planted);
    made = make_directory(wsl, {handover::kRendezvous});
  }
  if (!made) return std::move(made).error();
  auto run = make_directory(wsl, {handover::kRendezvous, "run"});
  if (!run) return std::move(run).error();
  auto bin = make_directory(wsl, {handover::kRendezvous, "bin"});
  if (!bin) return std::move(bin).error();
  return RendezvousDirectory{std::move(*run), std::move(*bin), std::move(put_aside)};
}

Result<bool> install_program(const std::string& program, int directory, const std::string& name) {
  const UniqueFd from(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return errno_error("open " + program);
  if (is_installed(from.get(), directory, name)) return false;
  const std::string temporary = "." + name + ".new";
  ::unlinkat(directory, temporary.c_str(), 0);  // of an agent that was killed here
  UniqueFd to(::openat(directory, temporary.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kProgramMode));
  if (!to) return errno_error("make " + temporary);
  ScopeExit discard([&] { ::unlinkat(directory, temporary.c_str(), 0); });
  if (auto done = copy(from.get(), to.get()); !done)
    return std::move(done).error().with("copy " + program);
  if (::fchmod(to.get(), kProgramMode) != 0) return errno_error("chmod " + temporary);
  // Closed before it has its name: a program that is open for writing can't be executed.
  to.reset();
  if (::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0)
    return errno_error("rename to " + name);
  discard.dismiss();
  return true;
}

Status RendezvousLock::claim(int run) {
  const auto there = handover::file_id(run, kName);
  struct stat info {};
  // One that was taken away binds nobody.
  if (lock_ && (!there || ::fstat(lock_.get(), &info) != 0 ||
                *there != handover::FileId{info.st_dev, info.st_ino}))
    release();
  if (!lock_) lock_.reset(::openat(run, kName, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock_) return errno_error(std::string("open ") + kName);
  if (held_) return Ok{};
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) {
    held_ = true;
    return Ok{};
  }
  if (errno != EWOULDBLOCK) return errno_error(std::string("lock ") + kName);
  return Error{"another agent in this VM serves them; end it, or leave them to it", EWOULDBLOCK};
}

void RendezvousLock::release() {
  lock_.reset();
  held_ = false;
}

}  // namespace causeway::shares
