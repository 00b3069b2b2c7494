#include <doctest/doctest.h>

#include "context.h"
#include "paths/path_mapper.h"

using namespace paths_test;

namespace {

struct Case {
  Identity asker;
  std::string path;
  std::string expected;
};

}  // namespace

TEST_CASE("paths/unmap: the canonical path for each asker") {
  const PathContext context = make_context();
  const Case cases[] = {
      {kUbuntu, "/mnt/distro/Ubuntu/home/me", "/home/me"},
      {kUbuntu, "/mnt/distro/Ubuntu", "/"},
      {kUbuntu, "/mnt/distro/Ubuntu/a b/ä", "/a b/ä"},
      {kUbuntu, "/mnt/distro/minimal/x", "/mnt/distro/minimal/x"},
      {kUbuntu, "/mnt/distro/Arch/x", "/mnt/distro/Arch/x"},
      {kUbuntu, "/mnt/distro/UbuntuX/x", "/mnt/distro/UbuntuX/x"},
      {kStopped, "/mnt/distro/Debian-12/x", "/x"},
      {kUbuntu, "/mnt/host/c/x", "/mnt/c/x"},
      {kUbuntu, "/mnt/host/c", "/mnt/c"},
      {kUbuntu, "/mnt/host/c/Music", "/home/me/music"},
      {kUbuntu, "/mnt/host/c/Music/a.ogg", "/home/me/music/a.ogg"},
      {kUbuntu, "/mnt/host/c/Musica", "/mnt/c/Musica"},
      {kUbuntu, "/mnt/host/d/x", "/mnt/c/inner/x"},
      {kMinimal, "/mnt/host/c/x", "/c/x"},
      {kMinimal, "/mnt/host/d/x", "D:\\x"},
      {kMinimal, "/mnt/host/z/x", "Z:\\x"},
      {kUbuntu, "/mnt/wsl/x", "/mnt/wsl/x"},
      {kMinimal, "/mnt/wsl/x", "/wsl/x"},
      {kMinimal, "/mnt/wsl", "/wsl"},
      {kUbuntu, "/dev/null", "/dev/null"},
      // The engine's own: everybody may say it like that.
      {kUbuntu, "/data/docker/volumes/v/_data", "/var/lib/docker/volumes/v/_data"},
      {kWindows, "/data/docker/volumes/v/_data", "/var/lib/docker/volumes/v/_data"},
      {kUbuntu, "/data/docker", "/var/lib/docker"},
      {kUbuntu, "/data/dockers", "/mnt/engine/data/dockers"},
      {kUbuntu, "/var/lib/docker/volumes/v/_data", "/mnt/engine/var/lib/docker/volumes/v/_data"},
      {kUbuntu, "/etc/hosts", "/mnt/engine/etc/hosts"},
      {kMinimal, "/", "/mnt/engine"},
      {kUbuntu, "/dev/shm", "/mnt/engine/dev/shm"},
      {kWindows, "/dev/shm", "/mnt/engine/dev/shm"},
      {kWindows, "/dev/null", "/dev/null"},
      {kUbuntu, "/proc/cpuinfo", "/proc/cpuinfo"},
      {kUbuntu, "/proc/1/root", "/mnt/engine/proc/1/root"},
      {kUbuntu, "/mnt/distro", "/mnt/engine/mnt/distro"},
      {kWindows, "/mnt/wsl/x", "/mnt/engine/mnt/wsl/x"},
      {kUbuntu, "/mnt/distro/Ubuntu/dev/shm", "/dev/shm"},
      {kWindows, "/mnt/distro/Ubuntu/dev/log", "\\\\wsl.localhost\\Ubuntu\\dev\\log"},
      {kMinimal, "/mnt/distro/Ubuntu/dev/log", "/mnt/distro/Ubuntu/dev/log"},
      // A distro's own files that have such a name.
      {kUbuntu, "/mnt/distro/Ubuntu/var/lib/docker/x", "/mnt/distro/Ubuntu/var/lib/docker/x"},
      {kUbuntu, "/mnt/distro/Ubuntu/host_mnt/c/x", "/mnt/distro/Ubuntu/host_mnt/c/x"},
      {kUbuntu, "/run/causeway/api/distro-Ubuntu.sock", "/var/run/docker.sock"},
      {kUbuntu, "/run/causeway/api/windows.sock", "/var/run/docker.sock"},
      {kUbuntu, "/run/causeway/engine.sock", "/var/run/docker.sock"},
      {kWindows, "/run/causeway/api/distro-Ubuntu.sock", "/var/run/docker.sock"},
      {kUbuntu, "/run/causeway/dockerd.sock", "/mnt/engine/run/causeway/dockerd.sock"},
      {kUbuntu, "/run/causeway/api/distro-.sock", "/mnt/engine/run/causeway/api/distro-.sock"},
      {kWindows, "/mnt/distro/Ubuntu/home/me", "\\\\wsl.localhost\\Ubuntu\\home\\me"},
      {kWindows, "/mnt/distro/Ubuntu", "\\\\wsl.localhost\\Ubuntu\\"},
      {kWindows, "/mnt/host/c/a b/c", "C:\\a b\\c"},
      {kWindows, "/mnt/host/c", "C:\\"},
      {kWindows, "/mnt/host/z/x", "Z:\\x"},
      {kWindows, "/x/y", "/mnt/engine/x/y"},
      {kWindows, "data", "data"},
      {kWindows, "", ""},
      {kEngine, "/mnt/distro/Ubuntu/x", "/mnt/distro/Ubuntu/x"},
      // Names that Windows hasn't.
      {kWindows, "/mnt/distro/Ubuntu/a:b", "/mnt/distro/Ubuntu/a:b"},
      {kWindows, "/mnt/distro/Ubuntu/a\\b", "/mnt/distro/Ubuntu/a\\b"},
      {kWindows, "/mnt/distro/Ubuntu/a./b", "/mnt/distro/Ubuntu/a./b"},
      {kWindows, "/mnt/distro/Ubuntu/a ", "/mnt/distro/Ubuntu/a "},
      {kWindows, "/mnt/host/c/what?", "/mnt/host/c/what?"},
      {kMinimal, "/mnt/host/d/what?", "/mnt/host/d/what?"},
      // Names that would mean something else.
      {kUbuntu, "/mnt/distro/Ubuntu/mnt/distro/minimal/x",
       "/mnt/distro/Ubuntu/mnt/distro/minimal/x"},
      {kUbuntu, "/mnt/distro/Ubuntu/mnt/host/c", "/mnt/distro/Ubuntu/mnt/host/c"},
      {kUbuntu, "/mnt/host/c/inner/x", "C:\\inner\\x"},
      // Not dockerd's spelling: untouched.
      {kUbuntu, "/mnt/distro/Ubuntu/../x", "/mnt/distro/Ubuntu/../x"},
      {kUbuntu, "/mnt/distro/Ubuntu/x/", "/mnt/distro/Ubuntu/x/"},
      {kUbuntu, "mnt/distro/Ubuntu", "mnt/distro/Ubuntu"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.asker.name);
    CAPTURE(one.path);
    CHECK(unmap(one.asker, one.path, context) == one.expected);
  }
}

TEST_CASE("paths/unmap: paths inside messages") {
  const PathContext context = make_context();
  const Case cases[] = {
      {kUbuntu,
       "invalid mount config for type \"bind\": bind source path does not exist:"
       " /mnt/distro/Ubuntu/home/me/a b",
       "invalid mount config for type \"bind\": bind source path does not exist: /home/me/a b"},
      {kWindows, "bind source path does not exist: /mnt/host/c/a b",
       "bind source path does not exist: C:\\a b"},
      {kUbuntu,
       "error while creating mount source path '/mnt/distro/Ubuntu/x y': mkdir"
       " /mnt/distro/Ubuntu/x y: read-only file system",
       "error while creating mount source path '/x y': mkdir /x y: read-only file system"},
      {kWindows,
       "error while creating mount source path '/mnt/distro/Ubuntu/x y': mkdir"
       " /mnt/distro/Ubuntu/x y: read-only file system",
       "error while creating mount source path '\\\\wsl.localhost\\Ubuntu\\x y': mkdir"
       " \\\\wsl.localhost\\Ubuntu\\x y: read-only file system"},
      {kWindows,
       "error mounting \"/mnt/host/c/x\" to rootfs at \"/x\": mount /mnt/host/c/x:/x (via",
       "error mounting \"C:\\x\" to rootfs at \"/x\": mount C:\\x:/x (via"},
      {kWindows, "error mounting \\\"/mnt/host/c/x\\\" to rootfs",
       "error mounting \\\"C:\\x\\\" to rootfs"},
      {kUbuntu,
       "mounting /mnt/distro/Ubuntu/a to rootfs, /mnt/distro/minimal/b (see"
       " /run/causeway/api/distro-Ubuntu.sock: refused)",
       "mounting /a to rootfs, /mnt/distro/minimal/b (see /var/run/docker.sock: refused)"},
      {kUbuntu, "mkdir /data/docker/volumes/v: read-only file system",
       "mkdir /var/lib/docker/volumes/v: read-only file system"},
      {kUbuntu, "dial unix /run/causeway/engine.sock: refused",
       "dial unix /var/run/docker.sock: refused"},
      {kUbuntu, "(/mnt/distro/Ubuntu/a)", "(/a)"},
      {kUbuntu, "invalid volume specification: '/mnt/distro/Ubuntu/a dir:/:ro'",
       "invalid volume specification: '/a dir:/:ro'"},
      {kUbuntu, "/mnt/distro/Ubuntu/a\n/mnt/distro/Ubuntu/b:", "/a\n/b:"},
      {kMinimal, "stat /mnt/wsl/x: no such file", "stat /wsl/x: no such file"},
      {kUbuntu, "/srv/mnt/distro/Ubuntu/a and x/mnt/host/c",
       "/srv/mnt/distro/Ubuntu/a and x/mnt/host/c"},
      {kUbuntu, "no path here", "no path here"},
      {kUbuntu, "", ""},
      {kUbuntu, "/", "/"},
      {kUbuntu, "'/mnt/distro/Ubuntu/never closed", "'/never closed"},
      {kEngine, "/mnt/distro/Ubuntu/a", "/mnt/distro/Ubuntu/a"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.asker.name);
    CAPTURE(one.path);
    CHECK(unmap_text(one.asker, one.path, context) == one.expected);
  }
}
