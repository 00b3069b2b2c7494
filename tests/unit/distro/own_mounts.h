// A mount namespace of the test program's own, so that nothing it mounts reaches the machine.
#pragma once

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace causeway::distro::test {

// False (and why, as a message) when there can't be one.
inline bool own_mount_namespace() {
  static const int kError = [] {
    if (::unshare(CLONE_NEWNS) != 0) return errno;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
    return 0;
  }();
  if (kError == 0) return true;
  MESSAGE("skipped: no mount namespace of our own: " << std::strerror(kError));
  return false;
}

}  // namespace causeway::distro::test
