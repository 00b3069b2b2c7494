#include "paths/unix_path.h"

#include <doctest/doctest.h>

using namespace causeway::paths;

TEST_CASE("paths/unix_path: clean paths and others") {
  struct Case {
    const char* path;
    const char* cleaned;
  };
  const Case cases[] = {
      {"/", "/"},        {"/a", "/a"},         {"/a/b", "/a/b"},       {"", "/"},
      {"//", "/"},       {"/a/", "/a"},        {"/a//b", "/a/b"},      {"/./a/.", "/a"},
      {"/a/../b", "/b"}, {"/..", "/"},         {"/../a", "/a"},        {"/a/b/../../..", "/"},
      {"a/b", "/a/b"},   {"/a/...", "/a/..."}, {"/.a/..b", "/.a/..b"}, {"/ ", "/ "},
  };
  for (const auto& one : cases) {
    CAPTURE(one.path);
    CHECK(clean(one.path) == one.cleaned);
    CHECK(is_clean(one.path) == (std::string_view(one.path) == one.cleaned));
  }
}

TEST_CASE("paths/unix_path: below means by whole names") {
  CHECK(is_below("/a/b", "/a"));
  CHECK(is_below("/a", "/"));
  CHECK_FALSE(is_below("/a", "/a"));
  CHECK_FALSE(is_below("/ab", "/a"));
  CHECK_FALSE(is_below("/", "/"));
  CHECK(is_at_or_below("/a", "/a"));
  CHECK_FALSE(is_at_or_below("/", "/a"));
}

TEST_CASE("paths/unix_path: joining") {
  CHECK(join("/a", "/b/c") == "/a/b/c");
  CHECK(join("/a", "/") == "/a");
  CHECK(join("/", "/b") == "/b");
  CHECK(join("/", "/") == "/");
}
