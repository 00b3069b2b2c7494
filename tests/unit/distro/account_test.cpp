#include "distro/account.h"

#include <doctest/doctest.h>

#include <string>

using namespace causeway::distro;

TEST_CASE("distro/account: by name first, then by number; only whole lines count") {
  const std::string passwd =
      "root:x:0:0:root:/root:/bin/bash\n"
      "short:x:5:5\n"
      ":x:6:6::/:/\n"
      "big:x:4294967295:1::/:/\n"
      "me:x:1000:1001:Me,,,:/home/me:/bin/zsh\n"
      "twin:x:1000:1000::/home/twin:/bin/sh\n"
      "1000:x:77:77::/home/digits:/bin/sh\n"
      "homeless:x:1002:1002:::\n";
  CHECK(find_account(passwd, "me") == Account{"me", 1000, 1001, "/home/me"});
  CHECK(find_account(passwd, "1000")->name == "1000");
  CHECK(find_account(passwd, "1002") == Account{"homeless", 1002, 1002, ""});
  CHECK(find_account(passwd, "0")->name == "root");
  for (const char* unknown : {"short", "5", "", "6", "big", "4294967295", "Me", "me "})
    CHECK_MESSAGE(!find_account(passwd, unknown).has_value(), unknown);
  CHECK(find_account("me:x:1000:1001:Me:/home/me:/bin/zsh", "1000")->name == "me");
}

TEST_CASE("distro/account: the default user of wsl.conf") {
  struct Case {
    const char* text;
    const char* expected;
  };
  for (const auto& c : {
           Case{"", ""},
           Case{"[user]\ndefault=me\n", "me"},
           Case{"[user]\r\ndefault=me\r\n", "me"},
           Case{"[ User ]\n  Default = me # whoever\n", "me"},
           Case{"[user]\ndefault = \"me\"\n", "me"},
           Case{"[user]\ndefault=\ndefault=second\n", "second"},
           Case{"[user]\ndefault=first\ndefault=second\n", "first"},
           Case{"# [user]\ndefault=me\n", ""},
           Case{"[boot]\ndefault=me\n[user]\n#default=x\n", ""},
           Case{"[user]\nnodefault=me\n", ""},
           Case{"[user]\n[boot]\ndefault=me\n", ""},
       }) {
    CAPTURE(c.text);
    CHECK(default_user(c.text).value_or("") == c.expected);
  }
}
