#include "engine_api/unix_address.h"

#include <algorithm>

#include "base/text.h"

namespace causeway::engine_api {

std::optional<UnixAddress> split_unix_address(std::string_view address) {
  const auto colon = std::min(address.find(':'), address.size());
  const auto scheme = address.substr(0, colon);
  if (!text::iequals(scheme, "unix") && !text::iequals(scheme, "unixgram")) return std::nullopt;
  auto at = std::min(colon + 1, address.size());
  if (address.substr(at).starts_with("//"))
    at = std::min(address.find('/', at + 2), address.size());
  if (!address.substr(at).starts_with('/')) return std::nullopt;
  return UnixAddress{address.substr(0, at), address.substr(at)};
}

bool is_plain_in_url(std::string_view path) {
  return path.find_first_of("%?#") == std::string_view::npos;
}

}  // namespace causeway::engine_api
