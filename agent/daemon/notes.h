// The section `notes`: what a person should know. Each part of the agent brings its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/api.h"
#include "control_api/notes.h"

namespace causeway::daemon {

// Of parts that don't know the control API, and have `problem` and `text` of their own.
template <typename PartNote>
std::vector<control_api::Note> as_notes(const std::vector<PartNote>& notes) {
  std::vector<control_api::Note> out;
  out.reserve(notes.size());
  for (const auto& note : notes) out.push_back({note.problem, note.text});
  return out;
}

class Notes {
 public:
  using Source = std::function<std::vector<control_api::Note>()>;

  // A note that stays. They come first.
  void add(bool warning, std::string text) { kept_.push_back({warning, std::move(text)}); }
  // Asked each time.
  void add_source(Source source) { sources_.push_back(std::move(source)); }

  std::vector<control_api::Note> all() const;
  // It outlives `api`'s calls.
  void add_section(control::Api& api);

 private:
  std::vector<control_api::Note> kept_;
  std::vector<Source> sources_;
};

}  // namespace causeway::daemon
