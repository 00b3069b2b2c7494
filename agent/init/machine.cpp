#include "init/machine.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace causeway::init {
namespace {

constexpr std::size_t kLongestName = 64;        // HOST_NAME_MAX
constexpr std::string_view kNoName = "(none)";  // the kernel's UTS_NODENAME

Status take_up_loopback() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error("socket");
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  if (::ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) return errno_error("look at lo");
  if ((request.ifr_flags & IFF_UP) != 0) return Ok{};
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) return errno_error("take up lo");
  return Ok{};
}

}  // namespace

std::string host_name(std::string_view etc_hostname) {
  for (const auto line : text::split(etc_hostname, '\n')) {
    const auto name = text::trim(line);
    if (name.empty() || name.front() == '#') continue;
    const bool usable =
        name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '.' || c == '_';
        });
    if (usable) return std::string(name);
    break;
  }
  return "localhost";
}

void wake_machine(const std::function<void(const Error&)>& skipped) {
  if (auto done = take_up_loopback(); !done) skipped(done.error());
  utsname system{};
  if (::uname(&system) != 0 || std::string_view(system.nodename) != kNoName) return;
  const auto content = file::read("/etc/hostname");
  const std::string name = host_name(content ? *content : "");
  if (::sethostname(name.data(), name.size()) != 0) skipped(errno_error("set the host name"));
}

}  // namespace causeway::init
