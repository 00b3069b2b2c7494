// Arguments in, a command out. CLI11 stands behind it and appears in no header.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/commands.h"

namespace causeway::cli {

// What to print instead of a command to run: help, or what is wrong with the arguments.
struct Answer {
  int exit_code = 0;
  std::string out;  // standard output
  std::string err;  // standard error
};

// `arguments` without the program's name.
std::variant<Command, Answer> parse_command_line(const std::vector<std::string>& arguments);

// The names of all commands, in the order of the help.
std::vector<std::string> command_names();

}  // namespace causeway::cli
