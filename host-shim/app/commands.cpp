#include "app/commands.h"

#include <windows.h>

#include <atomic>
#include <cstdio>

#include "app/app.h"
#include "app/autostart.h"
#include "app/status_json.h"
#include "base/exit_code.h"
#include "json/json.h"
#include "windows/child_process.h"
#include "windows/pipe_security.h"
#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

using json::Json;

constexpr DWORD kStartMs = 30'000;
constexpr DWORD kStopMs = 15'000;

int refuse(int code, const std::string& text) {
  std::fprintf(stderr, "causeway: %s\n", text.c_str());
  return code;
}

int no_shim() {
  return refuse(kNotRunning, "the shim doesn't run\n  Start it with `causeway.exe start`.");
}

std::string this_program() {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
  return to_utf8(path);
}

// The file `name` in this program's folder.
std::string beside_us(const std::string& name) {
  const auto path = this_program();
  return path.substr(0, path.rfind('\\') + 1) + name;
}

// One request to the shim that runs. An exit code, after the reason was told, or the answer.
struct Asked {
  int code = kDone;
  Json answer;
};
Asked ask(const Json& request) {
  const auto names = instance_names();
  if (!names) return {refuse(kSetUpFailed, names.error().message), {}};
  auto answer = ask_shim(names->control_pipe, request.dump());
  if (answer) {
    auto told = Json::parse(*answer);
    if (!told) return {refuse(kInternal, "an answer that makes no sense"), {}};
    if (const auto* error = (*told)["error"].as_string()) return {refuse(kNo, *error), {}};
    return {kDone, *std::move(told)};
  }
  if (answer.error().code == ERROR_FILE_NOT_FOUND) return {no_shim(), {}};
  return {refuse(kNotRunning, answer.error().message), {}};
}

bool is_running(const InstanceNames& names) {
  return ask_shim(names.control_pipe, R"({"command":"status"})").ok();
}

// Of this process, while it runs; the system's thread for ^C reads it.
std::atomic<App*> running_app{nullptr};

BOOL WINAPI on_console(DWORD) {
  if (App* app = running_app) app->quit();
  // The system ends the process when this returns, for all but ^C: the main thread needs a moment.
  Sleep(kStopMs);
  return TRUE;
}

bool refuse_elevated(bool allowed) {
  if (allowed || !elevated()) return false;
  refuse(
      kNotAllowed,
      "this is an elevated program (\"as administrator\"), and WSL would give what it starts a "
      "mount namespace of its own: your shells would not see the engine's mounts\n"
      "  Start it from a prompt that is not elevated; with --allow-elevated if you work elevated "
      "only.");
  return true;
}

}  // namespace

int command_run(bool background, bool allow_elevated) {
  if (refuse_elevated(allow_elevated)) return kNotAllowed;
  const auto names = instance_names();
  if (!names) return refuse(kSetUpFailed, names.error().message);
  const auto instance = become_the_instance(*names);
  if (!instance) return refuse(kSetUpFailed, instance.error().message);
  if (!*instance)
    return refuse(kOtherRuns, "another shim of this user runs; `causeway.exe stop` ends it");
  auto paths = find_paths();
  if (!paths) return refuse(kSetUpFailed, paths.error().message);
  App app(*paths, !background, allow_elevated);
  if (auto started = app.start(*names); !started)
    return refuse(kSetUpFailed, started.error().message);
  running_app = &app;
  SetConsoleCtrlHandler(on_console, TRUE);
  if (const UniqueHandle ready(
          OpenEventW(EVENT_MODIFY_STATE, FALSE, to_wide(names->ready).c_str()));
      ready)
    SetEvent(ready.get());
  app.run();
  running_app = nullptr;
  return kDone;
}

int command_start(bool allow_elevated) {
  if (refuse_elevated(allow_elevated)) return kNotAllowed;
  const auto names = instance_names();
  if (!names) return refuse(kSetUpFailed, names.error().message);
  if (is_running(*names)) {
    std::puts("the shim runs already");
    return kDone;
  }
  const UniqueHandle ready(CreateEventW(nullptr, TRUE, FALSE, to_wide(names->ready).c_str()));
  if (!ready) return refuse(kSetUpFailed, windows_error("make an event", GetLastError()).message);
  std::vector<std::string> argv{this_program(), "run", "--background"};
  if (allow_elevated) argv.emplace_back("--allow-elevated");
  const auto shim = start_child(argv, {}, {.outlives_us = true});
  if (!shim) return refuse(kSetUpFailed, shim.error().message);
  if (shim->in_our_job)
    std::fputs("causeway: the shim ends with the session or program that runs this command\n",
               stderr);
  const HANDLE waits[2] = {ready.get(), shim->process.get()};
  const auto ended = WaitForMultipleObjects(2, waits, FALSE, kStartMs);
  if (ended == WAIT_OBJECT_0) {
    std::puts("the shim is started; `causeway.exe status` tells how far it is");
    return kDone;
  }
  if (ended == WAIT_TIMEOUT) return refuse(kTimedOut, "the shim is not there yet");
  DWORD code = kSetUpFailed;
  GetExitCodeProcess(shim->process.get(), &code);
  if (code == kOtherRuns) return kDone;  // another start was faster
  return refuse(static_cast<int>(code), "the shim ended at once with exit code " +
                                            std::to_string(code) +
                                            "; `causeway.exe run` shows why");
}

int command_stop() {
  const auto asked = ask(Json::object({{"command", "stop"}}));
  if (asked.code != kDone) return asked.code;
  const auto pid = static_cast<DWORD>(asked.answer["pid"].int_or(0));
  const UniqueHandle process(OpenProcess(SYNCHRONIZE, FALSE, pid));
  if (process && WaitForSingleObject(process.get(), kStopMs) != WAIT_OBJECT_0)
    return refuse(kTimedOut, "the shim has not ended yet");
  std::puts("stopped");
  return kDone;
}

int command_status(bool json) {
  const auto asked = ask(Json::object({{"command", "status"}}));
  if (asked.code != kDone) return asked.code;
  std::puts(json ? asked.answer.dump().c_str() : status_screen(asked.answer).c_str());
  return is_connected(asked.answer) ? kDone : kNo;
}

int command_install_autostart() {
  const auto program = beside_us("causewayw.exe");
  if (GetFileAttributesW(to_wide(program).c_str()) == INVALID_FILE_ATTRIBUTES)
    return refuse(kSetUpFailed, program + " is missing: it is what starts without a window");
  if (auto done = install_autostart(program); !done)
    return refuse(kSetUpFailed, done.error().message);
  std::puts("the shim starts at each logon of this user");
  return kDone;
}

int command_remove_autostart() {
  const auto removed = remove_autostart();
  if (!removed) return refuse(kSetUpFailed, removed.error().message);
  std::puts(*removed ? "the shim starts no more at logon" : "it did not start at logon");
  return kDone;
}

int command_distro_list(bool json) {
  const auto names = instance_names();
  if (!names) return refuse(kSetUpFailed, names.error().message);
  auto answer = ask_shim(names->control_pipe, R"({"command":"status"})");
  auto status = answer ? Json::parse(*answer) : Result<Json>(answer.error());
  if (!status) {
    // Without a shim: what the registry and our own file say.
    const auto distros = list_distros();
    if (!distros) return refuse(kSetUpFailed, distros.error().message);
    const auto paths = find_paths();
    const auto text = paths ? read_file(paths->distros) : Result<std::string>(paths.error());
    const auto enabled =
        text ? parse_enabled(*text) : Result<std::vector<std::string>>(text.error());
    std::vector<EnabledDistros::Shown> shown;
    for (const auto& distro : *distros) {
      EnabledDistros::Shown entry{distro.name, false, "off", "", 0};
      if (enabled)
        for (const auto& name : *enabled)
          entry.enabled = entry.enabled || same_name(name, distro.name);
      if (entry.enabled) entry.reason = "the shim doesn't run";
      shown.push_back(std::move(entry));
    }
    status = to_json({}, shown, {});
  }
  if (json)
    std::puts((*status)["distros"].dump().c_str());
  else
    std::fputs(distro_screen(*status).c_str(), stdout);
  return kDone;
}

int command_distro(const std::string& name, bool enable) {
  const auto asked = ask(Json::object({{"command", "distro"}, {"name", name}, {"enable", enable}}));
  if (asked.code != kDone) return asked.code;
  std::printf("%s is %s\n", asked.answer["name"].string_or(name).c_str(),
              enable ? "enabled: docker works in it while the engine runs" : "disabled");
  if (const auto* warning = asked.answer["warning"].as_string())
    std::fprintf(stderr, "causeway: %s\n", warning->c_str());
  return kDone;
}

int command_version() {
  std::printf("causeway %s (Windows)\n", CAUSEWAY_VERSION);
  return kDone;
}

}  // namespace causeway::shim::app
