#include "paths/engine_places.h"

#include <doctest/doctest.h>

#include <string>

using namespace causeway::paths;

TEST_CASE("paths/engine_places: a share's path is split into the distro and its own path") {
  struct Row {
    const char* path;
    const char* expected;  // "distro:path", or empty
  };
  for (const auto& row : {
           Row{"/mnt/distro/Ubuntu", "Ubuntu:/"},
           Row{"/mnt/distro/Ubuntu/home/dev", "Ubuntu:/home/dev"},
           Row{"/mnt/distro", ""},
           Row{"/mnt/distro/", ""},
           Row{"/mnt/distros/Ubuntu", ""},
           Row{"/mnt/distro/..", ""},
           Row{"/mnt/distro//Ubuntu", ""},
           Row{"/srv/mnt/distro/Ubuntu", ""},
           Row{"mnt/distro/Ubuntu", ""},
           Row{"", ""},
       }) {
    CAPTURE(row.path);
    const auto share = split_share_place(row.path);
    const std::string got =
        share ? std::string(share->distro) + ":" + std::string(share->rest) : std::string();
    CHECK(got == row.expected);
    if (share) CHECK(share_place(share->distro, share->rest) == row.path);
  }
}

TEST_CASE("paths/engine_places: a drive's path, and what only looks like one") {
  struct Row {
    const char* path;
    const char* expected;
  };
  for (const auto& row : {
           Row{"/mnt/host/c", "c:/"},
           Row{"/mnt/host/c/x/y", "c:/x/y"},
           Row{"/mnt/host/C/x", "c:/x"},
           Row{"/mnt/host", ""},
           Row{"/mnt/host/", ""},
           Row{"/mnt/host/cc", ""},
           Row{"/mnt/host/1", ""},
           Row{"/mnt/hosts/c", ""},
           Row{"/mnt/distro/Ubuntu/home/dev/host/app", ""},
           Row{"/mnt/distro/Ubuntu/mnt/host/c", ""},
           Row{"/srv/host/c", ""},
       }) {
    CAPTURE(row.path);
    const auto drive = split_drive_place(row.path);
    const std::string got =
        drive ? std::string(1, drive->letter) + ":" + std::string(drive->rest) : std::string();
    CHECK(got == row.expected);
  }
}

TEST_CASE("paths/engine_places: messages that name a share") {
  CHECK(mentions_share("bind source path does not exist: /mnt/distro/Ubuntu/x"));
  CHECK(mentions_share("/mnt/distro and then /mnt/distro/Ubuntu"));
  CHECK_FALSE(mentions_share("no such directory: /mnt/distro"));
  CHECK_FALSE(mentions_share("/mnt/distros/x"));
  CHECK_FALSE(mentions_share(""));
}
