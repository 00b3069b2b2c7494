#include "log_line.h"

#include <doctest/doctest.h>

using namespace causeway::shim;

TEST_CASE("host_shim/log_line: a value that could be misread is in quotes") {
  CHECK(log_line("link.stopped") == "link.stopped");
  const struct {
    const char* value;
    const char* line;
  } cases[] = {
      {"412", "e k=412"},
      {"", R"(e k="")"},
      {"no agent", R"(e k="no agent")"},
      {"a=b", R"(e k="a=b")"},
      {R"(\\.\pipe\x)", R"(e k=\\.\pipe\x)"},
      {R"(C:\a b)", R"(e k="C:\\a b")"},
      {R"(say "x")", R"(e k="say \"x\"")"},
      {"line\nother event", R"(e k="line\\x0aother event")"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.value);
    CHECK(log_line("e", {{"k", one.value}}) == one.line);
  }
  CHECK(log_line("helper.ended", {{"distro", "U"}, {"code", 3U}}) ==
        "helper.ended distro=U code=3");
}
