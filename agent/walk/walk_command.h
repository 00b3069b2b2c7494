// The process `causeway walk`: it does for the agent what may wait for a file system that is away,
// and nothing else. A process and not a thread, because one that waits in the kernel can't be
// ended, and a process with such a thread can't end either. It ends with the agent.
#pragma once

namespace causeway::walk {

// Answers what comes over `socket` until the other side has ended.
void serve(int socket);

// The command: over standard input. Gives the exit code.
int run_walk();

}  // namespace causeway::walk
