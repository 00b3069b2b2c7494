// What is wrong with the configuration: service files, settings, the engine's daemon.json. Each
// file is looked at, whatever the others say.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace causeway::cli {

struct ConfigReport {
  struct Entry {
    std::string file;
    std::string text;  // with the JSON pointer or the line, where there is one
  };
  std::vector<Entry> problems;
  std::vector<Entry> notes;       // settings that have no effect, checks that were not possible
  std::vector<std::string> good;  // files without a problem
};

ConfigReport check_config(const CheckConfigOptions& options);

}  // namespace causeway::cli
