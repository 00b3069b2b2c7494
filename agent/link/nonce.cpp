#include "link/nonce.h"

#include <sys/random.h>

#include <array>

#include "base/file.h"

namespace causeway::link {
namespace {

constexpr std::size_t kBytes = 16;
constexpr std::string_view kDigits = "0123456789abcdef";

bool well_formed(std::string_view text) {
  return text.size() == kBytes * 2 && text.find_first_not_of(kDigits) == std::string_view::npos;
}

}  // namespace

Result<std::string> boot_nonce(const std::string& run, bool fresh) {
  const std::string path = run + "/link.nonce";
  if (!fresh) {
    // Anything else than a nonce there is as good as none.
    if (auto kept = file::read(path, kBytes * 2); kept && well_formed(*kept)) return kept;
  }
  std::array<unsigned char, kBytes> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return errno_error("getrandom");
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  if (auto written = file::write_atomic(path, text, 0600); !written)
    return std::move(written).error();
  return text;
}

}  // namespace causeway::link
