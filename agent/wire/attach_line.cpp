#include "wire/attach_line.h"

#include <optional>

#include "json/json.h"

namespace causeway::wire {

std::string attach_line(const AttachLine& line) {
  const auto json = json::Json::object({{"version", line.version},
                                        {"major", line.major},
                                        {"vm_id", line.vm_id},
                                        {"port", line.port},
                                        {"nonce", to_hex(line.nonce)}});
  return std::string(kAttachMarker) + json.dump() + "\n";
}

Result<AttachLine> parse_attach_line(std::string_view text) {
  const auto line = json::Json::parse(text);
  if (!line || !line->is_object()) return make_error("its line is not a JSON object");
  const auto number = [&](std::string_view name) -> std::optional<std::uint32_t> {
    const auto value = (*line)[name].as_int();
    if (!value || *value < 0 || *value > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(*value);
  };
  const auto* version = (*line)["version"].as_string();
  const auto* vm_id = (*line)["vm_id"].as_string();
  const auto* nonce = (*line)["nonce"].as_string();
  const auto major = number("major");
  const auto port = number("port");
  if (version == nullptr || vm_id == nullptr || nonce == nullptr || !major || !port)
    return make_error("its line lacks a member, or one is of the wrong type");
  const auto bytes = nonce_from_hex(*nonce);
  if (!bytes) return make_error("the nonce in its line is not 32 hex digits");
  return AttachLine{*version, *major, *vm_id, *port, *bytes};
}

bool is_vm_id(std::string_view text) {
  if (text.size() == 38 && text.front() == '{' && text.back() == '}')
    text = text.substr(1, text.size() - 2);
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

}  // namespace causeway::wire
