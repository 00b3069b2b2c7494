#include "distro/share_changes.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace causeway;
using namespace causeway::distro;

namespace {

paths::ShareMount mount(int id, const std::string& point, const std::string& device = "8:1") {
  return {id, 1, point, "ext4", device, "/"};
}

}  // namespace

TEST_CASE("distro/share_changes: what is new, gone, or another one than before") {
  const std::vector<paths::ShareMount> before{mount(1, "/"), mount(2, "/data"),
                                              mount(3, "/data/deep"), mount(4, "/home")};
  CHECK(share_changes(before, before) == ShareChanges{});
  CHECK(share_changes({}, before) == ShareChanges{{}, before});
  CHECK(share_changes(before, {}) == ShareChanges{{"/home", "/data/deep", "/data", "/"}, {}});

  std::vector<paths::ShareMount> now{mount(1, "/"), mount(9, "/data"), mount(4, "/home"),
                                     mount(10, "/new"), mount(11, "/new/er")};
  CHECK(share_changes(before, now) ==
        ShareChanges{{"/data/deep"}, {mount(9, "/data"), mount(10, "/new"), mount(11, "/new/er")}});

  // The number was given again to another file system.
  now = {mount(1, "/"), mount(2, "/data", "8:2"), mount(3, "/data/deep"), mount(4, "/home")};
  CHECK(share_changes(before, now) == ShareChanges{{}, {mount(2, "/data", "8:2")}});
}
