// A small distro's root in a temporary folder, and what is in it as one text, to be compared.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "distro/account.h"
#include "distro/manifest.h"
#include "distro/root_files.h"
#include "support/temp_dir.h"

namespace causeway::distro::test {

namespace fs = std::filesystem;

inline bool is_root(const char* what) {
  if (::geteuid() == 0) return true;
  MESSAGE("skipped: " << what << " needs root");
  return false;
}

struct Tree {
  Tree() : files(open(path)) {
    fs::permissions(path, fs::perms(0755));
    for (const char* made : {"etc", "usr/local/bin", "home/me", "run", "var/lib"})
      fs::create_directories(path / made);
    fs::create_symlink("../run", path / "var/run");
    write("etc/passwd",
          "root:x:0:0:root:/root:/bin/bash\n"
          "me:x:1000:1000:Me,,,:/home/me:/bin/bash\n");
    write("etc/group", "root:x:0:\nusers:x:100:\nme:x:1000:\n");
    write("etc/gshadow", "root:*::\nusers:*::\nme:!::\n");
    fs::permissions(path / "etc/gshadow", fs::perms(0640));
    if (::geteuid() == 0) {
      REQUIRE(::chown((path / "home/me").c_str(), 1000, 1000) == 0);
      REQUIRE(::chown((path / "etc/gshadow").c_str(), 0, 42) == 0);
    }
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream out(path / name, std::ios::binary | std::ios::trunc);
    out << content;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(path / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool exists(const std::string& name) const { return fs::exists(fs::symlink_status(path / name)); }

  // Tools as the agent sends them, without a mount.
  void add_tools() const {
    for (const char* tool : {"bin/docker", "bin/kubectl", "cli-plugins/docker-compose",
                             "completions/bash/docker", "completions/zsh/_docker",
                             "completions/fish/docker.fish", "lib/libc.so.6", "bin/.hidden"})
      write(std::string("usr/local/lib/causeway/") + tool, tool);
  }

  // Everything but times: kind, mode, owner, content.
  std::string snapshot() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      struct stat info {};
      REQUIRE(::lstat(entry.path().c_str(), &info) == 0);
      const std::string name = entry.path().string().substr(path.string().size());
      auto& text = all[name];
      text = std::to_string(info.st_mode) + " " + std::to_string(info.st_uid) + ":" +
             std::to_string(info.st_gid);
      if (entry.is_symlink()) {
        text += " -> " + fs::read_symlink(entry.path()).string();
      } else if (entry.is_regular_file()) {
        text += "\n" + read(name.substr(1));
      }
    }
    std::string out;
    for (const auto& [name, text] : all) out += name + " " + text + "\n";
    return out;
  }

  Manifest manifest() const {
    auto manifest = Manifest::load(files);
    if (!manifest) FAIL(manifest.error().message);
    return *std::move(manifest);
  }
  std::optional<Account> me() const { return Account{"me", 1000, 1000, "/home/me"}; }

  // In memory where that can be: an fsync costs nothing there.
  const causeway::test::TempDir directory{::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"};
  const fs::path path = fs::canonical(directory.path);
  RootFiles files;

 private:
  static RootFiles open(const fs::path& path) {
    auto files = RootFiles::open(path);
    if (!files) FAIL(files.error().message);
    return *std::move(files);
  }
};

}  // namespace causeway::distro::test
