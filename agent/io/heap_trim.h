// HeapTrim gives freed memory back to the system after a load. The C library keeps what was freed
// for the next time: a load of a minute would stay the agent's size for months.
#pragma once

#include <cstdint>

#include "io/loop.h"
#include "io/timer.h"

namespace causeway::io {

class HeapTrim {
 public:
  explicit HeapTrim(Loop& loop) : timer_(loop) {}

  // Much was freed, or will be in this turn or the next. Within a second, and at most once in each:
  // it takes about a millisecond for every 10 MiB, and what is needed again at once costs more when
  // the system has to bring it anew.
  void soon();

 private:
  Timer timer_;
  bool armed_ = false;
};

}  // namespace causeway::io
