// What the tests of rewriting share: the pairs of files in cases/, a path map that is easy to
// foresee, and the ways to cut an input.
#pragma once

#include <dirent.h>
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "engine_api/engine_api_cases.h"

namespace samples {

inline const std::string kShare = "/mnt/distro/Ubuntu";

// The cases whose names begin with `prefix`, each "prefix_what" without the ".in.json".
inline std::set<std::string> cases() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(kEngineApiCases), ::closedir);
  REQUIRE(dir);
  std::set<std::string> out;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".in.json")) out.emplace(name.substr(0, name.size() - 8));
  }
  return out;
}

inline std::string read(const std::string& name) {
  const auto text = causeway::file::read(std::string(kEngineApiCases) + "/" + name);
  REQUIRE(text.ok());
  return *text;
}

// The ways to cut `text`: whole, byte by byte, and in two at every point.
inline void for_each_cut(std::string_view text,
                         const std::function<void(const std::vector<std::string_view>&)>& check) {
  check({text});
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
  check(bytes);
  for (std::size_t i = 0; i <= text.size(); ++i) check({text.substr(0, i), text.substr(i)});
}

// /x is the distro's, C:\x and //c/x a drive's.
inline std::string map(std::string_view source) {
  std::string path(source);
  for (char& c : path) {
    if (c == '\\' && source.size() > 1 && source[1] == ':') c = '/';
  }
  if (path.starts_with("//")) return "/mnt/host" + path.substr(1);
  if (path.starts_with("/")) return kShare + path;
  if (path.starts_with("C:")) return "/mnt/host/c" + path.substr(2);
  return path;
}

inline std::string unmap(std::string_view path) {
  if (path.starts_with(kShare + "/")) return std::string(path.substr(kShare.size()));
  if (path.starts_with("/mnt/host/c/")) return "C:\\" + std::string(path.substr(12));
  return std::string(path);
}

inline std::string unmap_text(std::string_view text) {
  std::string out(text);
  for (std::size_t at = out.find(kShare); at != std::string::npos; at = out.find(kShare, at)) {
    out.erase(at, kShare.size());
  }
  return out;
}

}  // namespace samples
