#include "supervise/state_file.h"

#include <limits>

#include "json/json.h"

namespace causeway::supervise {

using json::Json;

std::string to_json(const SavedState& state) {
  Json notes = Json::array();
  for (const auto& note : state.notes) notes.push(note);
  Json out = Json::object({{"restarts", state.restarts},
                           {"started_at_ms", state.started_at_ms},
                           {"ready_at_ms", state.ready_at_ms},
                           {"last_exit", state.last_exit},
                           {"notes", std::move(notes)}});
  if (state.wanted) out.set("wanted", *state.wanted);
  return out.dump(2) + "\n";
}

Result<SavedState> parse_saved_state(std::string_view content) {
  const auto document = Json::parse(content);
  if (!document) return document.error();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  SavedState out;
  std::int64_t restarts = 0;
  bool wanted = false;
  json::ObjectReader in(*document);
  in.read("restarts", restarts, 0, std::numeric_limits<unsigned>::max());
  in.read("started_at_ms", out.started_at_ms, 0, kMost);
  in.read("ready_at_ms", out.ready_at_ms, 0, kMost);
  in.read("last_exit", out.last_exit);
  in.read("notes", out.notes);
  if (in.read("wanted", wanted)) out.wanted = wanted;
  if (auto done = in.finish(); !done) return std::move(done).error();
  out.restarts = static_cast<unsigned>(restarts);
  return out;
}

}  // namespace causeway::supervise
