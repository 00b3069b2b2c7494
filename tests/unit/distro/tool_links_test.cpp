#include "distro/tool_links.h"

#include "distro/undo.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

std::string told(const std::vector<handover::DistroReport::Item>& items) {
  std::string out;
  for (const auto& item : items) {
    out += item.what + " " + item.path + " " + std::string(handover::name_of(item.state));
    if (!item.reason.empty()) out += ": " + item.reason;
    out += "\n";
  }
  return out;
}

std::string ensure(const Tree& tree) {
  auto manifest = tree.manifest();
  return told(ensure_links(tree.files, manifest));
}

std::string target(const Tree& tree, const std::string& name) {
  const auto path = tree.path / name;
  return fs::is_symlink(path) ? fs::read_symlink(path).string() : "";
}

constexpr const char* kAll =
    "link /usr/local/bin/docker added\n"
    "link /usr/local/bin/kubectl added\n"
    "plugin /usr/local/lib/docker/cli-plugins/docker-compose added\n"
    "completion /usr/local/share/bash-completion/completions/docker added\n"
    "completion /usr/local/share/zsh/site-functions/_docker added\n"
    "completion /usr/local/share/fish/vendor_completions.d/docker.fish added\n";

}  // namespace

TEST_CASE("distro/tool_links: each tool gets its link, and all go without a trace") {
  const Tree tree;
  tree.add_tools();
  const auto before = tree.snapshot();
  CHECK(ensure(tree) == kAll);
  CHECK(target(tree, "usr/local/bin/docker") == "/usr/local/lib/causeway/bin/docker");
  CHECK(target(tree, "usr/local/share/zsh/site-functions/_docker") ==
        "/usr/local/lib/causeway/completions/zsh/_docker");
  CHECK_FALSE(tree.exists("usr/local/bin/.hidden"));
  const auto with = tree.snapshot();
  CHECK(ensure(tree) == kAll);
  CHECK(tree.snapshot() == with);
  auto manifest = tree.manifest();
  CHECK(undo_all(tree.files, manifest, [](const Addition&) { return true; }).empty());
  CHECK(tree.snapshot() == before);
}

TEST_CASE("distro/tool_links: what isn't ours is left alone, then and at the end") {
  const Tree tree;
  tree.add_tools();
  tree.write("usr/local/bin/docker", "the user's own");
  fs::create_symlink("/opt/kubectl", tree.path / "usr/local/bin/kubectl");
  tree.write("usr/local/share/zsh/site-functions/_mine", "x");
  const auto before = tree.snapshot();
  const auto text = ensure(tree);
  CHECK(text.find("link /usr/local/bin/docker left_alone: it isn't ours\n") != std::string::npos);
  CHECK(text.find("link /usr/local/bin/kubectl left_alone: it isn't ours\n") != std::string::npos);
  CHECK(tree.read("usr/local/bin/docker") == "the user's own");
  auto manifest = tree.manifest();
  CHECK(undo_all(tree.files, manifest, [](const Addition&) { return true; }).empty());
  CHECK(tree.snapshot() == before);
}

TEST_CASE("distro/tool_links: a link of ours that somebody changed is theirs") {
  const Tree tree;
  tree.add_tools();
  (void)ensure(tree);
  fs::remove(tree.path / "usr/local/bin/docker");
  fs::create_symlink("/opt/docker", tree.path / "usr/local/bin/docker");
  fs::remove(tree.path / "usr/local/bin/kubectl");
  CHECK(ensure(tree).find("link /usr/local/bin/docker left_alone") != std::string::npos);
  CHECK(target(tree, "usr/local/bin/kubectl") ==
        "/usr/local/lib/causeway/bin/kubectl");  // repaired
  auto manifest = tree.manifest();
  CHECK(undo_all(tree.files, manifest, [](const Addition&) { return true; }).empty());
  CHECK(target(tree, "usr/local/bin/docker") == "/opt/docker");
  CHECK_FALSE(tree.exists("usr/local/bin/kubectl"));
}

TEST_CASE("distro/tool_links: links follow the tools: new ones come, old ones go") {
  const Tree tree;
  tree.add_tools();
  (void)ensure(tree);
  fs::remove(tree.path / "usr/local/lib/causeway/bin/kubectl");
  tree.write("usr/local/lib/causeway/bin/helm", "x");
  (void)ensure(tree);
  CHECK_FALSE(tree.exists("usr/local/bin/kubectl"));
  CHECK(target(tree, "usr/local/bin/helm") == "/usr/local/lib/causeway/bin/helm");

  // An older version of ours has linked to another place.
  auto manifest = tree.manifest();
  Addition old;
  old.kind = Addition::Kind::link;
  old.path = "/usr/local/bin/docker";
  old.content = "/usr/local/lib/old/docker";
  REQUIRE(manifest.add(old).ok());
  fs::remove(tree.path / "usr/local/bin/docker");
  fs::create_symlink(old.content, tree.path / "usr/local/bin/docker");
  CHECK(ensure(tree).find("link /usr/local/bin/docker added") != std::string::npos);
  CHECK(target(tree, "usr/local/bin/docker") == "/usr/local/lib/causeway/bin/docker");
}

TEST_CASE("distro/tool_links: a directory that can't be is told") {
  const Tree tree;
  tree.add_tools();
  tree.write("usr/local/share", "a file in its place");
  const auto text = ensure(tree);
  CHECK(text.find("completion /usr/local/share/zsh/site-functions/_docker failed: ") !=
        std::string::npos);
  CHECK(text.find("link /usr/local/bin/docker added") != std::string::npos);
}
