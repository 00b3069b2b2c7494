#include "distro/group_text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace causeway::distro;

TEST_CASE("distro/group_text: a group is the first line of four fields with its name") {
  const std::string text =
      "docker:x\n# docker:x:1:\ndocker2:x:1:a\ndocker:x:998:a,b\ndocker:x:997:\n";
  const auto group = find_group(text, "docker");
  REQUIRE(group.has_value());
  CHECK(group->third == "998");
  CHECK(group->members == "a,b");
  CHECK(group->has_member("a"));
  CHECK(group->has_member("b"));
  CHECK_FALSE(group->has_member("a,b"));
  CHECK_FALSE(group->has_member(""));
  CHECK_FALSE(find_group(text, "dock").has_value());
  CHECK_FALSE(find_group("", "docker").has_value());
  CHECK(find_group("docker:!::", "docker")->members.empty());
}

TEST_CASE("distro/group_text: the highest number that neither file has is free") {
  CHECK(free_gid("", "") == 999U);
  CHECK(free_gid("a:x:999:\nb:x:997:\n", "c:x:5:998:::\n") == 996U);
  CHECK(free_gid("a:x:-1:\nb:x:999999999999999999999:\nno line\n", "") == 999U);
  std::string full;
  for (int gid = 100; gid <= 999; ++gid) full += "g:x:" + std::to_string(gid) + ":\n";
  CHECK_FALSE(free_gid(full, "").has_value());
}

TEST_CASE("distro/group_text: a line comes last and goes without a trace") {
  struct Case {
    const char* before;
    const char* with;
  };
  for (const auto& c : {
           Case{"", "docker:x:998:\n"},
           Case{"root:x:0:\n", "root:x:0:\ndocker:x:998:\n"},
           Case{"root:x:0:", "root:x:0:\ndocker:x:998:\n"},
           Case{"root:x:0:\n\n", "root:x:0:\n\ndocker:x:998:\n"},
           Case{"+:::", "+:::\ndocker:x:998:\n"},
       }) {
    CAPTURE(c.before);
    const auto edit = with_line(c.before, "docker:x:998:");
    CHECK(edit.text == c.with);
    CHECK(without_line(edit.text, "docker:x:998:", edit.separated) == std::string(c.before));
    // Others came behind it since.
    CHECK(without_line(edit.text + "bob:x:1001:\n", "docker:x:998:", edit.separated) ==
          (edit.separated ? c.before + std::string("\n") : c.before) + "bob:x:1001:\n");
  }
  CHECK_FALSE(without_line("docker:x:998:bob\n", "docker:x:998:", false).has_value());
  CHECK_FALSE(without_line("xdocker:x:998:\n", "docker:x:998:", false).has_value());
}

TEST_CASE("distro/group_text: a member comes last and goes without a trace, whoever came since") {
  struct Case {
    const char* before;
    const char* with;
  };
  for (const auto& c : {
           Case{"docker:x:998:\n", "docker:x:998:me\n"},
           Case{"docker:x:998:", "docker:x:998:me"},
           Case{"docker:x:998:bob\n", "docker:x:998:bob,me\n"},
           Case{"docker:x:998:bob,\n", "docker:x:998:bob,me\n"},
           Case{"a:x:1:\ndocker:x:998:some,men\nz:x:2:me\n",
                "a:x:1:\ndocker:x:998:some,men,me\nz:x:2:me\n"},
           Case{"docker:!::\nz:!::\n", "docker:!::me\nz:!::\n"},
       }) {
    CAPTURE(c.before);
    const auto edit = with_member(c.before, "docker", "me");
    REQUIRE(edit.has_value());
    CHECK(edit->text == c.with);
    CHECK(without_member(edit->text, "docker", "me", edit->separated) == std::string(c.before));
  }
  CHECK_FALSE(with_member("docker:x\n", "docker", "me").has_value());
  CHECK_FALSE(with_member("", "docker", "me").has_value());

  struct Later {
    const char* now;
    bool separated;
    const char* expected;  // null: nothing to take away
  };
  for (const auto& c : {
           Later{"docker:x:998:me,bob\n", false, "docker:x:998:bob\n"},
           Later{"docker:x:998:bob,me,eve\n", true, "docker:x:998:bob,eve\n"},
           Later{"docker:x:998:me,eve\n", true, "docker:x:998:eve\n"},
           Later{"docker:x:998:me\n", true, "docker:x:998:\n"},
           Later{"docker:x:997:x,me\n", true, "docker:x:997:x\n"},
           Later{"docker:x:998:bob\n", true, nullptr},
           Later{"docker:x:998:meme,time\n", false, nullptr},
           Later{"other:x:998:me\n", false, nullptr},
           Later{"", false, nullptr},
       }) {
    CAPTURE(c.now);
    const auto text = without_member(c.now, "docker", "me", c.separated);
    CHECK(text.has_value() == (c.expected != nullptr));
    if (text && c.expected != nullptr) CHECK(*text == c.expected);
  }
}
