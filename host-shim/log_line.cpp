#include "log_line.h"

#include "base/text.h"

namespace causeway::shim {

std::string log_line(std::string_view event, log::Fields fields) {
  std::string line(event);
  for (const auto& field : fields) {
    const std::string value = text::printable(field.value);
    ((line += ' ') += field.key) += '=';
    if (!value.empty() && value.find_first_of(" \"=") == std::string::npos) {
      line += value;
      continue;
    }
    line += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') line += '\\';
      line += c;
    }
    line += '"';
  }
  return line;
}

}  // namespace causeway::shim
