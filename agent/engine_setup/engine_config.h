// The engine's effective daemon.json, pure: the user's file, what we add where the user says
// nothing, and without what our own flags say (dockerd refuses a setting that stands in both).
//
// A user's file that can't be used must not keep the engine down: then the last file with which
// dockerd became ready takes its place, else none, and the messages name the file and what is wrong
// with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json.h"

namespace causeway::engine_setup {

struct EngineConfigInput {
  std::string user_path = "/etc/docker/daemon.json";  // for messages
  std::optional<std::string> user;                    // the user's file; nothing: there is none
  std::optional<std::string> last_good;               // as the user wrote it then
  bool live_restore = true;                           // unless the user's file says otherwise
  // Why the user's file must not be used, although it is JSON: dockerd refused it, or never came up
  // with it. Empty: it may be used.
  std::string rejected;
};

struct EngineConfig {
  enum class Source { user, last_good, defaults };
  json::Json effective;
  Source source = Source::defaults;
  std::string used;  // the text behind it, as the user wrote it; empty for defaults
  std::vector<std::string> messages;  // for people; "warning: …" when something is wrong
};
const char* source_name(EngineConfig::Source source);

EngineConfig make_engine_config(const EngineConfigInput& input);

// The content of the user's file as the text of a JSON document. An empty one has no settings, as
// for dockerd from 23.0 on; a message says so.
Result<std::string> user_config_text(std::string content, std::vector<std::string>& messages);

// Takes one user's text to what dockerd gets. An error says why the text can't be used.
Result<json::Json> merge_engine_config(std::string_view user, bool live_restore,
                                       std::vector<std::string>& messages);

}  // namespace causeway::engine_setup
