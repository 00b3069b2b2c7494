// Parse, wire, run: nothing else.
#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "cli/command_line.h"

int main(int argc, char** argv) {
  using namespace causeway;
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto parsed = cli::parse_command_line(arguments);
  if (const auto* command = std::get_if<cli::Command>(&parsed)) return cli::run(*command);
  const auto& answer = std::get<cli::Answer>(parsed);
  std::fputs(answer.out.c_str(), stdout);
  std::fputs(answer.err.c_str(), stderr);
  return answer.exit_code;
}
