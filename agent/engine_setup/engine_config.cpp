#include "engine_setup/engine_config.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace causeway::engine_setup {
namespace {

// What rootfs/overlay/etc/causeway/services.d/dockerd.json says by flags. `graph` is data-root's
// old name.
struct Owned {
  std::string_view key;
  std::string_view why;
};
constexpr std::array kOwned = {
    Owned{"hosts", "the engine is reached through causeway's sockets"},
    Owned{"containerd", "causeway runs containerd"},
    Owned{"data-root", "images and volumes are kept in causeway's data directory"},
    Owned{"graph", "images and volumes are kept in causeway's data directory"},
    Owned{"exec-root", "it must be new in each start of the machine"},
    Owned{"pidfile", "causeway watches the process"},
    Owned{"group", "dockerd's own socket is for causeway only"},
};

// 100 MB a container at most. Docker's own default is without limit, which fills the disk image of
// a VM.
constexpr const char* kLogMaxSize = "20m";
constexpr const char* kLogMaxFile = "5";

void add_log_rotation(json::Json& config) {
  if (config.find("log-driver") != nullptr) return;
  config.set("log-driver", "json-file");
  json::Json options = config["log-opts"];
  if (options.find("max-size") == nullptr) options.set("max-size", kLogMaxSize);
  if (options.find("max-file") == nullptr) options.set("max-file", kLogMaxFile);
  config.set("log-opts", std::move(options));
}

}  // namespace

const char* source_name(EngineConfig::Source source) {
  switch (source) {
    case EngineConfig::Source::user:
      return "user";
    case EngineConfig::Source::last_good:
      return "last-good";
    case EngineConfig::Source::defaults:
      return "defaults";
  }
  return "";
}

Result<std::string> user_config_text(std::string content, std::vector<std::string>& messages) {
  auto text = text::from_file(std::move(content));
  if (!text || !text::trim(*text).empty()) return text;
  messages.emplace_back("it is empty: the default settings are used");
  return std::string("{}");
}

Result<json::Json> merge_engine_config(std::string_view user, bool live_restore,
                                       std::vector<std::string>& messages) {
  auto parsed = json::Json::parse(user);
  if (!parsed) return parsed;
  if (!parsed->is_object())
    return make_error(std::string("expected an object, found ") + json::kind_name(parsed->kind()));
  if (const auto* options = parsed->find("log-opts"); options != nullptr && !options->is_object())
    return make_error(std::string("/log-opts: expected an object, found ") +
                      json::kind_name(options->kind()));
  json::Json config = std::move(*parsed);
  for (const auto& [key, why] : kOwned)
    if (config.erase(key))
      messages.push_back("\"" + std::string(key) + "\" is not used: " + std::string(why));
  add_log_rotation(config);
  if (config.find("live-restore") == nullptr) config.set("live-restore", live_restore);
  return config;
}

EngineConfig make_engine_config(const EngineConfigInput& input) {
  EngineConfig out;
  const auto take = [&](const std::string& text, EngineConfig::Source source) -> std::string {
    std::vector<std::string> messages;
    auto merged = merge_engine_config(text, input.live_restore, messages);
    if (!merged) return merged.error().message;
    out.effective = std::move(*merged);
    out.source = source;
    out.used = text;
    for (auto& message : messages) out.messages.push_back(input.user_path + ": " + message);
    return "";
  };
  if (input.user) {
    const std::string wrong =
        !input.rejected.empty() ? input.rejected : take(*input.user, EngineConfig::Source::user);
    if (wrong.empty()) return out;
    out.messages.push_back("warning: " + input.user_path + " is not used: " + wrong);
    if (input.last_good && *input.last_good != *input.user &&
        take(*input.last_good, EngineConfig::Source::last_good).empty()) {
      out.messages.push_back("the engine runs with the last settings that worked");
      return out;
    }
    out.messages.push_back("the engine runs with default settings");
  }
  (void)take("{}", EngineConfig::Source::defaults);
  out.used.clear();
  return out;
}

}  // namespace causeway::engine_setup
