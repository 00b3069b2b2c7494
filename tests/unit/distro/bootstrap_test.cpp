#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/scope_exit.h"
#include "distro/bootstrap_path.h"
#include "own_mounts.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro::test;

namespace {

// A machine with a tmpfs that looks like WSL's, and a /run to be written to.
struct Place {
  Place() : wsl(tree.path / "wsl"), directory(wsl / "docker-desktop") {
    fs::create_directories(wsl);
    REQUIRE(::mount("wsl", wsl.c_str(), "tmpfs", 0, "mode=1777") == 0);
    REQUIRE(::mount("run", "/run", "tmpfs", 0, "mode=755") == 0);
    fs::create_directories(directory / "bin");
    std::ofstream(directory / "bin/causeway") << "#!/bin/sh\necho \"$0 $*\"\n";
    fs::permissions(directory / "bin/causeway", fs::perms(0755));
  }
  ~Place() {
    ::umount2("/run", MNT_DETACH);
    ::umount2(wsl.c_str(), MNT_DETACH);
  }

  Tree tree;
  fs::path wsl;
  fs::path directory;
};

// What the script prints, as the agent's Windows side starts it, and its exit code.
std::string run(const std::string& shell) {
  std::ifstream file(kBootstrap);
  const std::string script{std::istreambuf_iterator<char>(file), {}};
  REQUIRE_FALSE(script.empty());
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(pipe[1], 1);
    ::dup2(pipe[1], 2);
    ::close(pipe[0]);
    ::close(pipe[1]);
    if (shell == "busybox") {
      ::execlp("busybox", "busybox", "sh", "-c", script.c_str(), "causeway", "--user", "1000",
               nullptr);
    } else {
      ::execlp(shell.c_str(), shell.c_str(), "-c", script.c_str(), "causeway", "--user", "1000",
               nullptr);
    }
    ::_exit(127);
  }
  ::close(pipe[1]);
  std::string out;
  std::array<char, 4096> block{};
  for (ssize_t n = 0; (n = ::read(pipe[0], block.data(), block.size())) > 0;)
    out.append(block.data(), static_cast<std::size_t>(n));
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return out + (WIFEXITED(status) ? std::to_string(WEXITSTATUS(status)) : "killed");
}

}  // namespace

TEST_CASE("distro/bootstrap: a copy of the checked program runs, and nothing else does") {
  if (!own_mount_namespace()) return;
  for (const char* shell : {"sh", "busybox", "bash"}) {
    CAPTURE(shell);
    if (std::string(shell) != "sh" && run(shell).ends_with("127")) {
      MESSAGE("not tested: there is no " << shell);
      continue;
    }
    const auto refused = [&](const std::string& what) {
      const auto out = run(shell);
      CHECK_MESSAGE(out.ends_with("71"), out);
      CHECK_MESSAGE(out.find(what) != std::string::npos, out);
      CHECK_FALSE(fs::exists("/run/causeway/causeway"));
    };
    Place place;
    const auto program = place.directory / "bin/causeway";

    for (const auto& path : {place.directory, place.directory / "bin", program}) {
      CAPTURE(path);
      REQUIRE(::chown(path.c_str(), 1000, 0) == 0);
      refused(path.string() + " isn't root's alone");
      REQUIRE(::chown(path.c_str(), 0, 1000) == 0);
      for (const mode_t mode : {0775, 0757}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        refused(path.string() + " isn't root's alone");
      }
      REQUIRE(::chmod(path.c_str(), 0755) == 0);
      fs::rename(path, place.wsl / "elsewhere");
      refused("isn't there");
      fs::create_symlink(place.wsl / "elsewhere", path);
      refused(path == program ? "isn't there" : "isn't root's alone");
      fs::remove(path);
      fs::rename(place.wsl / "elsewhere", path);
    }

    CHECK(run(shell) == "/run/causeway/causeway distro --user 1000\n0");
    CHECK(run(shell) == "/run/causeway/causeway distro --user 1000\n0");
    struct stat info {};
    REQUIRE(::stat("/run/causeway/causeway", &info) == 0);
    CHECK((info.st_mode & 07777) == 0755);
    CHECK_FALSE(fs::exists("/run/causeway/causeway.new"));

    REQUIRE(::mount(nullptr, "/run", nullptr, MS_REMOUNT | MS_NOEXEC, nullptr) == 0);
    CHECK(run(shell) == program.string() + " distro --user 1000\n0");
    REQUIRE(::chmod("/run/causeway", 0777) == 0);
    CHECK(run(shell).find("/run/causeway isn't root's alone") != std::string::npos);
  }
}

// As NixOS has it: the tools are elsewhere, /bin and /usr/bin hold sh and env alone.
TEST_CASE(
    "distro/bootstrap: in a distro without /usr/bin the tools are found, or named as missing") {
  if (!own_mount_namespace()) return;
  const Place place;
  const fs::path saved = place.tree.path / "programs";
  fs::create_directories(saved);
  REQUIRE(::mount("/usr/bin", saved.c_str(), nullptr, MS_BIND, nullptr) == 0);
  std::vector<std::string> hidden;
  for (const char* folder :
       {"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin"}) {
    if (fs::is_symlink(folder) || !fs::is_directory(folder)) continue;
    REQUIRE(::mount("hidden", folder, "tmpfs", 0, "mode=755") == 0);
    hidden.emplace_back(folder);
  }
  const ScopeExit restore([&] {
    for (const auto& folder : hidden) ::umount2(folder.c_str(), MNT_DETACH);
    ::umount2(saved.c_str(), MNT_DETACH);
  });
  for (const char* name : {"sh", "env"})
    for (const auto* folder : {"/usr/bin", "/bin"})
      if (!fs::exists(fs::path(folder) / name))
        fs::copy_file(saved / name, fs::path(folder) / name);

  const fs::path tools = "/run/current-system/sw/bin";
  fs::create_directories(tools);
  for (const char* tool : {"cat", "chmod", "ls", "mkdir", "mv", "rm"}) {
    const auto out = run("sh");
    CHECK_MESSAGE(out.starts_with("causeway: " + std::string(tool) + "(1) not found in PATH (/"),
                  out);
    CHECK_MESSAGE(out.ends_with("71"), out);
    fs::create_symlink(saved / tool, tools / tool);
  }
  CHECK(run("sh") == "/run/causeway/causeway distro --user 1000\n0");
}
