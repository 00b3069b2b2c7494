#include "http/message.h"

#include "base/text.h"

namespace causeway::http {

std::optional<std::string_view> Head::find(std::string_view name) const {
  for (const Field& field : fields) {
    if (text::iequals(field.name, name)) return field.value;
  }
  return std::nullopt;
}

}  // namespace causeway::http
