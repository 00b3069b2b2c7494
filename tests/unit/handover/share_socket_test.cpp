#include "handover/share_socket.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/sandbox.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::handover;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() {
    fs::permissions(path, fs::perms::all | fs::perms::sticky_bit);  // as <wsl> is
  }
  test::TempDir directory;
  const fs::path path = directory.path;
};

template <typename T>
std::string error_of(const Result<T>& result) {
  return result.ok() ? "fine" : result.error().message;
}

bool is_root(const char* what) {
  if (::geteuid() == 0) return true;
  MESSAGE("skipped: " << what << " needs root");
  return false;
}

}  // namespace

TEST_CASE("handover/share_socket: only what is root's and nobody else's to write is trusted") {
  if (!is_root("giving files away")) return;
  const Folder folder;
  const auto directory = folder.path / kRendezvous;
  const auto open = [&] { return error_of(open_trusted(folder.path, {kRendezvous, "run"})); };
  CHECK(open() == "open " + directory.string() + ": No such file or directory");
  fs::create_directories(directory / "run");
  CHECK(open() == "fine");
  REQUIRE(::chown(directory.c_str(), 1000, 0) == 0);
  CHECK(open() == directory.string() + " belongs to user 1000, not to root");
  REQUIRE(::chown(directory.c_str(), 0, 0) == 0);
  for (const mode_t mode : {0775, 0757, 0777}) {
    REQUIRE(::chmod((directory / "run").c_str(), mode) == 0);
    CHECK(open() == (directory / "run").string() + " is writable for others than root");
  }
  REQUIRE(::chmod((directory / "run").c_str(), 0700) == 0);
  CHECK(open() == "fine");
  fs::rename(directory, folder.path / "elsewhere");
  fs::create_directory_symlink("elsewhere", directory);
  CHECK(open() == directory.string() + " is a link: not ours");
  fs::remove(directory);
  std::ofstream(directory) << "x";
  CHECK(open() == directory.string() + " is no directory: not ours");
}

TEST_CASE("handover/share_socket: what somebody has mounted there is not ours" *
          doctest::skip(!shares::testing::can_mount())) {
  const shares::testing::Sandbox sandbox;
  const std::string ours = sandbox.folder(kRendezvous);
  const auto open = [&] { return error_of(open_trusted(sandbox.root(), {kRendezvous, "run"})); };
  shares::testing::make_tmpfs(ours);
  (void)sandbox.folder(std::string(kRendezvous) + "/run");
  CHECK(open() == "something is mounted on " + ours + ": not ours");
  REQUIRE(::umount2(ours.c_str(), 0) == 0);
  CHECK(open() == "open " + ours + "/run: No such file or directory");
  shares::testing::make_tmpfs(ours + "/run");
  CHECK(open() == "something is mounted on " + ours + "/run: not ours");
}

TEST_CASE("handover/share_socket: helper and agent meet in the directory") {
  const Folder folder;
  const UniqueFd directory(::open(folder.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  CHECK(error_of(connect_in(directory.get(), kSocketName)) ==
        "connect share.sock: No such file or directory");
  std::ofstream(folder.path / kSocketName) << "an older file";
  {
    const auto listening = listen_in(directory.get(), kSocketName);
    REQUIRE_MESSAGE(listening.ok(), error_of(listening));
    struct stat info {};
    REQUIRE(::stat((folder.path / kSocketName).c_str(), &info) == 0);
    CHECK(S_ISSOCK(info.st_mode));
    CHECK((info.st_mode & 07777) == 0600);
    CHECK(listening->file == FileId{info.st_dev, info.st_ino});
    CHECK(*file_id(directory.get(), kSocketName) == listening->file);
    CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
    if (is_root("listening as root")) {
      const auto connected = connect_in(directory.get(), kSocketName);
      CHECK(error_of(connected) == "fine");
      const UniqueFd accepted(::accept4(listening->fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      REQUIRE(accepted);
      int type = 0;
      socklen_t size = sizeof(type);
      REQUIRE(::getsockopt(accepted.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0);
      CHECK(type == SOCK_SEQPACKET);
    }
  }
  CHECK(error_of(connect_in(directory.get(), kSocketName)) ==
        "connect share.sock: Connection refused");
  CHECK_FALSE(listen_in(directory.get(), "a/b").ok());
}

TEST_CASE("handover/share_socket: a listener that isn't root's is refused") {
  if (!is_root("becoming another user")) return;
  const Folder folder;
  const UniqueFd directory(::open(folder.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::seteuid(1000) == 0);
  const auto listening = listen_in(directory.get(), kSocketName);
  REQUIRE(::seteuid(0) == 0);
  REQUIRE_MESSAGE(listening.ok(), error_of(listening));
  CHECK(error_of(connect_in(directory.get(), kSocketName)) ==
        "connect share.sock: user 1000 listens there, not root");
}
