// AttachProcess is one run of `wsl.exe … attach`: it holds the distro open while it lives, tells
// how to reach the agent, and its stdin and stdout can carry the link themselves.
//
//   stdout ── noise, then the line ──▶ on_line      then the pipes wait for take_stdio()
//   stderr ──▶ the log, and the last lines for the status
//   the process ── its end, behind the last of stderr ──▶ on_end
//
// It lives in a job that kills it when this object goes, or the shim dies. It has no window.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "link/transport.h"
#include "windows/completion_port.h"
#include "wire/attach_line.h"

namespace causeway::shim::link {

class AttachProcess {
 public:
  // None is called from within a call of the owner; each may destroy the AttachProcess.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void on_line(const wire::AttachLine& line) = 0;
    // Its stdout is no such thing: a broken line, or noise without end. It still runs.
    virtual void on_bad_line(const std::string& reason) = 0;
    virtual void on_end(const std::string& reason) = 0;  // once, and the last
    virtual void on_said(const std::string& line) = 0;   // noise and stderr, line by line
  };

  // `argv` is not empty.
  static Result<std::unique_ptr<AttachProcess>> start(CompletionPort& port,
                                                      const std::vector<std::string>& argv,
                                                      Handler& handler);
  ~AttachProcess();  // kills what still runs

  std::uint32_t pid() const;
  // Its stdin and stdout, from right behind the line; once. Null: they were taken, or there was no
  // line yet.
  std::unique_ptr<Transport> take_stdio();
  bool stdio_left() const;
  // Closes its stdin, if that is still here: attach ends by itself then.
  void end_input();

 private:
  struct State;
  explicit AttachProcess(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace causeway::shim::link
