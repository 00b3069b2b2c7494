#include "engine_setup/host_setup_command.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "engine_setup/host_setup.h"
#include "json/json.h"
#include "process/run_to_end.h"

namespace causeway::engine_setup {
namespace {

// The first executable of that name in PATH, except below `not_in`.
std::string find_program(const std::string& name, const std::string& not_in) {
  const char* path = std::getenv("PATH");
  for (const auto directory : text::split(path == nullptr ? "/usr/sbin:/sbin" : path, ':')) {
    std::string candidate = std::string(directory) + "/" + name;
    if (directory != not_in && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

class HostSetup {
 public:
  explicit HostSetup(const HostSetupOptions& options) : options_(options) {}

  std::vector<std::string> run() {
    raise_settings();
    load_modules();
    choose_packet_filter();
    name_other_engines();
    return std::move(messages_);
  }

 private:
  void say(std::string message) { messages_.push_back(std::move(message)); }

  void raise_settings() {
    for (const auto& setting : kernel_settings()) {
      const std::string path = "/proc/sys/" + std::string(setting.path);
      const auto now = file::read(path);
      const auto value = raise(setting, now ? std::optional(*now) : std::nullopt);
      if (!value) continue;
      const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      const auto done =
          fd ? file::write_all(fd.get(), std::to_string(*value)) : Status(errno_error("open"));
      if (!done)
        say("kernel setting " + std::string(setting.path) + " is " + std::string(text::trim(*now)) +
            ", should be " + std::to_string(*value) + ": " + done.error().message);
    }
  }

  // Without modprobe or module files the kernel is what it is: WSL's has nearly all built in.
  void load_modules() {
    utsname system{};
    ::uname(&system);
    const std::string directory = std::string("/lib/modules/") + system.release;
    const auto builtin = file::read(directory + "/modules.builtin", 4 << 20);
    const std::string modprobe = find_program("modprobe", "");
    if (!builtin || modprobe.empty()) return;
    const auto loaded = file::read("/proc/modules", 4 << 20);
    const auto missing = missing_modules(loaded ? *loaded : "", *builtin);
    if (missing.empty()) return;
    std::vector<std::string> argv = {modprobe, "-a", "-q"};
    argv.insert(argv.end(), missing.begin(), missing.end());
    (void)process::run_to_end(argv);  // one that this kernel lacks is no error: others do its work
  }

  Iptables look_at(const std::string& program) {
    Iptables out;
    out.present = !program.empty();
    if (!out.present) return out;
    const auto listed = process::run_to_end({program, "-w", "-t", "nat", "-S"});
    out.works = listed.success();
    if (!out.works) out.error = listed.text(program);
    return out;
  }

  void count(Iptables& tables, const std::string& save_program) {
    if (tables.works && !save_program.empty())
      tables.rules = count_rules(process::run_to_end({save_program}).output);
  }

  void choose_packet_filter() {
    const std::string bin = options_.run + "/bin";
    const std::string program = find_program("iptables", bin);
    if (program.empty()) {
      unlink_all();
      return say("warning: iptables is missing: published ports and the bridge network won't work");
    }
    Iptables by_default = look_at(program);
    // Tables of the old kind exist only once somebody used them; else there is nothing to compare.
    const auto legacy_tables = file::read("/proc/net/ip_tables_names");
    const bool legacy_in_use = legacy_tables && !text::trim(*legacy_tables).empty();
    if (by_default.works && !legacy_in_use) return unlink_all();

    const bool is_legacy =
        process::run_to_end({program, "--version"}).output.find("legacy") != std::string::npos;
    const std::string kind = is_legacy ? "nft" : "legacy";
    Iptables other = look_at(find_program("iptables-" + kind, bin));
    count(by_default, find_program("iptables-save", bin));
    count(other, find_program("iptables-" + kind + "-save", bin));
    switch (choose_iptables(by_default, is_legacy, other)) {
      case IptablesChoice::as_is:
        return unlink_all();
      case IptablesChoice::nft:
        return link_all("nft");
      case IptablesChoice::legacy:
        return link_all("legacy");
      case IptablesChoice::none:
        unlink_all();
        return say(
            "warning: iptables does not work, so published ports and the bridge network won't: " +
            by_default.error);
    }
  }

  // iptables-save is iptables-legacy-save, and so on.
  static constexpr std::array<std::array<const char*, 2>, 6> kPrograms = {
      {{"iptables", ""},
       {"iptables", "-save"},
       {"iptables", "-restore"},
       {"ip6tables", ""},
       {"ip6tables", "-save"},
       {"ip6tables", "-restore"}}};

  void unlink_all() {
    for (const auto& [name, action] : kPrograms)
      ::unlink((options_.run + "/bin/" + name + action).c_str());
  }

  void link_all(const std::string& kind) {
    const std::string bin = options_.run + "/bin";
    unlink_all();
    if (auto made = file::make_directories(bin); !made) return say(made.error().message);
    for (const auto& [name, action] : kPrograms) {
      const std::string target = find_program(std::string(name) + "-" + kind + action, bin);
      const std::string link = bin + "/" + name + action;
      if (!target.empty() && ::symlink(target.c_str(), link.c_str()) != 0)
        say(errno_error("link " + link).message);
    }
    say("the engine uses iptables-" + kind + ": the rules of this machine are there");
  }

  void name_other_engines() {
    const auto sockets = file::read("/proc/net/unix", 16 << 20);
    if (!sockets) return;
    for (const auto& root : other_engines(*sockets, options_.run + "/docker"))
      say("warning: another dockerd (its state is in " + root +
          ") runs in this network: both change the same bridges and packet filter rules, so stop "
          "one");
  }

  const HostSetupOptions& options_;
  std::vector<std::string> messages_;
};

}  // namespace

int run_host_setup(const HostSetupOptions& options, const HostSettings& settings) {
  if (!settings.host_setup) return 0;
  const auto messages = HostSetup(options).run();
  json::Json lines = json::Json::array();
  for (const auto& message : messages) {
    std::puts(text::printable(message).c_str());
    lines.push(message);
  }
  const std::string state = options.run + "/state";
  if (file::make_directories(state))
    (void)file::write_atomic(state + "/host-setup.json",
                             json::Json::object({{"messages", std::move(lines)}}).dump(2) + "\n");
  return 0;
}

}  // namespace causeway::engine_setup
