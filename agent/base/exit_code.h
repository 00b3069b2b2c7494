// The exit codes of all commands; `causeway --help` prints them. 64 and above are sysexits.h's,
// 3 and 4 what the Linux Standard Base has init scripts say.
#pragma once

namespace causeway {

enum ExitCode : int {
  kDone = 0,
  kNo = 1,            // done, and the answer is no: not ready, failed, problems found
  kNotRunning = 3,    // the agent doesn't run or doesn't answer
  kNotAllowed = 4,    // root is needed
  kUsage = 64,        // EX_USAGE
  kOtherRuns = 69,    // EX_UNAVAILABLE: another init runs
  kInternal = 70,     // EX_SOFTWARE: an answer that makes no sense
  kSetUpFailed = 71,  // EX_OSERR
  kTimedOut = 75,     // EX_TEMPFAIL: not within the time given
};

}  // namespace causeway
