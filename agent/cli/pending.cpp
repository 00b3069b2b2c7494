// Commands whose modules are still being written.
#include <cstdio>

#include "cli/commands.h"
#include "cli/exit_codes.h"

namespace causeway::cli {
int run_check_config(const CheckConfigOptions&) {
  return std::fputs("not yet\n", stderr), kInternal;
}
int run_engine_config(const EngineConfigOptions&) {
  return std::fputs("not yet\n", stderr), kInternal;
}
}  // namespace causeway::cli
