#include "paths/mount_table.h"

#include <doctest/doctest.h>

#include "mount_samples.h"

using namespace causeway::paths;

namespace {

using Strings = std::vector<std::string>;

Strings points(std::string_view mountinfo) {
  Strings out;
  for (const auto& mount : plan_share(parse_mountinfo(mountinfo))) out.push_back(mount.point);
  return out;
}

MountTable table(std::string_view mountinfo) { return summarize(parse_mountinfo(mountinfo)); }

std::string drives_found(std::string_view mountinfo) {
  std::string out;
  for (const auto& drive : table(mountinfo).drives)
    out += drive.point + "=" + drive.letter + ":" + drive.below + " ";
  return out;
}

const std::string kRoot = "1 0 8:1 / / rw - ext4 a rw\n";

}  // namespace

TEST_CASE("paths/mount_table: <wsl> is found where automount.root puts it") {
  CHECK(find_wsl(parse_mountinfo(samples::kWsl)) == "/mnt/wsl");
  CHECK(find_wsl(parse_mountinfo(samples::kDebian)).empty());
  const std::string root = "1 0 8:1 / / rw - ext4 a rw\n";
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /wsl rw - tmpfs none rw\n")) == "/wsl");
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /home/me/wsl rw - tmpfs none rw\n"
                                        "3 1 0:1 / /w/wsl rw - tmpfs none rw\n")) == "/w/wsl");
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /wsl rw - ext4 a rw\n")).empty());
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /mnt/wsl/x rw - tmpfs a rw\n")).empty());
}

TEST_CASE("paths/mount_table: Windows drives, by type and by place") {
  CHECK(find_drives(parse_mountinfo(samples::kWsl), "/mnt/wsl") ==
        Strings{"/mnt/c", "/mnt/my disk"});
  const std::string root = "1 0 8:1 / / rw - ext4 a rw\n";
  const auto mounts = parse_mountinfo(root +
                                      "2 1 0:1 / /c rw - overlay C:\\134 rw\n"
                                      "3 2 0:2 / /c/inner rw - 9p D rw,aname=drvfs;path=D\n"
                                      "4 1 0:3 / /d rw - virtiofs drvfsD rw\n"
                                      "5 1 0:4 / /data rw - ext4 b rw\n"
                                      "6 1 0:5 / /c-x rw - 9p E rw,aname=drvfs\n"
                                      "7 1 0:6 / /wsl rw - tmpfs none rw\n");
  CHECK(find_drives(mounts, "/wsl") == Strings{"/c", "/c-x", "/d"});
  CHECK(find_drives(mounts, "/mnt/wsl") == Strings{"/c-x", "/c/inner", "/d"});
  CHECK(find_drives(parse_mountinfo(samples::kDebian), "").empty());
}

TEST_CASE("paths/mount_table: drives with the part of them that is mounted") {
  CHECK(drives_found(samples::kUbuntu) ==
        "/home/me/my music=c:/Music/old ones /mnt/c=c: /mnt/d=d: /srv/games=d:/Games ");
  CHECK(table(samples::kUbuntu).wsl == "/mnt/wsl");
  CHECK(table(samples::kMinimal) == MountTable{"/mnt/wsl", {}});
  CHECK(drives_found(samples::kRootAutomount) == "/c=c: ");
  CHECK(table(samples::kRootAutomount).wsl == "/wsl");
  CHECK(table(samples::kDebian) == MountTable{});
  CHECK(table("") == MountTable{});
}

TEST_CASE("paths/mount_table: drives on virtiofs, in every way WSL did it") {
  // What is neither beside <wsl> nor a part of what is there can't be told apart by its tag.
  CHECK(drives_found(samples::kVirtiofsTags) == "/home/me/music=c:/Music /mnt/c=c: /mnt/d=d: ");
  CHECK(drives_found(samples::kVirtiofsGuids) == "/home/me/music=c:/Music /mnt/c=c: ");
  CHECK(drives_found(samples::kVirtiofsAggregate) ==
        "/home/me/music=d:/Music/old /mnt/c=c: /mnt/d=d: ");
}

TEST_CASE("paths/mount_table: what a drive's source may look like") {
  struct Case {
    const char* rest_of_line;
    const char* expected;
  };
  const Case cases[] = {
      {"/ /p rw - 9p C:\\134 rw,aname=drvfs", "/p=c: "},
      {"/ /p rw - 9p C: rw,aname=drvfs;path=C:;uid=0", "/p=c: "},
      {"/ /p rw - 9p c:/Music rw,aname=drvfs", "/p=c:/Music "},
      {"/ /p rw - 9p C:\\134Music\\134old\\134 rw,aname=drvfs", "/p=c:/Music/old "},
      {"/ /p rw - 9p none rw,dirsync,aname=drvfs;path=E:\\Music;uid=0,mmap", "/p=e:/Music "},
      {"/ /p rw - 9p none rw,aname=drvfs,path=E:\\", ""},
      {"/ /p rw - 9p none rw,aname=drivers;path=E:\\", ""},
      {"/ /p rw - 9p \\134\\134nas\\134x rw,aname=drvfs;path=UNC\\nas\\x", ""},
      {"/sub/x /p rw - 9p C:\\134Music rw,aname=drvfs", "/p=c:/Music/sub/x "},
      {"/ /p rw - drvfs C: rw", "/p=c: "},
      // With blanks, which the kernel doesn't escape there.
      {"/ /p rw - 9p drvfs rw,aname=drvfs;path=D:\\My Documents\\work;uid=0,trans=virtio",
       "/p=d:/My Documents/work "},
      {"/ /p rw - 9p C:\\134Program\\040Files rw,aname=drvfs;path=C:\\Program Files;uid=0",
       "/p=c:/Program Files "},
      {"/a\\040b /p rw - 9p drvfs rw,aname=drvfs;path=C:\\x - tmpfs y", "/p=c:/x - tmpfs y/a b "},
      {"/ /p rw - 9p drvfs rw,aname=drvfs;path=UNC\\nas\\Our Documents;uid=0", ""},
      // The type decides whether a text names a drive.
      {"/ /p rw - overlay C:\\134 rw", ""},
      {"/ /p rw - tmpfs C:\\134 rw,aname=drvfs;path=C:\\", ""},
      {"/ /p rw - fuse.x C:\\134Windows rw,user_id=1000", ""},
      {"/ /p rw - fuse drvfs rw,aname=drvfs;path=C:\\Windows", ""},
      {"/ /p rw - 9p C:\\134 rw,trans=unix", ""},
      {"/ /p rw - 9p C:\\134 rw,aname=drvfsx;path=C:\\", ""},
      {"/ /p rw - 9p C:\\134 rw,xaname=drvfs;path=C:\\", ""},
      {"/ /p rw - overlay C: rw", ""},
      {"/ /p rw - fuse.sshfs c:/export rw", ""},
      {"/ /p rw - 9p C:x rw,aname=drvfs", ""},
      {"/ /p rw - 9p 1:\\134 rw,aname=drvfs", ""},
      {"/ / rw - 9p C:\\134 rw,aname=drvfs", ""},
  };
  for (const auto& one : cases) {
    CAPTURE(one.rest_of_line);
    CHECK(drives_found(kRoot + "2 1 0:1 " + one.rest_of_line + "\n") == one.expected);
  }
  // Hidden below a later mount: nobody's path leads there.
  CHECK(drives_found(kRoot + "2 1 0:1 / /p/c rw - 9p C:\\134 rw,aname=drvfs\n"
                             "3 1 0:2 / /p rw - tmpfs t rw\n") == "");
}

TEST_CASE("paths/mount_table: whole drives where WSL mounts them, and what shows parts of them") {
  const std::string wsl = kRoot + "2 1 0:2 / /mnt/wsl rw - tmpfs none rw\n";
  struct Case {
    const char* lines;
    const char* expected;
  };
  const Case cases[] = {
      // Both its place and its source say which; only root mounts there.
      {"3 1 0:3 / /mnt/c rw - overlay C:\\134 rw\n4 1 0:3 /Docs /home/docs rw - overlay C:\\134 "
       "rw\n",
       "/home/docs=c:/Docs /mnt/c=c: "},
      {"3 1 0:3 / /mnt/d rw - overlay C:\\134 rw\n", ""},
      {"3 1 0:3 / /mnt/c rw - overlay C:\\134Users rw\n", ""},
      {"3 1 0:3 / /mnt/c rw - ext4 /dev/sdx rw\n", ""},
      {"3 1 0:3 / /mnt/c rw - fuse.x C:\\134 rw,user_id=1000\n", ""},
      {"3 1 0:3 / /mnt/c rw - virtiofs anything rw\n4 1 0:4 / /p rw - virtiofs C:\\134 rw\n",
       "/mnt/c=c: "},
      // A device's number alone tells nothing: FUSE may say what it likes.
      {"3 1 0:3 / /mnt/c rw - overlay C:\\134 rw\n4 1 0:4 / /p rw - overlay C:\\134 rw\n",
       "/mnt/c=c: "},
  };
  for (const auto& one : cases) {
    CAPTURE(one.lines);
    CHECK(drives_found(wsl + one.lines) == one.expected);
  }
}

TEST_CASE("paths/mount_table: what is shared of a distro, parents first") {
  CHECK(points(samples::kUbuntu) == Strings{"/",
                                            "/data",
                                            "/data/top",
                                            "/dev",
                                            "/dev/hugepages",
                                            "/dev/mqueue",
                                            "/dev/pts",
                                            "/dev/shm",
                                            "/init",
                                            "/mnt/c/build",
                                            "/mnt/nas",
                                            "/mnt/usb disk",
                                            "/mnt/wslg",
                                            "/mnt/wslg/distro",
                                            "/mnt/wslg/versions.txt",
                                            "/run",
                                            "/run/lock",
                                            "/run/shm",
                                            "/run/user",
                                            "/run/user/1000",
                                            "/run/user/1000/doc",
                                            "/snap/bare/5",
                                            "/srv/kept",
                                            "/tmp/.X11-unix",
                                            "/var/lib/docker/volumes/mine/_data"});
  CHECK(points(samples::kMinimal) == Strings{"/", "/dev", "/dev/pts", "/init", "/run"});
  CHECK(points(samples::kRootAutomount) == Strings{"/", "/h", "/srv/lab/wsl", "/x"});
  CHECK(points(samples::kVirtiofsAggregate) == Strings{"/", "/run", "/srv/share"});
  CHECK(points(samples::kVirtiofsTags) == Strings{"/", "/srv/other"});
  CHECK(points(samples::kWsl) ==
        Strings{"/", "/dev", "/dev/pts", "/dev/shm", "/init", "/run", "/run/lock", "/run/shm"});
  CHECK(points("").empty());
}

TEST_CASE("paths/mount_table: a shared mount is described as mountinfo does") {
  const auto mounts = plan_share(parse_mountinfo(samples::kUbuntu));
  const ShareMount* usb = nullptr;
  for (const auto& mount : mounts)
    if (mount.point == "/var/lib/docker/volumes/mine/_data") usb = &mount;
  REQUIRE(usb != nullptr);
  CHECK(*usb ==
        ShareMount{110, 80, "/var/lib/docker/volumes/mine/_data", "ext4", "8:64", "/home/me"});
  // Of a stack only what lies on top.
  for (const auto& mount : mounts)
    if (mount.point == "/data") CHECK(mount.id == 117);
}

TEST_CASE("paths/mount_table: a parent stands before its children in any order of lines") {
  const std::string lines[] = {"5 4 0:4 / /a/b/c rw - ext4 x rw\n",
                               "4 3 0:3 / /a/b rw - ext4 x rw\n", "3 1 0:2 / /a rw - ext4 x rw\n",
                               "6 1 0:5 / /a-b rw - ext4 x rw\n", kRoot};
  std::string text;
  for (const auto& line : lines) text += line;
  CHECK(points(text) == Strings{"/", "/a", "/a-b", "/a/b", "/a/b/c"});
}
