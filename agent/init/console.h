// Lines of PID 1 in the form of base/log.h, without allocating and without blocking on a reader
// that has stopped reading; and descriptors 0 to 2 for a process that may have been started without
// them.
#pragma once

#include "base/log.h"

namespace causeway::init {

// Loads what later calls need (the time zone). Once, before the first line.
void open_console();

// "2026-01-01T00:00:00.000 init info EVENT key=value": `format` is the event and its tail. Values
// that come from outside must not hold control characters. A line that standard error can't take at
// once is lost.
[[gnu::format(printf, 2, 3)]] void say(log::Level level, const char* format, ...);

// Opens /dev/null where 0, 1 or 2 are closed, so that no other file gets these numbers.
void fill_standard_fds();

// As the real PID 1: standard descriptors to /dev/console where they were closed or null.
void use_dev_console();

}  // namespace causeway::init
