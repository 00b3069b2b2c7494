#include "init/unmount_all.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

#include "base/unique_fd.h"

namespace causeway::init {
namespace {

// About 2,000 mounts at once; the rest shows in the next pass.
constexpr std::size_t kTextSize = std::size_t{256} * 1024;
constexpr int kPasses = 16;
std::array<char, kTextSize> g_text;

std::size_t read_mountinfo() {
  const UniqueFd fd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!fd) return 0;
  std::size_t used = 0;
  while (used < g_text.size() - 1) {
    const ssize_t n = ::read(fd.get(), g_text.data() + used, g_text.size() - 1 - used);
    if (n <= 0) break;
    used += static_cast<std::size_t>(n);
  }
  return used;
}

// The fifth field of a line, unescaped in place and ended with NUL; null when there is none.
char* mount_point_of(char* line) {
  char* at = line;
  for (int field = 1; field < 5; ++field) {
    at = std::strchr(at, ' ');
    if (at == nullptr) return nullptr;
    ++at;
  }
  char* out = at;
  const char* in = at;
  while (*in != '\0' && *in != ' ') {
    if (in[0] == '\\' && in[1] != '\0' && in[2] != '\0' && in[3] != '\0') {
      *out++ = static_cast<char>((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
      in += 4;
    } else {
      *out++ = *in++;
    }
  }
  *out = '\0';
  return at;
}

}  // namespace

void unmount_all() {
  for (int pass = 0; pass < kPasses; ++pass) {
    std::size_t end = read_mountinfo();
    bool progress = false;
    while (end > 0) {
      g_text[end] = '\0';
      std::size_t start = end;
      while (start > 0 && g_text[start - 1] != '\n') --start;
      const char* point = mount_point_of(g_text.data() + start);
      if (point != nullptr && std::string_view(point) != "/" && std::string_view(point) != "/proc")
        progress |= ::umount2(point, UMOUNT_NOFOLLOW) == 0;
      end = start > 0 ? start - 1 : 0;
    }
    if (!progress) return;
  }
}

}  // namespace causeway::init
