#include "supervise/service_spec.h"

#include <dirent.h>
#include <signal.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "json/json.h"

namespace causeway::supervise {
namespace {

using json::Json;
using json::ObjectReader;

constexpr std::size_t kMaxName = 32;  // fits a cgroup, and with "log." a slot of init's store
constexpr std::int64_t kDayS = std::int64_t{24} * 60 * 60;

// Replaces ${run}, ${data} and ${etc} in every string of the document; keys stay.
class Expander {
 public:
  explicit Expander(const Directories& directories) : directories_(directories) {}

  Json expand(const Json& value, const std::string& pointer) {
    if (const auto* s = value.as_string()) return Json(expand_text(*s, pointer));
    if (value.is_array()) {
      Json out = Json::array();
      for (const auto& item : value.items())
        out.push(expand(item, pointer + "/" + std::to_string(out.items().size())));
      return out;
    }
    if (value.is_object()) {
      Json out = Json::object();
      for (const auto& [key, member] : value.members())
        out.set(key, expand(member, pointer + "/" + key));
      return out;
    }
    return value;
  }

  std::optional<Error> error;

 private:
  std::string expand_text(std::string_view s, const std::string& pointer) {
    std::string out;
    for (;;) {
      const auto at = s.find("${");
      out += s.substr(0, at);
      if (at == std::string_view::npos) return out;
      s.remove_prefix(at + 2);
      const auto end = s.find('}');
      const auto name = s.substr(0, end);
      if (name == "run") {
        out += directories_.run;
      } else if (name == "data") {
        out += directories_.data;
      } else if (name == "etc") {
        out += directories_.etc;
      } else if (!error) {
        error = make_error(text::printable(pointer) + ": unknown variable ${" +
                           text::printable(name) + "}: there are ${run}, ${data}, ${etc}");
      }
      if (end == std::string_view::npos) return out;
      s.remove_prefix(end + 1);
    }
  }

  const Directories& directories_;
};

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return false;
  return std::ranges::all_of(
      name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

void check_command(ObjectReader& in, std::string_view key, const Command& argv) {
  if (argv.empty()) in.fail(key, "is empty");
  // No search in PATH: what runs must not depend on who started the agent.
  if (!argv.empty() && argv[0].substr(0, 1) != "/")
    in.fail(key, "the program must be an absolute path, not \"" + text::printable(argv[0]) + "\"");
}

void read_commands(ObjectReader& in, std::string_view key, std::vector<Command>& out) {
  if (!in.read(key, out)) return;
  for (const auto& argv : out) check_command(in, key, argv);
}

void read_path(ObjectReader& in, std::string_view key, std::string& out) {
  in.require(key);
  if (in.read(key, out) && out.substr(0, 1) != "/") in.fail(key, "must be an absolute path");
}

void read_socket(ObjectReader& in, std::string& out) {
  read_path(in, "socket", out);
  if (out.size() > 107) in.fail("socket", "longer than 107 bytes (unix(7))");
}

void read_ready(ObjectReader& in, ReadyRule& rule) {
  int kinds = 0;
  kinds += in.object("unix", [&](ObjectReader& how) {
    rule.kind = ReadyRule::Kind::socket;
    read_socket(how, rule.path);
  });
  kinds += in.object("http", [&](ObjectReader& how) {
    rule.kind = ReadyRule::Kind::http;
    read_socket(how, rule.path);
    how.require("path");
    if (how.read("path", rule.target) &&
        (rule.target.substr(0, 1) != "/" ||
         std::ranges::any_of(rule.target, [](char c) { return c <= ' ' || c == 0x7f; })))
      how.fail("path", "must start with / and hold no blanks");
  });
  kinds += in.object("file", [&](ObjectReader& how) {
    rule.kind = ReadyRule::Kind::file;
    read_path(how, "path", rule.path);
  });
  kinds += in.object("command", [&](ObjectReader& how) {
    rule.kind = ReadyRule::Kind::command;
    how.require("argv");
    if (how.read("argv", rule.argv)) check_command(how, "argv", rule.argv);
  });
  if (kinds > 1) in.fail("", "only one of unix, http, file and command");
  in.read("timeout_s", rule.timeout_s, 1, kDayS);
}

void read_restart(ObjectReader& in, RestartRule& rule) {
  std::string policy;
  if (in.read("policy", policy)) {
    if (policy == "always") {
      rule.policy = RestartRule::Policy::always;
    } else if (policy == "on-failure") {
      rule.policy = RestartRule::Policy::on_failure;
    } else if (policy == "never") {
      rule.policy = RestartRule::Policy::never;
    } else {
      in.fail("policy", "expected always, on-failure or never, found \"" + policy + "\"");
    }
  }
  // At least 10 ms: a service that can't run must not take the processor.
  in.read("delay_ms", rule.delay_ms, 10, kDayS * 1000);
  in.read("max_delay_ms", rule.max_delay_ms, 10, kDayS * 1000);
  if (rule.max_delay_ms < rule.delay_ms) in.fail("max_delay_ms", "is below delay_ms");
  in.read("limit", rule.limit, 1, 1000);
  in.read("window_s", rule.window_s, 1, kDayS);
  in.read("healthy_s", rule.healthy_s, 1, kDayS);
}

void read_stop(ObjectReader& in, StopRule& rule) {
  std::string name;
  if (in.read("signal", name)) {
    int number = 0;
    for (int candidate = 1; candidate < NSIG && number == 0; ++candidate) {
      const char* abbreviation = ::sigabbrev_np(candidate);
      if (abbreviation != nullptr && name.starts_with("SIG") && name.substr(3) == abbreviation)
        number = candidate;
    }
    if (number == 0) in.fail("signal", "no such signal: \"" + name + "\" (as in \"SIGTERM\")");
    rule.signal = number;
  }
  in.read("timeout_s", rule.timeout_s, 1, kDayS);
  read_commands(in, "before_shutdown", rule.before_shutdown);
}

void read_environment(ObjectReader& in, std::map<std::string, std::string>& out) {
  if (!in.read("environment", out)) return;
  for (const auto& [key, value] : out)
    if (key.empty() || key.find('=') != std::string::npos || key.find('\0') != std::string::npos ||
        value.find('\0') != std::string::npos)
      in.fail("environment", text::printable(key) + " can't be set in an environment");
}

}  // namespace

Result<ServiceSpec> parse_service(std::string_view content, std::string_view stem,
                                  const Directories& directories) {
  auto parsed = Json::parse(content);
  if (!parsed) return std::move(parsed).error();
  Expander expander(directories);
  const Json document = expander.expand(*parsed, "");
  ServiceSpec spec;
  ObjectReader in(document);
  in.require("name").require("argv");
  if (in.read("name", spec.name)) {
    if (!valid_name(spec.name))
      in.fail("name", "1 to 32 small letters, digits and dashes");
    else if (spec.name != stem)
      in.fail("name", std::string("must be \"").append(stem) + "\", as the file is called");
  }
  in.read("description", spec.description);
  in.read("enabled", spec.enabled);
  if (in.read("argv", spec.argv)) check_command(in, "argv", spec.argv);
  read_environment(in, spec.environment);
  in.read("needs", spec.needs);
  read_commands(in, "prepare", spec.prepare);
  read_commands(in, "after_ready", spec.after_ready);
  in.object("ready", [&](ObjectReader& ready) { read_ready(ready, spec.ready); });
  in.object("restart", [&](ObjectReader& restart) { read_restart(restart, spec.restart); });
  in.object("stop", [&](ObjectReader& stop) { read_stop(stop, spec.stop); });
  std::int64_t number = 0;
  if (in.read("nofile", number, 16, 1LL << 30)) spec.nofile = number;
  if (in.read("oom_score_adj", number, -1000, 1000)) spec.oom_score_adj = number;
  in.read("cgroup", spec.cgroup);
  if (auto done = in.finish(); !done) return std::move(done).error();
  if (expander.error) return *expander.error;
  return spec;
}

Result<ServiceFiles> load_services(const std::string& directory, const Directories& directories) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) return errno_error("open " + directory);
  std::set<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".json") && name[0] != '.') names.emplace(name);
  }
  ServiceFiles out;
  for (const auto& name : names) {
    const std::string path = directory + "/" + name;
    const std::string stem = name.substr(0, name.size() - std::string_view(".json").size());
    auto content = file::read(path, std::size_t{256} * 1024);
    if (content) content = text::from_file(*std::move(content));
    auto spec =
        content ? parse_service(*content, stem, directories) : Result<ServiceSpec>(content.error());
    if (spec) {
      out.services.push_back({std::move(*spec), std::move(*content)});
    } else {
      const std::string& what = spec.error().message;
      // file::read names the path itself.
      out.broken.push_back(
          {stem, what.find(path) == std::string::npos ? path + ": " + what : what});
    }
  }
  return out;
}

std::map<std::string, std::string> check_needs(const std::vector<const ServiceSpec*>& specs) {
  std::map<std::string, const ServiceSpec*> by_name;
  for (const auto* spec : specs) by_name[spec->name] = spec;
  std::map<std::string, std::string> out;
  for (const auto* each : specs) {
    const ServiceSpec& spec = *each;
    for (const auto& need : spec.needs)
      if (!by_name.contains(need))
        out[spec.name] = "needs \"" + text::printable(need) + "\", which no service file describes";
    // A circle through this service: followed from here, it comes back here.
    std::vector<std::string> trail;
    std::set<std::string> seen;
    const std::function<bool(const ServiceSpec&)> returns = [&](const ServiceSpec& from) {
      for (const auto& need : from.needs) {
        trail.push_back(need);
        if (need == spec.name) return true;
        if (by_name.contains(need) && seen.insert(need).second && returns(*by_name[need]))
          return true;
        trail.pop_back();
      }
      return false;
    };
    if (!returns(spec)) continue;
    std::string circle = spec.name;
    for (const auto& name : trail) circle += " needs " + name;
    out[spec.name] = "can never start: " + circle;
  }
  return out;
}

}  // namespace causeway::supervise
