#include "cli/config_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

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

// `root`: the engine's, in front of its programs' paths; empty: ours is it.
void check_services(const CheckConfigOptions& options, const std::string& root,
                    ConfigReport& report) {
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
    if (spec->enabled && !spec->argv.empty() && ::access((root + spec->argv[0]).c_str(), X_OK) != 0)
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
  if (settings.file.empty())
    report.notes.push_back({path, "it is empty: the default settings are used"});
}

// What dockerd itself says about `effective`; empty when it has nothing to say.
std::string ask_engine(const CheckConfigOptions& options, const json::Json& effective,
                       ConfigReport& report) {
  if (options.dockerd.empty()) {
    report.notes.push_back({options.user_file,
                            "not checked by the engine: `causeway check-config` in the engine's "
                            "shell (`causeway attach --shell`) does that"});
    return "";
  }
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
  const bool too_old = outcome.output.find("unknown flag") != std::string::npos;
  report.notes.push_back({options.user_file, "not checked by the engine: " +
                                                 (too_old ? "this one has no --validate"
                                                          : outcome.text("dockerd --validate"))});
  return "";
}

void check_engine(const CheckConfigOptions& options, ConfigReport& report) {
  auto content = file::read(options.user_file);
  if (!content) {
    if (content.error().code != ENOENT && content.error().code != ENOTDIR)
      report.problems.push_back({options.user_file, content.error().message});
    return;
  }
  std::vector<std::string> messages;
  const auto text = engine_setup::user_config_text(*std::move(content), messages);
  const auto merged = text ? engine_setup::merge_engine_config(*text, true, messages)
                           : Result<json::Json>(text.error());
  const std::string wrong = merged ? ask_engine(options, *merged, report) : merged.error().message;
  if (wrong.empty()) {
    report.good.push_back(options.user_file);
  } else {
    report.problems.push_back({options.user_file, wrong});
  }
  for (const auto& message : messages) report.notes.push_back({options.user_file, message});
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first {};
  struct stat second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

// Without links, as far as it is there; of a link whose file isn't there yet, where that would be.
std::string real_path(const std::string& path) {
  std::error_code none;
  std::filesystem::path at = path;
  if (std::filesystem::is_symlink(at, none))
    at = at.parent_path() / std::filesystem::read_symlink(at, none);
  const auto real = std::filesystem::weakly_canonical(at, none);
  return none ? path : real.string();
}

// In docker-desktop's outer root, where `wsl -d docker-desktop COMMAND` and Windows' Explorer are,
// the engine's files are those of the version that the next start runs (rootfs/rootfs_tree.py).
// What lies at their paths here, and is no link to them, nobody reads.
struct Place {
  CheckConfigOptions options;
  std::string root;  // the engine's; empty: ours is it
};
Place of_the_engine(const CheckConfigOptions& options, ConfigReport& report) {
  const std::string root = options.versions + "/current";
  const auto has_services = [](const std::string& etc) {
    return ::access((etc + "/services.d").c_str(), F_OK) == 0;
  };
  if (has_services(options.etc) || !has_services(root + options.etc)) return {options, ""};
  CheckConfigOptions out = options;
  out.etc = root + options.etc;
  out.user_file = real_path(root + options.user_file);
  out.dockerd = "";
  const auto check = [&](const std::string& here, const std::string& engines) {
    if (::access(here.c_str(), F_OK) == 0 && !same_file(here, engines))
      report.problems.push_back({here, "it has no effect: the engine reads " + real_path(engines)});
  };
  check(options.user_file, out.user_file);
  check(options.etc + "/settings.json", out.etc + "/settings.json");
  return {std::move(out), root};
}

}  // namespace

ConfigReport check_config(const CheckConfigOptions& given) {
  ConfigReport report;
  const auto [options, root] = of_the_engine(given, report);
  check_services(options, root, report);
  check_settings(options, report);
  check_engine(options, report);
  return report;
}

}  // namespace causeway::cli
