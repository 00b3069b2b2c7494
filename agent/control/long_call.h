// LongCall is a call that takes a while, in the one form that all of them have (control_api/
// progress.h): POST starts it or joins the one that runs, DELETE cancels it, and the answer of POST
// is its progress, line by line, up to the line that says how it ended.
//
//   POST ──▶ none runs: begin() ──▶ running ── Run::progress ──▶ to all who follow
//            one runs:  joined         │ ▲
//   DELETE, or the last follower goes ─┘ │ cancel()
//   who wanted that                      └─ Run::done, failed, cancelled ──▶ ended; all are told
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/calls.h"
#include "control_api/progress.h"

namespace causeway::control {

class LongCall {
 public:
  struct State;

  // The work's own handle of itself, to be copied as it likes; without effect after the end.
  class Run {
   public:
    void progress(const control_api::Progress& progress) const;
    void done() const;
    void failed(std::string_view reason) const;
    void cancelled() const;

   private:
    friend class LongCall;
    friend struct State;
    Run(std::weak_ptr<State> state, std::uint64_t number)
        : state_(std::move(state)), number_(number) {}
    void end(const control_api::ProgressEnd& how) const;

    std::weak_ptr<State> state_;
    std::uint64_t number_;
  };

  // Begins the work and gives what cancels it: called at most once, it ends the run now or later.
  // An error: nothing was begun; it is answered with 400 (EINVAL), 404 (ENOENT) or else 409.
  using Begin = std::function<Result<std::function<void()>>(const Request&, Run)>;

  // Adds POST and DELETE of `path`. POST takes `parameters` and cancel_on_close; one that asks for
  // something else than what runs gets 409.
  static void add(Calls& calls, std::string_view path, std::vector<Parameter> parameters,
                  Begin begin);
};

}  // namespace causeway::control
