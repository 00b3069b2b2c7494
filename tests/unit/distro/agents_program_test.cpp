#include "distro/agents_program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "handover/share_socket.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

struct Rig {
  Rig() {
    publish("the agent's");
    distro.write("own", "this helper's");
  }
  void publish(const std::string& content) const {
    wsl.write(kOriginal, content);
    fs::permissions(wsl.path / kOriginal, fs::perms(0755));
  }
  // What would be executed; "nothing", or the error.
  std::string take() const {
    const UniqueFd own(::open((distro.path / "own").c_str(), O_RDONLY | O_CLOEXEC));
    const auto taken = take_agents_program(distro.files, wsl.path.string(), own.get());
    if (!taken) return taken.error().message;
    if (!*taken) return "nothing";
    std::string content(100, 0);
    const ssize_t size = ::pread((*taken)->get(), content.data(), content.size(), 0);
    return content.substr(0, static_cast<std::size_t>(size));
  }

  static constexpr const char* kOriginal = "docker-desktop/bin/causeway";
  Tree wsl;
  Tree distro;
};

}  // namespace

TEST_CASE("distro/agents_program: it is copied into the distro, where the bootstrap puts it") {
  if (!is_root("directories that are root's")) return;
  const Rig rig;
  CHECK(rig.take() == "the agent's");
  CHECK(rig.distro.read("run/causeway/causeway") == "the agent's");
  struct stat info {};
  REQUIRE(::stat((rig.distro.path / "run/causeway/causeway").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0755);
  rig.publish("a later one");
  CHECK(rig.take() == "a later one");
  CHECK(rig.distro.read("run/causeway/causeway") == "a later one");
}

TEST_CASE("distro/agents_program: the program that runs already is no other one") {
  if (!is_root("directories that are root's")) return;
  const Rig rig;
  rig.publish("this helper's");
  CHECK(rig.take() == "nothing");
  CHECK_FALSE(rig.distro.exists("run/causeway"));
}

TEST_CASE("distro/agents_program: what isn't root's alone is not used") {
  if (!is_root("giving files away")) return;
  struct Case {
    const char* path;
    uid_t owner;
    mode_t mode;
    const char* says;
  };
  for (const auto& c : {
           Case{"wsl:docker-desktop", 1000, 0755, "docker-desktop belongs to user 1000"},
           Case{"wsl:docker-desktop/bin", 0, 0777, "bin is writable for others"},
           Case{"wsl:docker-desktop/bin/causeway", 1000, 0755, "isn't root's alone"},
           Case{"wsl:docker-desktop/bin/causeway", 0, 0775, "isn't root's alone"},
           Case{"wsl:docker-desktop/bin/causeway", 0, 0644, "is no program"},
           Case{"run/causeway", 1000, 0755, "/run/causeway isn't root's alone"},
           Case{"run/causeway", 0, 0775, "/run/causeway isn't root's alone"},
       }) {
    CAPTURE(std::string(c.path));
    const Rig rig;
    fs::create_directories(rig.distro.path / "run/causeway");
    const std::string name = c.path;
    const auto path =
        name.starts_with("wsl:") ? rig.wsl.path / name.substr(4) : rig.distro.path / name;
    REQUIRE(::chown(path.c_str(), c.owner, 0) == 0);
    REQUIRE(::chmod(path.c_str(), c.mode) == 0);
    const auto said = rig.take();
    CHECK_MESSAGE(said.find(c.says) != std::string::npos, said);
    CHECK_FALSE(rig.distro.exists("run/causeway/causeway"));
  }
}

TEST_CASE("distro/agents_program: no link is followed to it, and a missing one is an error") {
  if (!is_root("directories that are root's")) return;
  const Rig rig;
  fs::remove(rig.wsl.path / Rig::kOriginal);
  CHECK(rig.take().find("No such file") != std::string::npos);
  rig.wsl.write("elsewhere", "x");
  fs::create_symlink(rig.wsl.path / "elsewhere", rig.wsl.path / Rig::kOriginal);
  CHECK(rig.take().find("open ") == 0);
  CHECK_FALSE(rig.distro.exists("run/causeway"));
}
