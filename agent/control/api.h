// Where the parts of the agent register what they have to say and what may be asked of them.
#pragma once

#include "control/calls.h"
#include "control/sections.h"
#include "io/loop.h"

namespace causeway::control {

struct Api {
  // `loop` outlives it.
  explicit Api(io::Loop& loop) : sections(loop) { sections.add_calls(calls); }

  Calls calls;
  Sections sections;
};

}  // namespace causeway::control
