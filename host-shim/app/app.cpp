#include "app/app.h"

#include <windows.h>

#include <algorithm>

#include "app/bootstrap_script.h"
#include "app/status_json.h"
#include "base/text.h"
#include "json/json.h"
#include "log_line.h"
#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

using json::Json;

// How long `distro enable|disable` waits for the agent, which may have to undo a dozen files.
constexpr DWORD kAgentMs = 30'000;

std::string failure(const std::string& why) { return Json::object({{"error", why}}).dump(); }

bool has_name(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& other) { return same_name(other, name); });
}

// The state that the agent gives this distro; empty when it doesn't know it.
std::string state_of(const std::string& body, const std::string& distro) {
  const auto answer = Json::parse(body);
  if (!answer) return {};
  for (const auto& entry : (*answer)["distros"].items())
    if (same_name(entry["name"].string_or(""), distro)) return entry["state"].string_or("");
  return {};
}

}  // namespace

App::App(Paths paths, bool foreground, bool allow_elevated)
    : paths_(std::move(paths)), foreground_(foreground), allow_elevated_(allow_elevated) {}

App::~App() {
  control_.reset();
  if (shim_) shim_->stop();
  distros_.reset();
  shim_.reset();
}

Status App::start(const InstanceNames& names) {
  auto text = read_file(paths_.settings);
  if (text) {
    auto parsed = parse_settings(*text);
    if (parsed) settings_ = std::move(*parsed);
    if (is_empty(*text))
      settings_error_ = paths_.settings + " is empty: the default settings are used";
    else if (!parsed)
      settings_error_ =
          paths_.settings + ": " + parsed.error().message + "; the default settings are used";
  } else if (text.error().code != ERROR_FILE_NOT_FOUND) {
    settings_error_ = text.error().message + "; the default settings are used";
  }
  log_ = std::make_unique<LogFile>(paths_.log, settings_.log_level, foreground_);
  log(log::Level::info,
      log_line("shim.start", {{"version", CAUSEWAY_VERSION}, {"pid", GetCurrentProcessId()}}));
  if (!settings_error_.empty())
    log(log::Level::error, log_line("settings.not_used", {{"reason", settings_error_}}));
  // Each wsl.exe that is started from here speaks UTF-8.
  SetEnvironmentVariableW(L"WSL_UTF8", L"1");

  auto window = MainWindow::create({[this] { shim_->resumed(); },
                                    [this] {
                                      shim_->session_ending();
                                      window_->quit();
                                    }});
  if (!window) return std::move(window).error();
  window_ = std::move(*window);
  EnabledDistros::Options options;
  if (!settings_.shim.attach.empty()) options.wsl = settings_.shim.attach[0];
  options.log_folder = paths_.folder;
  options.script = kBootstrapScript;
  distros_ = std::make_unique<EnabledDistros>(
      *window_, options,
      EnabledDistros::Events{
          [this](std::string_view line) { log(log::Level::info, std::string(line)); },
          [this](const std::string& distro, std::function<void(bool)> told) {
            ask_stopped(distro, std::move(told));
          },
          [this](const std::string& distro, const std::string& reason) {
            tell_failed(distro, reason);
          }});
  load_enabled();

  ShimCallbacks callbacks;
  callbacks.log = [this](log::Level level, std::string_view line) {
    log(level, std::string(line));
  };
  callbacks.on_distro_start = [this](link::DistroStart wanted) {
    window_->post([this, wanted = std::move(wanted)] {
      const auto why_not = distros_->want(wanted.distro);
      wanted.answer(why_not.empty(), why_not);
    });
  };
  callbacks.on_change = [this](const ShimStatus& status) {
    window_->post([this, there = status.connected()] { distros_->engine_there(there); });
  };
  settings_.shim.allow_elevated = allow_elevated_;
  shim_ = std::make_unique<Shim>(settings_.shim, std::move(callbacks));
  if (auto started = shim_->start(); !started) return started;
  auto control = ControlPipe::serve(names.control_pipe,
                                    [this](const std::string& line) { return answer(line); });
  if (!control) return std::move(control).error();
  control_ = std::move(*control);
  return Ok{};
}

void App::run() {
  window_->run();
  log(log::Level::info, log_line("shim.stop"));
}

void App::quit() { window_->quit(); }

void App::load_enabled() {
  const auto text = read_file(paths_.distros);
  if (!text) {
    if (text.error().code != ERROR_FILE_NOT_FOUND) distros_error_ = text.error().message;
  } else if (auto names = parse_enabled(*text)) {
    distros_->set_enabled(*names);
  } else {
    distros_error_ = paths_.distros + ": " + names.error().message + "; no distro is enabled";
  }
  if (!distros_error_.empty())
    log(log::Level::error, log_line("distros.refused", {{"reason", distros_error_}}));
}

Status App::save_enabled(const std::vector<std::string>& names) {
  auto saved = write_file(paths_.distros, enabled_json(names));
  if (saved) distros_error_.clear();
  return saved;
}

// On the control pipe's thread.
std::string App::answer(const std::string& request) {
  const auto asked = Json::parse(request);
  const auto* command = asked ? (*asked)["command"].as_string() : nullptr;
  if (command == nullptr) return failure("no command");
  if (*command == "status") return status_json();
  if (*command == "stop") {
    window_->quit();
    return Json::object({{"pid", GetCurrentProcessId()}}).dump();
  }
  const auto* name = (*asked)["name"].as_string();
  const auto enable = (*asked)["enable"].as_bool();
  if (*command == "distro" && name != nullptr && enable) return change_distro(*name, *enable);
  return failure("unknown command");
}

std::string App::status_json() {
  std::vector<EnabledDistros::Shown> distros;
  window_->call([&] { distros = distros_->shown(); });
  StatusParts parts;
  parts.settings_file = paths_.settings;
  for (const auto* problem : {&settings_error_, &distros_error_})
    if (!problem->empty()) parts.problems.push_back(*problem);
  parts.log_file = paths_.log;
  return to_json(shim_->status(), distros, parts).dump();
}

std::string App::change_distro(const std::string& name, bool enable) {
  const auto distros = list_distros();
  if (!distros) return failure(distros.error().message);
  const Distro* distro = find_distro(*distros, name);
  std::vector<std::string> enabled;
  if (!window_->call([&] { enabled = distros_->enabled(); })) return failure("the shim ends");
  if (enable) {
    if (distro == nullptr) return failure("there is no WSL distro " + name);
    if (!distro->usable())
      return failure(name + " is no WSL 2 distro: `wsl --set-version " + name + " 2` makes it one");
  } else if (!has_name(enabled, name)) {
    return failure("the distro " + name + " is not enabled");
  }
  const std::string known = distro == nullptr ? name : distro->name;
  std::erase_if(enabled, [&](const std::string& other) { return same_name(other, name); });
  if (enable) enabled.push_back(known);
  // Consent is written down before it is used, and taken back before the undoing: a kill in between
  // starts nothing that the user doesn't want.
  if (auto saved = save_enabled(enabled); !saved) return failure(saved.error().message);
  // An agent that doesn't know the distro yet answers 404: its helper's hello makes it known.
  std::string agent_says;
  const UniqueHandle told(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  auto reply = std::make_shared<std::pair<int, std::string>>(0, "");
  if (shim_->status().connected()) {
    HANDLE done = nullptr;
    DuplicateHandle(GetCurrentProcess(), told.get(), GetCurrentProcess(), &done, 0, FALSE,
                    DUPLICATE_SAME_ACCESS);
    auto shared = std::make_shared<UniqueHandle>(done);
    // One that Windows doesn't have any more has nothing to be undone in: it is forgotten.
    const std::string path = "/v1/distros/" + text::percent_encoded(known);
    const bool gone = !enable && distro == nullptr;
    shim_->request(gone ? "DELETE" : "POST", gone ? path : path + (enable ? "/enable" : "/disable"),
                   "", [reply, shared](Result<std::pair<int, std::string>> got) {
                     *reply = got ? *got : std::pair(0, got.error().message);
                     SetEvent(shared->get());
                   });
    if (WaitForSingleObject(told.get(), kAgentMs) != WAIT_OBJECT_0)
      agent_says = "the agent has not answered yet";
    else if (reply->first != 404 && (reply->first < 200 || reply->first > 299))
      agent_says = reply->second;
  }
  window_->call([&] {
    if (!enable) return distros_->forget(known);
    distros_->set_enabled(enabled);
    if (shim_->status().connected()) (void)distros_->want(known);
  });
  log(log::Level::info,
      log_line(enable ? "distro.enabled" : "distro.disabled", {{"distro", known}}));
  auto out = Json::object({{"name", known}, {"enabled", enable}});
  if (!agent_says.empty()) out.set("warning", agent_says);
  return out.dump();
}

void App::tell_failed(const std::string& distro, const std::string& reason) {
  shim_->request(
      "POST", "/v1/distros/" + text::percent_encoded(distro) + "/failed",
      Json::object({{"reason", reason}}).dump(),
      [this, distro](Result<std::pair<int, std::string>> got) {
        if (got && got->first >= 200 && got->first <= 299) return;
        log(log::Level::warning,
            log_line("helper.not_told",
                     {{"distro", distro}, {"reason", got ? got->second : got.error().message}}));
      });
}

void App::ask_stopped(const std::string& distro, std::function<void(bool)> told) {
  shim_->request("GET", "/v1/distros", "",
                 [this, distro, told = std::move(told)](Result<std::pair<int, std::string>> got) {
                   const bool stopped =
                       got && got->first == 200 && state_of(got->second, distro) == "stopped";
                   window_->post([told, stopped] { told(stopped); });
                 });
}

}  // namespace causeway::shim::app
