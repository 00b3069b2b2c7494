#include "distro/undo.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <set>

#include "distro/docker_context.h"
#include "distro/docker_socket.h"
#include "distro/membership.h"
#include "distro/tool_links.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

// All that a helper adds to files, as integrated_distro does it.
void add_everything(const Tree& tree) {
  auto manifest = Manifest::load(tree.files);
  if (!manifest) return;
  const auto membership = ensure_membership(tree.files, *manifest, tree.me());
  io::Loop loop;
  DockerSocket socket(loop, tree.files, *manifest, tree.path, [] {});
  socket.ensure(membership.gid);
  (void)ensure_context(tree.files, *manifest, tree.me(), {});
  (void)ensure_links(tree.files, *manifest);
}

std::string undo_everything(const Tree& tree) {
  auto manifest = Manifest::load(tree.files);
  if (!manifest) return manifest.error().message;
  std::string out;
  for (const auto& error : undo_all(tree.files, *manifest, [](const Addition&) { return true; }))
    out += error.message + "\n";
  return out;
}

// System calls that change files or what is known of them.
bool changes_files(std::uint64_t number) {
  static const std::set<std::uint64_t> kCalls{
      SYS_mkdirat, SYS_symlinkat, SYS_unlinkat, SYS_renameat,  SYS_renameat2, SYS_openat,
      SYS_write,   SYS_fchmod,    SYS_fchown,   SYS_fsetxattr, SYS_bind,      SYS_listen,
      SYS_fsync,   SYS_lchown,    SYS_chmod,    SYS_unlink,    SYS_rename,    SYS_mkdir};
  return kCalls.contains(number);
}

// Runs `what` in a child that is killed in front of its `count`th such call. True: it came to its
// end before.
template <typename F>
bool killed_at(int count, F what) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    what();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  for (bool entering = true;; entering = !entering) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) || WIFSIGNALED(status)) return true;
    if (!entering) continue;
    __ptrace_syscall_info info{};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info);
    if (!changes_files(info.entry.nr) || count-- > 0) continue;
    ::kill(child, SIGKILL);
    REQUIRE(::waitpid(child, &status, 0) == child);
    return false;
  }
}

bool may_trace() {
  const bool traced = killed_at(0, [] { ::_exit(::mkdirat(AT_FDCWD, "/proc/none", 0)); });
  if (traced) MESSAGE("skipped: processes can't be traced here");
  return !traced;
}

}  // namespace

TEST_CASE("distro/undo: a helper that is killed anywhere has left nothing that can't be undone") {
  if (!is_root("a home of another user") || !may_trace()) return;
  int count = 0;
  for (bool ended = false; !ended; ++count) {
    CAPTURE(count);
    const Tree tree;
    if (count % 2 == 1) tree.write("etc/group", "root:x:0:");
    tree.add_tools();
    const auto before = tree.snapshot();
    ended = killed_at(count, [&] { add_everything(tree); });
    REQUIRE(undo_everything(tree) == "");
    REQUIRE(tree.snapshot() == before);
  }
  MESSAGE("killed at " << count - 1 << " places");
  CHECK(count > 100);
}

TEST_CASE("distro/undo: nor one that is killed while it goes on where another was killed") {
  if (!is_root("a home of another user") || !may_trace()) return;
  for (int count = 0; count < 200; count += 7) {
    CAPTURE(count);
    const Tree tree;
    tree.add_tools();
    const auto before = tree.snapshot();
    killed_at(count, [&] { add_everything(tree); });
    killed_at(count / 2, [&] { add_everything(tree); });
    add_everything(tree);
    REQUIRE(undo_everything(tree) == "");
    REQUIRE(tree.snapshot() == before);
  }
}

TEST_CASE("distro/undo: an undo that is killed anywhere is ended by the next") {
  if (!is_root("a home of another user") || !may_trace()) return;
  int count = 0;
  for (bool ended = false; !ended; count += 2) {
    CAPTURE(count);
    const Tree tree;
    tree.add_tools();
    const auto before = tree.snapshot();
    add_everything(tree);
    ended = killed_at(count, [&] { (void)undo_everything(tree); });
    REQUIRE(undo_everything(tree) == "");
    REQUIRE(tree.snapshot() == before);
  }
  CHECK(count > 20);
}

TEST_CASE("distro/undo: what can't be undone now stays in the manifest") {
  const Tree tree;
  tree.add_tools();
  auto manifest = tree.manifest();
  (void)ensure_membership(tree.files, manifest, std::nullopt);
  (void)ensure_links(tree.files, manifest);
  tree.write("etc/.pwd.lock", "");
  const UniqueFd other(::open((tree.path / "etc/.pwd.lock").c_str(), O_WRONLY | O_CLOEXEC));
  struct flock whole {};
  whole.l_type = F_WRLCK;
  REQUIRE(::fcntl(other.get(), F_OFD_SETLK, &whole) == 0);
  const auto errors = undo_all(tree.files, manifest, [](const Addition&) { return true; });
  REQUIRE(errors.size() == 2);  // group and gshadow
  CHECK(errors[0].code == EAGAIN);
  CHECK_FALSE(tree.exists("usr/local/bin/docker"));
  CHECK(tree.manifest().additions().size() == 2);
  whole.l_type = F_UNLCK;
  REQUIRE(::fcntl(other.get(), F_OFD_SETLK, &whole) == 0);
  CHECK(undo_everything(tree) == "");
  CHECK_FALSE(tree.exists("var/lib/causeway"));
}
