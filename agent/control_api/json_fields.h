// What the sections share: lists of texts, counts, and enums that travel by name. For sources only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"

namespace causeway::control_api {

inline json::Json texts(const std::vector<std::string>& from) {
  json::Json out = json::Json::array();
  for (const auto& text : from) out.push(text);
  return out;
}

inline std::vector<std::string> texts(const json::Json& array) {
  std::vector<std::string> out;
  for (const json::Json& item : array.items()) out.push_back(item.string_or(""));
  return out;
}

inline std::uint64_t count(const json::Json& value) {
  const auto number = value.int_or(0);
  return number < 0 ? 0 : static_cast<std::uint64_t>(number);
}

// The names of an enum's values, in their order.
template <typename Enum, std::size_t kSize>
struct EnumNames {
  std::array<std::string_view, kSize> names;

  std::string_view of(Enum value) const { return names[static_cast<std::size_t>(value)]; }
  std::optional<Enum> find(std::string_view name) const {
    for (std::size_t i = 0; i < kSize; ++i)
      if (names[i] == name) return static_cast<Enum>(i);
    return std::nullopt;
  }
};

}  // namespace causeway::control_api
