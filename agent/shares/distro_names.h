// Names of WSL's distros: `ubuntu` is `Ubuntu`, as for wsl.exe. The spelling that was there first
// stands for both.
#pragma once

#include <algorithm>
#include <string_view>

namespace causeway::shares {

// ASCII case folding: other letters can't be in a name (paths::valid_distro_name).
struct DistroNameLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [&](char x, char y) { return lower(x) < lower(y); });
  }
};

}  // namespace causeway::shares
