// The path map as a table: who asks, the source as given, and what the engine gets (the notation is
// paths_test::map's; behind "!" stands a part of the reason). The tests of its properties walk the
// same table.
#pragma once

#include <string>
#include <vector>

#include "context.h"

namespace paths_test {

struct MapCase {
  Identity asker;
  std::string source;
  std::string expected;
};

inline std::vector<MapCase> distro_cases() {
  const std::string long_name(255, 'n');
  const std::string long_path = "/" + std::string(4000, 'p');
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "/d";
  const Identity& u = kUbuntu;
  const Identity& m = kMinimal;
  return {
      // A file of the distro.
      {u, "/home/me/src", "/mnt/distro/Ubuntu/home/me/src"},
      {m, "/home/me/src", "/mnt/distro/minimal/home/me/src"},
      {u, "/", "/mnt/distro/Ubuntu"},
      {m, "/", "/mnt/distro/minimal"},
      {u, "///", "/mnt/distro/Ubuntu"},
      {u, "/.", "/mnt/distro/Ubuntu"},
      {u, "/etc/", "/mnt/distro/Ubuntu/etc"},
      {u, "/etc//ssl/./certs/", "/mnt/distro/Ubuntu/etc/ssl/certs"},
      {u, "//etc/ssl", "/mnt/distro/Ubuntu/etc/ssl"},
      {u, "////etc/ssl", "/mnt/distro/Ubuntu/etc/ssl"},
      {u, "///c/x", "/mnt/distro/Ubuntu/c/x"},
      {u, "/a b/ c /d", "/mnt/distro/Ubuntu/a b/ c /d"},
      {u, "/trailing ", "/mnt/distro/Ubuntu/trailing "},
      {u, "/dots.../x.", "/mnt/distro/Ubuntu/dots.../x."},
      {u, "/...", "/mnt/distro/Ubuntu/..."},
      {u, "/..a/b..", "/mnt/distro/Ubuntu/..a/b.."},
      {u, "/täglich/日本語/🐳", "/mnt/distro/Ubuntu/täglich/日本語/🐳"},
      {u, "/not\xffutf8/\xc3", "/mnt/distro/Ubuntu/not\xffutf8/\xc3"},
      {u, "/back\\slash", "/mnt/distro/Ubuntu/back\\slash"},
      {u, "/\\server\\share", "/mnt/distro/Ubuntu/\\server\\share"},
      {u, "/colon:in:it", "/mnt/distro/Ubuntu/colon:in:it"},
      {u, "/c:/x", "/mnt/distro/Ubuntu/c:/x"},
      {u, "/quote\"'`$(x)", "/mnt/distro/Ubuntu/quote\"'`$(x)"},
      {u, "/new\nline\ttab", "/mnt/distro/Ubuntu/new\nline\ttab"},
      {u, "/-v", "/mnt/distro/Ubuntu/-v"},
      {u, "/%2e%2e/x", "/mnt/distro/Ubuntu/%2e%2e/x"},
      {u, "/" + long_name, "/mnt/distro/Ubuntu/" + long_name},
      {u, long_path, "/mnt/distro/Ubuntu" + long_path},
      {u, deep, "/mnt/distro/Ubuntu" + deep},
      {u, "/c/x", "/mnt/distro/Ubuntu/c/x"},
      {u, "/d", "/mnt/distro/Ubuntu/d"},
      {u, "/run/causeway/engine.sock", "/mnt/distro/Ubuntu/run/causeway/engine.sock"},
      {u, "/var/run", "/mnt/distro/Ubuntu/var/run"},
      {kStopped, "/home/me", "?Debian-12:/home/me"},
      {kStopped, "/", "?Debian-12:/"},
      {{Identity::Kind::distro, "unheard-of"}, "/x", "?unheard-of:/x"},

      // No way out of it.
      {u, "/..", "/mnt/distro/Ubuntu"},
      {u, "/../../etc/shadow", "/mnt/distro/Ubuntu/etc/shadow"},
      {u, "/home/../../../etc", "/mnt/distro/Ubuntu/etc"},
      {u, "/home/me/..", "/mnt/distro/Ubuntu/home"},
      {u, "/x/../mnt/distro/minimal/y", "/mnt/distro/minimal/y"},
      {u, "/mnt/distro/Ubuntu/..", "/mnt/distro/Ubuntu/mnt/distro"},
      {u, "/mnt/distro/Ubuntu/../../../etc", "/mnt/distro/Ubuntu/etc"},
      {u, "/mnt/distro/minimal/../../../etc", "/mnt/distro/Ubuntu/etc"},
      {u, "/mnt/host/c/../../../etc", "/mnt/distro/Ubuntu/etc"},
      {u, "/dev/../etc", "/mnt/distro/Ubuntu/etc"},
      {u, "/proc/../../etc", "/mnt/distro/Ubuntu/etc"},
      {u, "/mnt/c/../../etc", "/mnt/distro/Ubuntu/etc"},
      {u, "/mnt/wsl/../../etc", "/mnt/distro/Ubuntu/etc"},
      {u, "/var/run/docker.sock/../x", "/mnt/distro/Ubuntu/var/run/x"},

      // Windows' forms.
      {u, "C:\\x\\y", "/mnt/host/c/x/y"},
      {u, "c:\\x\\y", "/mnt/host/c/x/y"},
      {u, "C:/x/y", "/mnt/host/c/x/y"},
      {u, "C:\\x/y\\z", "/mnt/host/c/x/y/z"},
      {u, "C:", "/mnt/host/c"},
      {u, "C:\\", "/mnt/host/c"},
      {u, "C:/", "/mnt/host/c"},
      {u, "D:\\\\a\\\\b", "/mnt/host/d/a/b"},
      {u, "\\\\?\\C:\\x", "/mnt/host/c/x"},
      {u, "\\\\?\\c:\\", "/mnt/host/c"},
      {u, "\\\\?\\C:", "/mnt/host/c"},
      {u, "\\\\.\\C:\\x", "/mnt/host/c/x"},
      {u, "//?/C:/x", "/mnt/host/c/x"},
      {u, "//./C:/x", "/mnt/host/c/x"},
      {u, "//c/x", "/mnt/host/c/x"},
      {u, "//C/x y/z", "/mnt/host/c/x y/z"},
      {u, "//c", "/mnt/host/c"},
      {u, "//c/", "/mnt/host/c"},
      {u, "//c\\x", "/mnt/host/c/x"},
      {u, "//cc/x", "/mnt/distro/Ubuntu/cc/x"},
      {u, "//./x", "/mnt/distro/Ubuntu/x"},
      {u, "//?/x", "/mnt/distro/Ubuntu/?/x"},
      {u, "E:\\x", "!drive E: is not mounted in the engine's distro; there is C: D:"},
      {u, "//e/x", "!drive E:"},
      {u, "C:x", "!current folder of drive C: write C:\\"},
      {u, "\\x", "!names no drive: write C:\\x"},
      {u, "\\", "!names no drive"},
      {u, "\\x\n", "!write C:\\x\\x0a"},
      {u, "\\\\server\\share\\x", "!network paths"},
      {u, "\\\\.\\pipe\\docker_engine", "!/var/run/docker.sock"},
      {u, "\\\\?\\Volume{b75e2c83}\\x", "!devices of Windows"},
      {u, "C:\\x\\..\\..\\..\\y", "/mnt/host/c/y"},
      {u, "C:\\..\\d\\x", "/mnt/host/c/d/x"},
      {u, "\\\\?\\C:\\..\\..\\x", "/mnt/host/c/x"},

      // Drives as the distro mounts them.
      {u, "/mnt/c", "/mnt/host/c"},
      {u, "/mnt/c/", "/mnt/host/c"},
      {u, "/mnt/c/x/y", "/mnt/host/c/x/y"},
      {u, "/mnt/cx", "/mnt/distro/Ubuntu/mnt/cx"},
      {u, "/mnt/C/x", "/mnt/distro/Ubuntu/mnt/C/x"},
      {u, "/mnt", "/mnt/distro/Ubuntu/mnt"},
      {u, "/mnt/c/inner", "/mnt/host/d"},
      {u, "/mnt/c/inner/x", "/mnt/host/d/x"},
      {u, "/mnt/c/inner2", "/mnt/host/c/inner2"},
      {u, "/home/me/music", "/mnt/host/c/Music"},
      {u, "/home/me/music/a.ogg", "/mnt/host/c/Music/a.ogg"},
      {u, "/home/me/music2", "/mnt/distro/Ubuntu/home/me/music2"},
      {u, "/mnt/d/trailing.", "/mnt/host/d/trailing."},
      {u, "/mnt/e/x", "!drive E:"},
      {m, "/c/x", "/mnt/host/c/x"},
      {m, "/c", "/mnt/host/c"},
      {m, "/d/x", "/mnt/distro/minimal/d/x"},
      {m, "/mnt/c/x", "/mnt/distro/minimal/mnt/c/x"},

      // Other distros.
      {u, "\\\\wsl$\\minimal\\x", "/mnt/distro/minimal/x"},
      {u, "\\\\wsl.localhost\\minimal\\x\\y", "/mnt/distro/minimal/x/y"},
      {u, "\\\\WSL$\\MINIMAL\\x", "/mnt/distro/minimal/x"},
      {u, "//wsl$/minimal/x", "/mnt/distro/minimal/x"},
      {u, "\\\\wsl$\\Ubuntu\\home\\me", "/mnt/distro/Ubuntu/home/me"},
      {u, "\\\\wsl$\\Ubuntu\\mnt\\c\\x", "/mnt/host/c/x"},
      {u, "\\\\wsl$\\minimal\\c\\x", "/mnt/host/c/x"},
      {u, "\\\\wsl$\\minimal\\dev\\shm", "/mnt/distro/minimal/dev/shm"},
      {u, "\\\\wsl$\\minimal\\dev\\null", "/dev/null"},
      {u, "\\\\wsl$\\minimal\\wsl\\x", "/mnt/wsl/x"},
      {u, "\\\\wsl$\\minimal\\run\\docker.sock", "/run/causeway/api/distro-Ubuntu.sock"},
      {u, "\\\\wsl$\\Debian-12\\x", "?Debian-12:/x"},
      {u, "\\\\wsl$\\Arch\\x", "!distro Arch"},
      {u, "/mnt/distro/minimal/x", "/mnt/distro/minimal/x"},
      {u, "/mnt/distro/minimal", "/mnt/distro/minimal"},
      {u, "/mnt/distro/Ubuntu/x", "/mnt/distro/Ubuntu/x"},
      {u, "/mnt/distro/Debian-12/x", "?Debian-12:/x"},
      {u, "/mnt/distro/Arch/x", "!distro Arch"},
      {u, "/mnt/distro/ubuntu/x", "!distro ubuntu"},
      {u, "/mnt/distro/minimal/proc/1", "!other numbers in the engine"},
      {u, "/mnt/distro/minimal/proc/cpuinfo", "/proc/cpuinfo"},
      {u, "/mnt/distro", "/mnt/distro/Ubuntu/mnt/distro"},
      {u, "/mnt/distro/a b/x", "/mnt/distro/Ubuntu/mnt/distro/a b/x"},
      {u, "/mnt/distros/minimal", "/mnt/distro/Ubuntu/mnt/distros/minimal"},
      {u, "/mnt/host/c/x", "/mnt/host/c/x"},
      {u, "/mnt/host/C/x", "/mnt/host/c/x"},
      {u, "/mnt/host/c", "/mnt/host/c"},
      {u, "/mnt/host/e/x", "!drive E:"},
      {u, "/mnt/host/nas/x", "/mnt/distro/Ubuntu/mnt/host/nas/x"},
      {u, "/mnt/host", "/mnt/distro/Ubuntu/mnt/host"},

      // The API, and what the engine has itself.
      {u, "/var/run/docker.sock", "/run/causeway/api/distro-Ubuntu.sock"},
      {u, "/run/docker.sock", "/run/causeway/api/distro-Ubuntu.sock"},
      {u, "//var/run/docker.sock", "/run/causeway/api/distro-Ubuntu.sock"},
      {u, "/run/./docker.sock/", "/run/causeway/api/distro-Ubuntu.sock"},
      {m, "/var/run/docker.sock", "/run/causeway/api/distro-minimal.sock"},
      {kStopped, "/var/run/docker.sock", "/run/causeway/api/distro-Debian-12.sock"},
      {u, "/var/run/docker.sock2", "/mnt/distro/Ubuntu/var/run/docker.sock2"},
      {u, "/dev", "/dev"},
      {u, "/dev/null", "/dev/null"},
      {u, "/dev/net/tun", "/dev/net/tun"},
      {u, "/dev/dri", "/dev/dri"},
      {u, "/dev/shm", "/mnt/distro/Ubuntu/dev/shm"},
      {u, "/dev/shm/x", "/mnt/distro/Ubuntu/dev/shm/x"},
      {u, "/dev/log", "/mnt/distro/Ubuntu/dev/log"},
      {u, "/dev/pts/3", "/mnt/distro/Ubuntu/dev/pts/3"},
      {u, "/dev/mqueue", "/mnt/distro/Ubuntu/dev/mqueue"},
      {u, "/dev/hugepages", "/mnt/distro/Ubuntu/dev/hugepages"},
      {u, "/dev/shm2", "/dev/shm2"},
      {u, "/device", "/mnt/distro/Ubuntu/device"},
      {u, "/proc", "/proc"},
      {u, "/proc/cpuinfo", "/proc/cpuinfo"},
      {u, "/proc/sys/fs", "/proc/sys/fs"},
      {u, "/proc/net/dev", "/proc/net/dev"},
      {u, "/proc/1x", "/proc/1x"},
      {u, "/proc/selfie", "/proc/selfie"},
      // Where these lead, the process that walks them decides: for dockerd, the engine's root.
      {u, "/proc/self", "!other numbers in the engine"},
      {u, "/proc/self/root", "!/proc/self/root leads to"},
      {u, "/proc/self/root/run/causeway/dockerd.sock", "!leads to"},
      {u, "/proc/./self//root/etc", "!leads to"},
      {u, "/proc/thread-self/cwd", "!leads to"},
      {u, "/proc/1/cwd", "!leads to"},
      {u, "/proc/1/root/etc", "!leads to"},
      {u, "/proc/17/fd/3", "!leads to"},
      {u, "/proc/17/task/17/root", "!leads to"},
      {u, "/proc/0017/root", "!leads to"},
      {u, "/dev/fd/3", "!leads to"},
      {u, "/dev/stdin", "!leads to"},
      {u, "\\\\wsl$\\minimal\\proc\\1\\root", "!leads to"},
      {u, "/sys/fs/cgroup", "/sys/fs/cgroup"},
      {u, "/system", "/mnt/distro/Ubuntu/system"},
      {u, "/lib/modules", "/lib/modules"},
      {u, "/lib/modules/6.6/kernel", "/lib/modules/6.6/kernel"},
      {u, "/usr/lib/modules/6.6", "/lib/modules/6.6"},
      {u, "/lib/modules-load.d", "/mnt/distro/Ubuntu/lib/modules-load.d"},
      {u, "/usr/lib/wsl/lib", "/usr/lib/wsl/lib"},
      {u, "/usr/lib", "/mnt/distro/Ubuntu/usr/lib"},
      {u, "/mnt/wsl", "/mnt/wsl"},
      {u, "/mnt/wsl/x", "/mnt/wsl/x"},
      {u, "/mnt/wslg", "/mnt/distro/Ubuntu/mnt/wslg"},
      {m, "/wsl/x", "/mnt/wsl/x"},
      {m, "/mnt/wsl/x", "/mnt/distro/minimal/mnt/wsl/x"},
      // What it has there it alone can say.
      {kStopped, "/dev/null", "?Debian-12:/dev/null"},
      {kStopped, "/dev", "/dev"},
      {kStopped, "C:\\x", "/mnt/host/c/x"},

      // No path at all.
      {u, "", "="},
      {u, "data", "="},
      {u, "./data", "="},
      {u, "../data", "="},
      {u, "~/data", "="},
      {u, "a/b", "="},
      {u, "c", "="},
      {u, "?", "="},
      {u, std::string("/x\0y", 4), "!NUL"},
      {u, std::string("C:\\x\0", 5), "!NUL"},
  };
}

inline std::vector<MapCase> windows_cases() {
  const Identity& w = kWindows;
  const std::string long_part(2000, 'p');
  return {
      // Drives.
      {w, "C:\\x\\y", "/mnt/host/c/x/y"},
      {w, "c:/x/y", "/mnt/host/c/x/y"},
      {w, "C:\\Program Files\\x", "/mnt/host/c/Program Files/x"},
      {w, "C:\\täglich\\日本語", "/mnt/host/c/täglich/日本語"},
      {w, "C:\\" + long_part + "\\" + long_part, "/mnt/host/c/" + long_part + "/" + long_part},
      {w, "\\\\?\\C:\\x", "/mnt/host/c/x"},
      {w, "//c/x", "/mnt/host/c/x"},
      {w, "/c/x", "/mnt/host/c/x"},
      {w, "/c", "/mnt/host/c"},
      {w, "/C/x", "/mnt/host/c/x"},
      {w, "/d/", "/mnt/host/d"},
      {w, "/e/x", "!drive E:"},
      {w, "/e", "!drive E:"},
      {w, "/mnt/c/x", "/mnt/host/c/x"},
      {w, "/mnt/c", "/mnt/host/c"},
      {w, "/mnt/e/x", "!drive E:"},
      {w, "/mnt/cc/x", "/mnt/cc/x"},
      {w, "/mnt", "/mnt"},
      {w, "/cc/x", "/cc/x"},
      {w, "/1/x", "/1/x"},
      {w, "Z:\\x", "!drive Z:"},
      {w, "//z/x", "!drive Z:"},
      {w, "C:\\a\\.\\b\\..\\c", "/mnt/host/c/a/c"},
      {w, "C:\\..\\..\\Windows", "/mnt/host/c/Windows"},
      {w, "/c/../etc", "/etc"},

      // Dots and blanks at the ends of names, as Win32 takes them.
      {w, "C:\\x.", "/mnt/host/c/x"},
      {w, "C:\\x. . ", "/mnt/host/c/x"},
      {w, "C:\\x \\y", "/mnt/host/c/x /y"},
      {w, "C:\\x.\\y", "/mnt/host/c/x/y"},
      {w, "C:\\x..\\y", "/mnt/host/c/x../y"},
      {w, "C:\\x...", "/mnt/host/c/x"},
      {w, "C:\\...", "/mnt/host/c"},
      {w, "C:\\x\\.. ", "/mnt/host/c/x"},
      {w, "C:\\.x", "/mnt/host/c/.x"},
      {w, "C:\\ x", "/mnt/host/c/ x"},
      {w, "\\\\?\\C:\\x.", "/mnt/host/c/x."},
      {w, "\\\\?\\C:\\x ", "/mnt/host/c/x "},
      {w, "\\\\.\\C:\\x.", "/mnt/host/c/x"},
      {w, "//?/C:/x.", "/mnt/host/c/x"},
      {w, "\\\\wsl$\\Ubuntu\\x.", "/mnt/distro/Ubuntu/x"},
      {w, "\\\\?\\UNC\\wsl$\\Ubuntu\\x.", "/mnt/distro/Ubuntu/x."},

      // Distros.
      {w, "\\\\wsl$\\Ubuntu\\home\\me", "/mnt/distro/Ubuntu/home/me"},
      {w, "\\\\wsl.localhost\\Ubuntu\\home\\me", "/mnt/distro/Ubuntu/home/me"},
      {w, "\\\\WSL.LocalHost\\ubuntu\\Home", "/mnt/distro/Ubuntu/Home"},
      {w, "//wsl.localhost/Ubuntu/home/me", "/mnt/distro/Ubuntu/home/me"},
      {w, "\\\\wsl$/Ubuntu/home\\me", "/mnt/distro/Ubuntu/home/me"},
      {w, "\\\\?\\UNC\\wsl.localhost\\Ubuntu\\x", "/mnt/distro/Ubuntu/x"},
      {w, "//?/UNC/wsl$/Ubuntu/x", "/mnt/distro/Ubuntu/x"},
      {w, "\\\\wsl$\\Ubuntu", "/mnt/distro/Ubuntu"},
      {w, "\\\\wsl$\\Ubuntu\\", "/mnt/distro/Ubuntu"},
      {w, "\\\\wsl$\\Ubuntu\\..\\minimal\\x", "/mnt/distro/Ubuntu/minimal/x"},
      {w, "\\\\wsl$\\Ubuntu\\mnt\\c\\x", "/mnt/host/c/x"},
      {w, "\\\\wsl$\\Ubuntu\\mnt\\wsl\\x", "/mnt/wsl/x"},
      {w, "\\\\wsl$\\Ubuntu\\proc", "/proc"},
      {w, "\\\\wsl$\\Ubuntu\\var\\run\\docker.sock", "/run/causeway/api/windows.sock"},
      {w, "\\\\wsl$\\Debian-12\\x", "?Debian-12:/x"},
      {w, "\\\\wsl$\\debian-12\\x", "?Debian-12:/x"},
      {w, "\\\\wsl$\\Arch\\x", "!distro Arch"},
      {w, "\\\\wsl$\\docker-desktop\\x", "!distro docker-desktop"},
      {w, "\\\\wsl$", "!names no distro"},
      {w, "\\\\wsl$\\", "!names no distro"},
      {w, "\\\\wsl$\\..\\x", "!distro .."},
      {w, "/mnt/distro/Ubuntu/x", "/mnt/distro/Ubuntu/x"},
      {w, "/mnt/distro/Debian-12", "?Debian-12:/"},
      {w, "/mnt/distro/Arch", "!distro Arch"},
      {w, "/mnt/distro", "/mnt/distro"},
      {w, "/mnt/host/c/x", "/mnt/host/c/x"},
      {w, "/mnt/host/z", "!drive Z:"},
      {w, "/mnt/host", "/mnt/host"},

      // The engine's files, its API.
      {w, "/", "/"},
      {w, "/srv/y", "/srv/y"},
      {w, "/dev/shm", "/dev/shm"},
      {w, "/proc/cpuinfo", "/proc/cpuinfo"},
      {w, "/proc/self/root", "!leads to"},
      {w, "/proc/1/cwd", "!leads to"},
      {w, "/dev/stdin", "!leads to"},
      {w, "//xx/y", "/xx/y"},
      {w, "/srv/../../etc", "/etc"},
      {w, "/back\\slash", "/back\\slash"},
      {w, "/dev/null", "/dev/null"},
      {w, "/usr/lib/modules", "/usr/lib/modules"},
      {w, "/mnt/wsl/x", "/mnt/wsl/x"},
      {w, "/var/run/docker.sock", "/run/causeway/api/windows.sock"},
      {w, "//var/run/docker.sock", "/run/causeway/api/windows.sock"},
      {w, "/run/docker.sock", "/run/causeway/api/windows.sock"},
      {w, "/run/causeway/engine.sock", "/run/causeway/api/windows.sock"},
      {w, "/run/causeway/api/distro-Ubuntu.sock", "/run/causeway/api/windows.sock"},

      // Refused, and not paths.
      {w, "\\\\server\\share", "!network paths"},
      {w, "\\\\localhost\\c$\\x", "!network paths"},
      {w, "\\\\c\\x", "!network paths"},
      {w, "\\\\", "!network paths"},
      {w, "\\\\?\\UNC\\server\\share", "!network paths"},
      {w, "\\\\?\\UNC\\wsl$", "!names no distro"},
      {w, "\\\\.\\pipe\\docker_engine", "!/var/run/docker.sock"},
      {w, "//./pipe/docker_engine", "!/var/run/docker.sock"},
      {w, "\\\\.\\PhysicalDrive0", "!devices of Windows"},
      {w, "\\\\?\\", "!devices of Windows"},
      {w, "\\\\.\\C:x", "!devices of Windows"},
      {w, "\\x", "!names no drive"},
      {w, "x:y", "!current folder"},
      {w, "data", "="},
      {w, "C", "="},
      {w, ".\\data", "="},
      {w, "ä:\\x", "="},
      {w, std::string("\0", 1), "!NUL"},

      // docker-desktop's own users say what they mean.
      {kEngine, "/x", "="},
      {kEngine, "/var/run/docker.sock", "="},
      {kEngine, "C:\\x", "="},
      {kEngine, "/mnt/distro/Ubuntu/x", "="},
  };
}

// Names that mean the same for whoever says them.
inline std::vector<MapCase> common_cases() {
  struct Common {
    const char* source;
    const char* expected;
  };
  const Common common[] = {
      // Drives, as other engines and shells name them.
      {"/run/desktop/mnt/host/c/Users/dev/proj", "/mnt/host/c/Users/dev/proj"},
      {"/run/desktop/mnt/host/c", "/mnt/host/c"},
      {"/run/desktop/mnt/host/D/x/", "/mnt/host/d/x"},
      {"/run/desktop/mnt/host/z/x", "!drive Z:"},
      {"/run/desktop/mnt/host/wsl/x", "/mnt/wsl/x"},
      {"/run/desktop/mnt/host/wsl", "/mnt/wsl"},
      {"/run/desktop/mnt/host/wslg", "!of another engine's"},
      {"/run/desktop/mnt/host", "!of another engine's"},
      {"/run/desktop/x", "!of another engine's"},
      {"/host_mnt/c/Users/dev/proj", "/mnt/host/c/Users/dev/proj"},
      {"/host_mnt/c", "/mnt/host/c"},
      {"/host_mnt/z", "!drive Z:"},
      {"/host_mnt/Users/dev", "!of another engine's"},
      {"/host_mnt", "!of another engine's"},
      {"/cygdrive/c/Users/dev/proj", "/mnt/host/c/Users/dev/proj"},
      {"//cygdrive//d/x", "/mnt/host/d/x"},
      {"/cygdrive/z/x", "!drive Z:"},
      {"/cygdrive", "!of another engine's"},
      {"/run/desktop/mnt/host/c/../../../../../host_mnt/d", "/mnt/host/d"},
      // The engine's own.
      {"/var/lib/docker", "/data/docker"},
      {"/var/lib/docker/", "/data/docker"},
      {"/var/lib/docker/volumes", "/data/docker/volumes"},
      {"/var/lib/docker/containers/ab/ab-json.log", "/data/docker/containers/ab/ab-json.log"},
      {"/mnt/engine", "/"},
      {"/mnt/engine/", "/"},
      {"/mnt/engine/etc/hosts", "/etc/hosts"},
      {"/mnt/engine/data/docker", "/data/docker"},
      {"/mnt/engine/var/lib/docker", "/var/lib/docker"},
      {"/mnt/engine/proc/1/root", "/proc/1/root"},
      {"/mnt/engine/dev/shm", "/dev/shm"},
      {"/mnt/engine/mnt/distro", "/mnt/distro"},
      {"/mnt/engine/mnt/engine/x", "/mnt/engine/x"},
      // Shares and drives stay what they are.
      {"/mnt/engine/mnt/host/c/x", "/mnt/host/c/x"},
      {"/mnt/engine/mnt/host/z", "!drive Z:"},
      {"/mnt/engine/mnt/distro/Ubuntu/home", "/mnt/distro/Ubuntu/home"},
      {"/mnt/engine/mnt/distro/Debian-12/x", "?Debian-12:/x"},
      {"/mnt/engine/mnt/distro/Arch/x", "!distro Arch"},
  };
  std::vector<MapCase> out;
  for (const auto& one : common)
    for (const auto* asker : {&kUbuntu, &kMinimal, &kStopped, &kWindows})
      out.push_back({*asker, one.source, one.expected});
  const Identity& u = kUbuntu;
  const Identity& m = kMinimal;
  for (const auto& one : std::vector<MapCase>{
           {u, "/run/desktop2", "/mnt/distro/Ubuntu/run/desktop2"},
           {u, "/host_mntx/c", "/mnt/distro/Ubuntu/host_mntx/c"},
           {u, "/srv/host_mnt/c", "/mnt/distro/Ubuntu/srv/host_mnt/c"},
           {u, "/mnt/wsl/docker-desktop-bind-mounts/Ubuntu/ab12", "!another engine's"},
           {m, "/wsl/docker-desktop-bind-mounts/Ubuntu/ab12", "!another engine's"},
           {u, "/mnt/wsl/rancher-desktop/run/docker-mounts/x", "!another engine's"},
           {kWindows, "/mnt/wsl/rancher-desktop/x", "!another engine's"},
           {u, "/mnt/wsl/rancher-desktop2", "/mnt/wsl/rancher-desktop2"},
           {u, "/var/lib/dockers", "/mnt/distro/Ubuntu/var/lib/dockers"},
           {u, "/var/lib", "/mnt/distro/Ubuntu/var/lib"},
           {u, "/mnt/engines", "/mnt/distro/Ubuntu/mnt/engines"},
           {u, "/mnt/engine/var/run/docker.sock", "/run/causeway/api/distro-Ubuntu.sock"},
           {u, "/mnt/engine/run/causeway/api/windows.sock", "/run/causeway/api/distro-Ubuntu.sock"},
           // The distro's own files of these names.
           {u, "/mnt/distro/Ubuntu/var/lib/docker/x", "/mnt/distro/Ubuntu/var/lib/docker/x"},
           {u, "\\\\wsl$\\Ubuntu\\var\\lib\\docker\\x", "/mnt/distro/Ubuntu/var/lib/docker/x"},
           {u, "/mnt/distro/Ubuntu/host_mnt/c", "/mnt/distro/Ubuntu/host_mnt/c"},
           {u, "/mnt/distro/Ubuntu/mnt/engine/x", "/mnt/distro/Ubuntu/mnt/engine/x"},
           {kEngine, "/mnt/engine/etc", "="},
           {kEngine, "/var/lib/docker", "="},
       })
    out.push_back(one);
  return out;
}

inline std::vector<MapCase> all_cases() {
  auto out = distro_cases();
  for (auto& one : windows_cases()) out.push_back(std::move(one));
  for (auto& one : common_cases()) out.push_back(std::move(one));
  return out;
}

}  // namespace paths_test
