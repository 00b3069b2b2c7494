#include "http/message.h"

#include "base/text.h"

namespace causeway::http {

std::optional<std::string_view> Head::find(std::string_view name) const {
  for (const Field& field : fields) {
    if (text::iequals(field.name, name)) return field.value;
  }
  return std::nullopt;
}

bool Head::has_token(std::string_view name, std::string_view token) const {
  for (const Field& field : fields) {
    if (!text::iequals(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      if (text::iequals(text::trim(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

}  // namespace causeway::http
