#include "init/machine.h"

#include <doctest/doctest.h>

#include <string>

using causeway::init::host_name;

TEST_CASE("init/machine: the host name is the first line that can be one") {
  CHECK(host_name("docker-desktop\n") == "docker-desktop");
  CHECK(host_name("# a comment\n\n  box.example \nother\n") == "box.example");
  CHECK(host_name("") == "localhost");
  CHECK(host_name("two words\n") == "localhost");
  CHECK(host_name(std::string(64, 'a')) == std::string(64, 'a'));
  CHECK(host_name(std::string(65, 'a')) == "localhost");
}
