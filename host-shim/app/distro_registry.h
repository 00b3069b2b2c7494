// The WSL distros of this user, from the registry: wsl.exe's own lists are UTF-16 and localised,
// and could start something. HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss\{guid}.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace causeway::shim::app {

struct Distro {
  std::string name;
  unsigned version = 2;  // of WSL
  unsigned state = 1;    // 1: installed; else being installed, removed, …
  unsigned default_uid = 0;
  bool usable() const { return version == 2 && state == 1; }
};

// Entries without a name are left out. No WSL at all: an empty list.
Result<std::vector<Distro>> list_distros();

// As Windows compares names: without regard to case.
const Distro* find_distro(const std::vector<Distro>& distros, const std::string& name);
bool same_name(const std::string& a, const std::string& b);

}  // namespace causeway::shim::app
