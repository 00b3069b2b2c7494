// What the agent and a walker say to each other, over a SOCK_SEQPACKET pair whose two ends are both
// ours:
//
//   agent                                walker
//   open or resolve PATH, with a root ─▶
//                                     ◀─ enter MOUNT      (before it looks into another mount)
//   go, or stop                       ─▶                  (after a stop it waits for the next)
//                                     ◀─ opened, with a descriptor; resolved PATH; or failed
//   drop, with a descriptor           ─▶
//                                     ◀─ dropped
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::walk {

enum class Kind : char {
  open = 'o',      // text: a path; fd: the root that it is walked from
  resolve = 'r',   // the same
  drop = 'd',      // fd: to be closed, however long that takes
  go = 'g',        // look into the mount
  stop = 's',      // don't: the question is over
  enter = 'e',     // number: the mount's, as in mountinfo
  opened = 'O',    // fd, O_PATH
  resolved = 'R',  // text: the path without links
  dropped = 'D',
  failed = 'F',  // number: of errno or 0; text: for people
};

struct Message {
  Kind kind = Kind::failed;
  int number = 0;
  std::string text = {};
  UniqueFd fd = {};
};

// Whether a message of that kind carries a descriptor.
bool has_descriptor(Kind kind);

// Never waits: what finds the queue full is an error.
Status send(int socket, const Message& message);
// Waits for the next message; with `only_waiting` code EAGAIN when there is none. Code EPIPE: the
// other side has ended.
Result<Message> receive(int socket, bool only_waiting);

}  // namespace causeway::walk
