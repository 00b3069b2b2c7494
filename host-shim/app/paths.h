// Where the Windows program keeps its files: %LOCALAPPDATA%\Causeway.
#pragma once

#include <string>

#include "base/result.h"

namespace causeway::shim::app {

struct Paths {
  std::string folder;    // %LOCALAPPDATA%\Causeway, made if missing
  std::string settings;  // settings.json, the user's
  std::string distros;   // distros.json, ours: which distros the user has enabled
  std::string log;       // causeway.log, rotated
};

// An error when there is no LOCALAPPDATA, or the folder can't be made.
Result<Paths> find_paths();

// The whole text of a file, as UTF-8, whatever a tool has left it in (text::from_file); code
// ERROR_FILE_NOT_FOUND when it isn't there. At most 1 MiB.
Result<std::string> read_file(const std::string& path);
// Temporary file, flushed, then renamed over `path`: a reader sees the old or the new content.
Status write_file(const std::string& path, const std::string& content);

}  // namespace causeway::shim::app
