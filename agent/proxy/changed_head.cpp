#include "proxy/changed_head.h"

#include <initializer_list>

#include "base/text.h"

namespace causeway::proxy {
namespace {

bool is_any(std::string_view name, std::initializer_list<std::string_view> names) {
  for (const std::string_view other : names) {
    if (text::iequals(name, other)) return true;
  }
  return false;
}

// `raw` with `line` in place of the first of the fields that `names` lists, or as the last field;
// the others of them are left out.
std::string replaced(std::string_view raw, std::initializer_list<std::string_view> names,
                     std::string_view line) {
  std::string out;
  out.reserve(raw.size() + line.size());
  bool placed = false;
  for (bool first = true; !raw.empty(); first = false) {
    const std::string_view here = raw.substr(0, raw.find('\n') + 1);
    raw.remove_prefix(here.size());
    const bool empty = here.size() == 2;
    const bool named = !first && is_any(here.substr(0, here.find(':')), names);
    if ((named || empty) && !placed) {
      out.append(line);
      placed = true;
    }
    if (!named) out.append(here);
  }
  return out;
}

}  // namespace

std::string with_length(const http::Head& request, std::uint64_t length) {
  const std::string line = "Content-Length: " + std::to_string(length) + "\r\n";
  const std::string raw =
      replaced(request.raw, {"Content-Length", "Transfer-Encoding", "Trailer"}, line);
  return replaced(raw, {"Expect"}, {});
}

std::string with_target(const http::Head& request, std::string_view target) {
  std::string out(request.raw);
  return out.replace(request.method.size() + 1, request.target.size(), target);
}

std::string with_body_end(const http::Head& response, BodyEnd end) {
  if (end == BodyEnd::chunked) {
    return replaced(response.raw, {"Content-Length", "Transfer-Encoding", "Trailer"},
                    "Transfer-Encoding: chunked\r\n");
  }
  return replaced(response.raw,
                  {"Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Keep-Alive"},
                  "Connection: close\r\n");
}

}  // namespace causeway::proxy
