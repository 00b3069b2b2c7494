// Whether somebody listens on a socket file, and which file it is.
#pragma once

#include <sys/stat.h>

#include <string>

#include "distro/manifest.h"
#include "distro/root_files.h"

namespace causeway::distro {

enum class Listening {
  somebody,
  nobody,   // the file is left of one who has ended
  unknown,  // it can't be asked
};
// By a connection that ends at once.
Listening probe_socket(const RootFiles& files, const std::string& path);

// Notes in `addition` which socket file this is, and compares.
void note_socket(const struct stat& info, Addition& addition);
bool is_noted_socket(const struct stat& info, const Addition& addition);

}  // namespace causeway::distro
