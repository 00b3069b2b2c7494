#include "distro/manifest.h"

#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

using Kind = Addition::Kind;

Addition a_link(const std::string& path, const std::string& target) {
  Addition out;
  out.kind = Kind::link;
  out.path = path;
  out.content = target;
  return out;
}

std::vector<Addition> all_kinds() {
  std::vector<Addition> out{a_link("/a", "/b")};
  Addition directory;
  directory.path = "/home/me/.docker";
  directory.home = "/home/me";
  directory.uid = 1000;
  directory.gid = 1001;
  out.push_back(directory);
  directory.kind = Kind::file;
  directory.content = "{\"a\": \"тест\"}\n";
  out.push_back(directory);
  Addition line;
  line.kind = Kind::line;
  line.path = "/etc/group";
  line.content = "docker:x:998:";
  line.separated = true;
  out.push_back(line);
  Addition member;
  member.kind = Kind::member;
  member.path = "/etc/group";
  member.group = "docker";
  member.user = "me";
  out.push_back(member);
  Addition socket;
  socket.kind = Kind::socket;
  socket.path = "/run/docker.sock";
  socket.inode = 12;
  socket.bound_ns = 1'700'000'000'123'456'789;
  out.push_back(socket);
  return out;
}

}  // namespace

TEST_CASE("distro/manifest: what is added is there for the next helper, in order") {
  const Tree tree;
  auto manifest = tree.manifest();
  CHECK(manifest.additions().empty());
  CHECK_FALSE(tree.exists("var/lib/causeway"));
  const auto all = all_kinds();
  REQUIRE(manifest.add(all).ok());
  CHECK(tree.manifest().additions() == all);
  CHECK((fs::status(tree.path / "var/lib/causeway/integration.json").permissions() &
         fs::perms::all) == fs::perms(0600));

  // The same thing again is what is said of it last.
  REQUIRE(manifest.add(a_link("/a", "/c")).ok());
  CHECK(tree.manifest().additions().size() == all.size());
  CHECK(tree.manifest().find(a_link("/a", ""))->content == "/c");
  CHECK(tree.manifest().find(a_link("/b", "")) == nullptr);

  REQUIRE(manifest.forget([](const Addition& a) { return a.kind == Kind::link; }).ok());
  CHECK(tree.manifest().additions().size() == all.size() - 1);
}

TEST_CASE("distro/manifest: with the last addition it goes itself, and what it had made") {
  for (const bool bare : {false, true}) {
    CAPTURE(bare);
    const Tree tree;
    if (bare) fs::remove_all(tree.path / "var");
    const auto before = tree.snapshot();
    auto manifest = tree.manifest();
    REQUIRE(manifest.add(all_kinds()).ok());
    auto later = tree.manifest();
    REQUIRE(later.forget([](const Addition&) { return true; }).ok());
    CHECK(tree.snapshot() == before);
  }
  const Tree tree;
  auto manifest = tree.manifest();
  REQUIRE(manifest.add(all_kinds()).ok());
  tree.write("var/lib/causeway/of-somebody", "x");
  REQUIRE(manifest.forget([](const Addition&) { return true; }).ok());
  CHECK(tree.exists("var/lib/causeway/of-somebody"));
  CHECK_FALSE(tree.exists("var/lib/causeway/integration.json"));
}

TEST_CASE("distro/manifest: one that can't be understood is an error, not an empty one") {
  const Tree tree;
  for (
      const char* text :
      {"", "{}", "[]", R"({"version":2,"made":[],"additions":[]})",
       R"({"version":1,"made":[],"additions":[{"kind":"thing","path":"/a"}]})",
       R"({"version":1,"made":[],"additions":[{"kind":"link","path":"a"}]})",
       R"({"version":1,"made":[],"additions":[{"kind":"link","path":"/a","uid":1}]})",
       R"({"version":1,"made":[],"additions":[{"kind":"file","path":"/a","home":"/home/me","uid":1,"gid":1}]})",
       R"({"version":1,"made":[],"additions":[{"kind":"link","path":"/a","more":1}]})"}) {
    CAPTURE(text);
    tree.write("var/lib/causeway/integration.json", text);
    const auto manifest = Manifest::load(tree.files);
    REQUIRE_FALSE(manifest.ok());
    CHECK(manifest.error().message.find("integration.json") != std::string::npos);
  }
  fs::remove(tree.path / "var/lib/causeway/integration.json");
  fs::create_symlink("/etc/passwd", tree.path / "var/lib/causeway/integration.json");
  CHECK_FALSE(Manifest::load(tree.files).ok());
}

TEST_CASE("distro/manifest: what it couldn't write down isn't in it") {
  const Tree tree;
  auto manifest = tree.manifest();
  CHECK_FALSE(manifest.add(a_link("/caf\xe9", "/x")).ok());
  CHECK(manifest.additions().empty());
  tree.write("var/lib/causeway", "a file in its place");
  CHECK_FALSE(manifest.add(a_link("/a", "/x")).ok());
  CHECK(manifest.additions().empty());
}
