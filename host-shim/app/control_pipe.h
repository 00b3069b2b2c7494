// How `causeway.exe status` and the like reach the shim that runs: one JSON line each way over a
// pipe that only this user may open. One client at a time, each bounded in time and size.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "windows/pipe_security.h"
#include "windows/unique_handle.h"

namespace causeway::shim::app {

class ControlPipe {
 public:
  // `answer` gets a line without its end, and returns one; it is called on the pipe's own thread.
  static Result<std::unique_ptr<ControlPipe>> serve(
      const std::string& name, std::function<std::string(const std::string&)> answer);
  ~ControlPipe();
  ControlPipe(const ControlPipe&) = delete;
  ControlPipe& operator=(const ControlPipe&) = delete;

 private:
  ControlPipe(PipeSecurity security, std::string name, UniqueHandle first, UniqueHandle stop,
              std::function<std::string(const std::string&)> answer);
  Result<UniqueHandle> make(bool first) const;
  void run(UniqueHandle pipe);

  PipeSecurity security_;
  const std::string name_;
  UniqueHandle stop_;  // an event
  std::function<std::string(const std::string&)> answer_;
  std::thread thread_;  // last: the others outlive it
};

// The other side: the answer's line. Code ERROR_FILE_NOT_FOUND: no shim runs.
Result<std::string> ask_shim(const std::string& name, const std::string& line);

}  // namespace causeway::shim::app
