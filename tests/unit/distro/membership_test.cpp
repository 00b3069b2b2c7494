#include "distro/membership.h"

#include "distro/undo.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

using State = handover::DistroReport::State;

// "group added, member kept: why"
std::string told(const Membership& membership) {
  std::string out;
  for (const auto& item : membership.items) {
    if (!out.empty()) out += ", ";
    out += item.what + " " + item.path + " " + std::string(handover::name_of(item.state));
    if (!item.reason.empty()) out += ": " + item.reason;
  }
  return out;
}

std::vector<Error> undo_everything(const Tree& tree) {
  auto manifest = tree.manifest();
  return undo_all(tree.files, manifest, [](const Addition&) { return true; });
}

}  // namespace

TEST_CASE("distro/membership: group and member are added once, and undone byte for byte") {
  struct Case {
    const char* name;
    const char* group;
    const char* gshadow;  // null: there is none, as on Alpine
    const char* group_with;
    const char* gshadow_with;
    const char* told;
  };
  for (const auto& c : {
           Case{"none of both", "root:x:0:\n", "root:*::\n", "root:x:0:\ndocker:x:999:me\n",
                "root:*::\ndocker:!::me\n", "group docker added, member me added"},
           Case{"no gshadow", "root:x:0:\n", nullptr, "root:x:0:\ndocker:x:999:me\n", nullptr,
                "group docker added, member me added"},
           Case{"no line end", "root:x:0:", "root:*::", "root:x:0:\ndocker:x:999:me\n",
                "root:*::\ndocker:!::me\n", "group docker added, member me added"},
           Case{"the group is there", "docker:x:120:bob\nz:x:9:\n", "docker:!::bob\n",
                "docker:x:120:bob,me\nz:x:9:\n", "docker:!::bob,me\n",
                "group docker kept, member me added"},
           Case{"the group has no shadow", "docker:x:120:\n", "root:*::\n", "docker:x:120:me\n",
                "root:*::\n", "group docker kept, member me added"},
           Case{"a member already", "docker:x:120:me\n", "docker:!::me\n", "docker:x:120:me\n",
                "docker:!::me\n", "group docker kept, member me kept"},
           Case{"the own group", "docker:x:1000:\n", "docker:!::\n", "docker:x:1000:\n",
                "docker:!::\n", "group docker kept, member me kept"},
       }) {
    CAPTURE(c.name);
    const Tree tree;
    tree.write("etc/group", c.group);
    if (c.gshadow == nullptr) {
      fs::remove(tree.path / "etc/gshadow");
    } else {
      tree.write("etc/gshadow", c.gshadow);
    }
    const auto before = tree.snapshot();
    for (int i = 0; i < 2; ++i) {
      auto manifest = tree.manifest();
      const auto membership = ensure_membership(tree.files, manifest, tree.me());
      CHECK(told(membership) == c.told);
      CHECK(membership.gid.has_value());
      CHECK(membership.joined_now == (i == 0 && std::string(c.told).ends_with("me added")));
      CHECK(tree.read("etc/group") == c.group_with);
      CHECK(tree.read("etc/gshadow") == (c.gshadow_with == nullptr ? "" : c.gshadow_with));
    }
    CHECK(undo_everything(tree).empty());
    CHECK(tree.snapshot() == before);
  }
}

TEST_CASE("distro/membership: what others changed meanwhile stays") {
  struct Case {
    const char* name;
    const char* now;
    const char* after;
  };
  for (const auto& c : {
           Case{"a group behind", "root:x:0:\ndocker:x:999:me\nbob:x:1001:\n",
                "root:x:0:\nbob:x:1001:\n"},
           Case{"other lines", "root:x:0:eve\ndocker:x:999:me\n", "root:x:0:eve\n"},
           Case{"another member", "root:x:0:\ndocker:x:999:me,bob\n",
                "root:x:0:\ndocker:x:999:bob\n"},
           Case{"another number", "root:x:0:\ndocker:x:555:me\n", "root:x:0:\ndocker:x:555:\n"},
           Case{"taken out again", "root:x:0:\ndocker:x:999:\n", "root:x:0:\n"},
           Case{"removed", "root:x:0:\n", "root:x:0:\n"},
           Case{"sorted", "docker:x:999:me\nroot:x:0:\n", "root:x:0:\n"},
       }) {
    CAPTURE(c.name);
    const Tree tree;
    tree.write("etc/group", "root:x:0:\n");
    fs::remove(tree.path / "etc/gshadow");
    auto manifest = tree.manifest();
    (void)ensure_membership(tree.files, manifest, tree.me());
    REQUIRE(tree.read("etc/group") == "root:x:0:\ndocker:x:999:me\n");
    tree.write("etc/group", c.now);
    CHECK(undo_everything(tree).empty());
    CHECK(tree.read("etc/group") == c.after);
  }
}

TEST_CASE("distro/membership: root needs none, and no user is no error") {
  for (const auto& user :
       {std::optional<Account>(), std::optional(Account{"root", 0, 0, "/root"})}) {
    const Tree tree;
    auto manifest = tree.manifest();
    CHECK(told(ensure_membership(tree.files, manifest, user)) == "group docker added");
    CHECK(tree.read("etc/group").ends_with("docker:x:999:\n"));
  }
}

TEST_CASE("distro/membership: what can't be done is told, and nothing is half done") {
  struct Case {
    const char* group;  // null: none
    const char* told;
  };
  for (const auto& c : {
           Case{nullptr, "group /etc/group failed: open /etc/group: No such file or directory"},
           Case{"docker:x\n",
                "group /etc/group failed: /etc/group: its line of the group docker is malformed"},
           Case{"docker:x:many:\n",
                "group /etc/group failed: /etc/group: the group docker has no "
                "number"},
       }) {
    const Tree tree;
    fs::remove(tree.path / "etc/group");
    if (c.group != nullptr) tree.write("etc/group", c.group);
    const auto before = tree.snapshot();
    auto manifest = tree.manifest();
    const auto membership = ensure_membership(tree.files, manifest, tree.me());
    CHECK(told(membership) == c.told);
    CHECK_FALSE(membership.gid.has_value());
    CHECK_FALSE(membership.locked);
    CHECK(tree.snapshot() == before);
  }
}

TEST_CASE("distro/membership: what was removed comes back, with its number") {
  const Tree tree;
  const std::string before = tree.read("etc/group");
  {
    auto manifest = tree.manifest();
    CHECK(ensure_membership(tree.files, manifest, tree.me()).changed);
  }
  const std::string added = tree.read("etc/group");
  REQUIRE(added == before + "docker:x:999:me\n");
  struct Case {
    const char* name;
    std::string now;
    std::string then;
  };
  for (const auto& c : {
           Case{"the line", before, added},
           Case{"the member", before + "docker:x:999:\n", added},
           Case{"the line, and others since", before + "late:x:998:\n",
                before + "late:x:998:\ndocker:x:999:me\n"},
           Case{"the line, and its number is taken", before + "late:x:999:\n",
                before + "late:x:999:\ndocker:x:998:me\n"},
           Case{"nothing", added, added},
       }) {
    CAPTURE(c.name);
    auto manifest = tree.manifest();
    tree.write("etc/group", c.now);
    // Not now: it is told, and nothing is touched.
    const auto put_off = ensure_membership(tree.files, manifest, tree.me(), Repair::later);
    CHECK(put_off.put_off == (c.now != c.then));
    CHECK_FALSE(put_off.changed);
    CHECK(tree.read("etc/group") == c.now);
    CHECK((told(put_off).find("failed: it was removed as soon as it was added") !=
           std::string::npos) == put_off.put_off);
    CHECK((told(put_off) == "group docker added, member me added") == !put_off.put_off);
    const auto done = ensure_membership(tree.files, manifest, tree.me());
    CHECK(done.changed == (c.now != c.then));
    CHECK(told(done) == "group docker added, member me added");
    CHECK(tree.read("etc/group") == c.then);
  }
}

TEST_CASE("distro/membership: the default user is another one now") {
  const Tree tree;
  tree.write("etc/passwd", tree.read("etc/passwd") + "new:x:1001:1001::/home/new:/bin/sh\n");
  const auto before = tree.snapshot();
  auto manifest = tree.manifest();
  CHECK(told(ensure_membership(tree.files, manifest, std::nullopt)) == "group docker added");
  CHECK(ensure_membership(tree.files, manifest, tree.me()).joined_now);
  const auto now = ensure_membership(tree.files, manifest, Account{"new", 1001, 1001, "/home/new"});
  CHECK(now.joined_now);
  // Who is a member still is told of, too.
  CHECK(told(now) == "group docker added, member new added, member me added");
  CHECK(tree.read("etc/group").ends_with("docker:x:999:me,new\n"));
  CHECK(undo_everything(tree).empty());
  CHECK(tree.snapshot() == before);
}

TEST_CASE("distro/membership: a lock is told apart from other failures") {
  const Tree tree;
  tree.write("etc/.pwd.lock", "");
  const UniqueFd other(::open((tree.path / "etc/.pwd.lock").c_str(), O_WRONLY | O_CLOEXEC));
  struct flock whole {};
  whole.l_type = F_WRLCK;
  REQUIRE(::fcntl(other.get(), F_OFD_SETLK, &whole) == 0);
  const auto before = tree.snapshot();
  auto manifest = tree.manifest();
  CHECK(ensure_membership(tree.files, manifest, tree.me()).locked);
  CHECK(tree.snapshot() == before);
}
