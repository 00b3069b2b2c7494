#include "fd_store/sockets.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::fd_store;

TEST_CASE("fd_store/sockets: a group's number") {
  const std::string_view groups =
      "root:x:0:\ndaemon:x:1:\n# comment\ndockers:x:7:\ndocker:x:998:alice,bob\ndocker:x:5:\n";
  CHECK(find_group(groups, "docker") == 998);
  CHECK(find_group(groups, "root") == 0);
  CHECK(find_group(groups, "dock") == std::nullopt);
  CHECK(find_group("docker:x:998", "docker") == 998);
  for (const char* bad : {"", "docker", "docker:x", "docker:x:", "docker:x:-1:", "docker:x:99 :",
                          "docker:x:4294967295:", "docker:x:99999999999:"}) {
    CAPTURE(bad);
    CHECK(find_group(bad, "docker") == std::nullopt);
  }
}

TEST_CASE("fd_store/sockets: binds anew over a leftover, with the mode, and not over a file") {
  const causeway::test::TempDir directory;
  const std::string path = directory / "a.sock";
  const gid_t group = getgid();
  if (geteuid() == 0) {
    for (int life = 0; life < 2; ++life) {
      const auto fd = bind_socket(path, 0660, group);
      REQUIRE(fd);
      struct stat info {};
      REQUIRE(stat(path.c_str(), &info) == 0);
      CHECK(S_ISSOCK(info.st_mode));
      CHECK((info.st_mode & 0777) == 0660);
      CHECK((fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
      const UniqueFd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof(address.sun_path) - 1);
      CHECK(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    }
  }
  const UniqueFd file(open((directory / "file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  CHECK_FALSE(bind_socket(directory / "file", 0600, group).ok());
  CHECK_FALSE(bind_socket(directory / "none/a.sock", 0600, group).ok());
  CHECK_FALSE(bind_socket("/tmp/" + std::string(200, 'x'), 0600, group).ok());
}
