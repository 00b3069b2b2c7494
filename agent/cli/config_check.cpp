#include "cli/config_check.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>

#include "base/file.h"
#include "base/scope_exit.h"
#include "base/text.h"
#include "engine_setup/engine_config.h"
#include "process/run_to_end.h"
#include "settings/settings.h"
#include "supervise/service_spec.h"

namespace causeway::cli {
namespace {

// `message` without the file's name in front, which our errors carry.
std::string without_file(std::string_view message, const std::string& file) {
  const std::string prefix = file + ": ";
  if (message.starts_with(prefix)) message.remove_prefix(prefix.size());
  return std::string(message);
}

void check_services(const CheckConfigOptions& options, ConfigReport& report) {
  const std::string directory = options.etc + "/services.d";
  const auto files = supervise::load_services(directory, {options.run, options.data, options.etc});
  if (!files) {
    report.problems.push_back({directory, files.error().message});
    return;
  }
  auto path_of = [&](const std::string& name) { return directory + "/" + name + ".json"; };
  for (const auto& broken : files->broken)
    report.problems.push_back(
        {path_of(broken.name), without_file(broken.error, path_of(broken.name))});
  std::vector<const supervise::ServiceSpec*> specs;
  for (const auto& service : files->services) specs.push_back(&service.spec);
  const auto needs = supervise::check_needs(specs);
  for (const auto* spec : specs) {
    const auto wrong = needs.find(spec->name);
    if (wrong != needs.end()) {
      report.problems.push_back({path_of(spec->name), "/needs: " + wrong->second});
    } else {
      report.good.push_back(path_of(spec->name));
    }
    if (spec->enabled && !spec->argv.empty() && ::access(spec->argv[0].c_str(), X_OK) != 0)
      report.notes.push_back(
          {path_of(spec->name), "/argv/0: " + errno_error(spec->argv[0]).message});
  }
}

void check_settings(const CheckConfigOptions& options, ConfigReport& report) {
  const std::string path = options.etc + "/settings.json";
  if (::access(path.c_str(), F_OK) != 0) return;  // the defaults
  settings::Settings settings(options.etc);
  if (const auto loaded = settings.file.load(); !loaded) {
    report.problems.push_back({path, without_file(loaded.error().message, path)});
  } else {
    report.good.push_back(path);
  }
}

// What dockerd itself says about `effective`; empty when it has nothing to say.
std::string ask_engine(const CheckConfigOptions& options, const json::Json& effective,
                       ConfigReport& report) {
  if (::access(options.dockerd.c_str(), X_OK) != 0) {
    report.notes.push_back(
        {options.user_file, "not checked by the engine: there is no " + options.dockerd});
    return "";
  }
  std::string candidate = "/tmp/causeway-check-config-XXXXXX";
  const UniqueFd fd(::mkstemp(candidate.data()));
  if (!fd) return "";
  const ScopeExit remove([&] { ::unlink(candidate.c_str()); });
  if (!file::write_all(fd.get(), effective.dump())) return "";
  const auto outcome =
      process::run_to_end({options.dockerd, "--validate", "--config-file=" + candidate});
  if (outcome.success()) return "";
  // An engine before 23.0 doesn't know the flag.
  if (outcome.failure.empty() && !outcome.timed_out &&
      outcome.output.find("--validate") == std::string::npos)
    return "the engine refuses it: " + text::printable(text::trim(outcome.output));
  report.notes.push_back(
      {options.user_file, "not checked by the engine: this one has no --validate"});
  return "";
}

void check_engine(const CheckConfigOptions& options, ConfigReport& report) {
  const auto content = file::read(options.user_file);
  if (!content) {
    if (content.error().code != ENOENT && content.error().code != ENOTDIR)
      report.problems.push_back({options.user_file, content.error().message});
    return;
  }
  std::vector<std::string> messages;
  const auto merged = engine_setup::merge_engine_config(*content, true, messages);
  const std::string wrong = merged ? ask_engine(options, *merged, report) : merged.error().message;
  if (wrong.empty()) {
    report.good.push_back(options.user_file);
  } else {
    report.problems.push_back({options.user_file, wrong});
  }
  for (const auto& message : messages) report.notes.push_back({options.user_file, message});
}

}  // namespace

ConfigReport check_config(const CheckConfigOptions& options) {
  ConfigReport report;
  check_services(options, report);
  check_settings(options, report);
  check_engine(options, report);
  return report;
}

}  // namespace causeway::cli
