#include "engine_setup/engine_config_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "engine_setup/engine_config.h"
#include "engine_setup/engine_reload.h"
#include "json/json.h"
#include "process/run_to_end.h"

namespace causeway::engine_setup {
namespace {

// dockerd that never became ready so often with a file: it is the file, as far as we can tell. Its
// first end may have any other cause.
constexpr std::int64_t kTries = 2;
constexpr std::uint64_t kReloadTimeoutMs = 8000;  // within the supervisor's 10 s for the command

// RUN/state/engine-config.json.
struct Memory {
  std::string used;        // the user's text in use; empty: defaults
  std::string source;      // source_name()
  std::string rejected;    // the user's text that dockerd didn't come up with
  std::int64_t tries = 0;  // starts with `used` since it last became ready
};

class EngineConfigCommand {
 public:
  explicit EngineConfigCommand(const EngineConfigOptions& options) : options_(options) {}

  Status prepare(const Result<EngineSettings>& settings);
  Status accept();
  Status reload();

 private:
  std::string state_path() const { return options_.run + "/state/engine-config.json"; }
  std::string effective_path() const { return options_.run + "/daemon.json"; }
  std::string last_good_path() const { return options_.data + "/causeway/daemon.last-good.json"; }
  Memory remember() const;
  Status save(const Memory& memory, const std::vector<std::string>& messages) const;
  std::string validate(const json::Json& effective, std::vector<std::string>& messages) const;

  const EngineConfigOptions& options_;
};

Result<std::optional<std::string>> read_if_there(const std::string& path) {
  auto content = file::read(path);
  if (content) return std::optional(std::move(*content));
  if (content.error().code == ENOENT || content.error().code == ENOTDIR)
    return std::optional<std::string>();
  return std::move(content).error();
}

Memory EngineConfigCommand::remember() const {
  Memory out;
  const auto content = file::read(state_path());
  const auto document = content ? json::Json::parse(*content) : Result<json::Json>(content.error());
  if (!document) return out;  // the first time, or not ours: begin anew
  out.used = (*document)["used"].string_or("");
  out.source = (*document)["source"].string_or("");
  out.rejected = (*document)["rejected"].string_or("");
  out.tries = (*document)["tries"].int_or(0);
  return out;
}

Status EngineConfigCommand::save(const Memory& memory,
                                 const std::vector<std::string>& messages) const {
  json::Json lines = json::Json::array();
  for (const auto& message : messages) lines.push(message);
  const json::Json document = json::Json::object({{"source", memory.source},
                                                  {"messages", std::move(lines)},
                                                  {"tries", memory.tries},
                                                  {"used", memory.used},
                                                  {"rejected", memory.rejected}});
  if (auto made = file::make_directories(options_.run + "/state"); !made) return made;
  return file::write_atomic(state_path(), document.dump(2) + "\n", 0600);
}

// Why dockerd refuses it; empty when it doesn't, or can't tell.
std::string EngineConfigCommand::validate(const json::Json& effective,
                                          std::vector<std::string>& messages) const {
  const std::string candidate = effective_path() + ".candidate";
  if (auto done = file::write_atomic(candidate, effective.dump(2) + "\n", 0600); !done)
    return "";  // the real file will fail to be written too, and that is told
  const auto outcome =
      process::run_to_end({options_.dockerd, "--validate", "--config-file=" + candidate});
  ::unlink(candidate.c_str());
  if (outcome.success()) return "";
  if (outcome.failure.empty() && outcome.output.find("--validate") == std::string::npos &&
      !outcome.timed_out)
    return "dockerd refuses it: " + text::printable(text::trim(outcome.output));
  messages.push_back(options_.user_file + " could not be checked before its use" +
                     (outcome.output.find("unknown flag") != std::string::npos
                          ? ": this dockerd has no --validate"
                          : ": " + outcome.text("dockerd --validate")));
  return "";
}

Status EngineConfigCommand::prepare(const Result<EngineSettings>& settings) {
  // No dockerd runs now. A killed one left its pid file, and dockerd refuses to start while any
  // process has that number, be it a container's.
  ::unlink((options_.run + "/dockerd.pid").c_str());
  std::vector<std::string> messages;
  if (!settings)
    messages.push_back("warning: " + settings.error().message + "; the defaults are used");
  EngineConfigInput input;
  input.user_path = options_.user_file;
  input.live_restore = options_.live_restore.value_or(settings ? settings->live_restore
                                                               : EngineSettings{}.live_restore);
  auto user = read_if_there(options_.user_file);
  if (user && *user) {
    std::vector<std::string> notes;
    auto text = user_config_text(**std::move(user), notes);
    user = text ? Result(std::optional(*std::move(text)))
                : Result<std::optional<std::string>>(std::move(text).error());
    for (const auto& note : notes) messages.push_back(options_.user_file + ": " + note);
  }
  auto last_good = read_if_there(last_good_path());
  if (last_good) input.last_good = std::move(*last_good);
  if (user) {
    input.user = std::move(*user);
  } else {
    input.user = "";
    input.rejected = user.error().message;
  }

  Memory memory = remember();
  const bool known_good = input.user && input.user == input.last_good;
  if (input.user && input.rejected.empty() && !known_good) {
    if (*input.user == memory.rejected ||
        (*input.user == memory.used && memory.source == "user" && memory.tries >= kTries)) {
      memory.rejected = *input.user;
      input.rejected = "dockerd did not come up with it (see `causeway logs dockerd`)";
    } else {
      std::vector<std::string> ignored;
      if (const auto merged = merge_engine_config(*input.user, input.live_restore, ignored))
        input.rejected = validate(*merged, messages);
    }
  }
  EngineConfig config = make_engine_config(input);
  messages.insert(messages.end(), config.messages.begin(), config.messages.end());

  const std::string source = source_name(config.source);
  const bool same = memory.source == source && memory.used == config.used;
  memory.tries = same ? memory.tries + 1 : 1;
  memory.source = source;
  memory.used = config.used;
  if (auto done = file::write_atomic(effective_path(), config.effective.dump(2) + "\n", 0600);
      !done)
    return done;
  if (auto done = save(memory, messages); !done) return done;
  for (const auto& message : messages) std::puts(text::printable(message).c_str());
  return Ok{};
}

Status EngineConfigCommand::accept() {
  Memory memory = remember();
  if (memory.source.empty()) return make_error("nothing was prepared");
  std::vector<std::string> messages;
  if (const auto content = file::read(state_path()); content.ok())
    if (const auto document = json::Json::parse(*content); document.ok())
      for (const auto& message : (*document)["messages"].items())
        messages.push_back(message.string_or(""));
  memory.tries = 0;
  if (auto done = save(memory, messages); !done) return done;
  if (memory.source != "user") return Ok{};
  const auto old = file::read(last_good_path());
  if (old && *old == memory.used) return Ok{};
  if (auto made = file::make_directories(options_.data + "/causeway"); !made) return made;
  return file::write_atomic(last_good_path(), memory.used, 0600);
}

Status EngineConfigCommand::reload() {
  const auto content = file::read(effective_path());
  if (!content) return content.error();
  auto config = json::Json::parse(*content);
  if (!config) return std::move(config).error().with(effective_path());
  const bool wanted = options_.live_restore.value_or(true);
  if ((*config)["live-restore"].as_bool() == wanted) return Ok{};  // dockerd runs so already
  config->set("live-restore", wanted);
  if (auto done = file::write_atomic(effective_path(), config->dump(2) + "\n", 0600); !done)
    return done;
  return reload_engine(options_.run + "/dockerd.sock", options_.run + "/state/dockerd.pid", wanted,
                       kReloadTimeoutMs);
}

}  // namespace

int run_engine_config(const EngineConfigOptions& options, const Result<EngineSettings>& settings) {
  EngineConfigCommand command(options);
  const Status done = options.accept   ? command.accept()
                      : options.reload ? command.reload()
                                       : command.prepare(settings);
  if (done) return 0;
  std::puts(text::printable(done.error().message).c_str());
  return 1;
}

}  // namespace causeway::engine_setup
