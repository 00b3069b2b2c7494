#include "app/enabled_distros.h"

#include <windows.h>

#include <algorithm>
#include <array>

#include "base/exit_code.h"
#include "base/text.h"
#include "link/attach_line_reader.h"
#include "log_line.h"
#include "windows/child_process.h"
#include "windows/process_watch.h"
#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

constexpr std::uint32_t kFirstDelayMs = 1'000;
constexpr std::uint32_t kLongestDelayMs = 60'000;
// One that lived so long has worked: the next delay is the first one again.
constexpr std::uint64_t kHealthyMs = 60'000;
// Nothing tells that a distro was started by its user. Only looked at while one that is enabled is
// stopped; `--list --running` starts nothing.
constexpr std::uint32_t kLookMs = 5'000;
constexpr DWORD kLookLimitMs = 10'000;
constexpr LONGLONG kLogLimit = 1 << 20;
constexpr LONGLONG kMostLastLine = 4096;

std::wstring log_path(const std::string& folder, const std::string& distro) {
  std::string name;
  for (const char c : distro)
    name += std::string_view("<>:\"/\\|?*").find(c) == std::string_view::npos && c >= ' ' ? c : '_';
  return to_wide(folder + "\\distro-" + name + ".log");
}

UniqueHandle open_log(const std::string& folder, const std::string& distro) {
  const auto path = log_path(folder, distro);
  WIN32_FILE_ATTRIBUTE_DATA facts{};
  if (GetFileAttributesExW(path.c_str(), GetFileExInfoStandard, &facts) != 0 &&
      (facts.nFileSizeHigh > 0 || facts.nFileSizeLow > kLogLimit))
    MoveFileExW(path.c_str(), (path + L".1").c_str(), MOVEFILE_REPLACE_EXISTING);
  return UniqueHandle(CreateFileW(path.c_str(), FILE_APPEND_DATA,
                                  FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                  OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr));
}

// What the helper has said last, without "causeway: " in front; empty when it can't be read.
std::string last_line(const std::wstring& path) {
  const UniqueHandle file(CreateFileW(path.c_str(), GENERIC_READ,
                                      FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                      nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr));
  LARGE_INTEGER size{};
  if (!file || GetFileSizeEx(file.get(), &size) == 0) return {};
  LARGE_INTEGER from{};
  from.QuadPart = std::max<LONGLONG>(0, size.QuadPart - kMostLastLine);
  std::string end(static_cast<std::size_t>(size.QuadPart - from.QuadPart), '\0');
  DWORD read = 0;
  if (SetFilePointerEx(file.get(), from, nullptr, FILE_BEGIN) == 0 ||
      ReadFile(file.get(), end.data(), static_cast<DWORD>(end.size()), &read, nullptr) == 0)
    return {};
  end.resize(read);
  std::erase(end, '\0');  // of wsl.exe's own texts, which may be UTF-16
  std::string_view line = text::trim(end);
  line = text::trim(line.substr(line.rfind('\n') + 1));
  constexpr std::string_view kPrefix = "causeway: ";
  if (line.starts_with(kPrefix)) line.remove_prefix(kPrefix.size());
  return to_utf8(to_wide(line.substr(0, 900)));  // whole characters
}

// The helper's own codes for "it can't be", and a shell's for a program that it can't start. Others
// are of its end by the distro's, or by a signal.
bool could_not_start(DWORD code) {
  constexpr std::array<DWORD, 6> kCodes{kNotAllowed, kUsage, kInternal, kSetUpFailed, 126, 127};
  return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

}  // namespace

// One wsl.exe, and who hears of its end; ended with it.
struct EnabledDistros::Child {
  ChildProcess process;
  std::unique_ptr<ProcessWatch> watch;
};

struct EnabledDistros::Helper {
  enum class State { off, running, waiting, undone, stopped };
  std::string name;
  State state = State::off;
  std::string reason;
  std::uint64_t run = 0;  // which start this is: what comes late of an earlier one is ignored
  std::uint64_t started_ms = 0;
  std::uint32_t delay_ms = kFirstDelayMs;
  std::unique_ptr<Child> child;
};

EnabledDistros::EnabledDistros(MainWindow& window, Options options, Events events)
    : window_(window), options_(std::move(options)), events_(std::move(events)) {}

EnabledDistros::~EnabledDistros() = default;

EnabledDistros::Helper* EnabledDistros::find(const std::string& name) {
  for (const auto& [known, helper] : helpers_)
    if (same_name(known, name)) return helper.get();
  return nullptr;
}

void EnabledDistros::set_enabled(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (find(name) != nullptr) continue;
    auto helper = std::make_unique<Helper>();
    helper->name = name;
    auto& added = *helpers_.emplace(name, std::move(helper)).first->second;
    if (engine_there_) start(added);
  }
  std::erase_if(helpers_, [&](const auto& item) {
    return std::none_of(names.begin(), names.end(),
                        [&](const std::string& name) { return same_name(name, item.first); });
  });
}

std::vector<std::string> EnabledDistros::enabled() const {
  std::vector<std::string> out;
  for (const auto& [name, helper] : helpers_) out.push_back(name);
  return out;
}

void EnabledDistros::engine_there(bool there) {
  if (std::exchange(engine_there_, there) == there || !there) return;
  for (const auto& [name, helper] : helpers_)
    if (helper->state == Helper::State::off || helper->state == Helper::State::waiting)
      start(*helper);
}

std::string EnabledDistros::want(const std::string& name) {
  Helper* helper = find(name);
  if (helper == nullptr)
    return "it is not enabled in Windows: `causeway.exe distro enable " + name + "`";
  if (helper->state != Helper::State::running) start(*helper);
  return helper->state == Helper::State::running ? "" : helper->reason;
}

void EnabledDistros::forget(const std::string& name) {
  std::erase_if(helpers_, [&](const auto& item) { return same_name(name, item.first); });
}

void EnabledDistros::start(Helper& helper) {
  helper.child.reset();
  helper.run = next_run_++;
  const auto distros = list_distros();
  const Distro* distro = distros ? find_distro(*distros, helper.name) : nullptr;
  if (distro == nullptr || !distro->usable()) {
    helper.state = Helper::State::off;
    helper.reason = distro == nullptr ? "there is no such WSL distro"
                                      : "it is no WSL 2 distro, or is being installed";
    return;
  }
  if (auto launched = launch(helper); !launched) return back_off(helper, launched.error().message);
  helper.state = Helper::State::running;
  helper.reason.clear();
  helper.started_ms = GetTickCount64();
  events_.log(
      log_line("helper.started", {{"distro", helper.name}, {"pid", helper.child->process.pid}}));
}

Status EnabledDistros::launch(Helper& helper) {
  const auto log = open_log(options_.log_folder, helper.name);
  if (!log) return windows_error("open the log of the helper", GetLastError());
  std::vector<std::string> argv{options_.wsl, "-d",      helper.name, "-u", "root",
                                "--exec",     "/bin/sh", "-s",        "--"};
  const auto distros = list_distros();
  const Distro* distro = distros ? find_distro(*distros, helper.name) : nullptr;
  if (distro != nullptr && distro->default_uid != 0) {
    argv.emplace_back("--user");
    argv.push_back(std::to_string(distro->default_uid));
  }
  const ChildStdio::File file{log.get()};
  auto child =
      start_watched(argv, {ChildStdio::Text{options_.script}, file, file}, INFINITE,
                    [this, name = helper.name, run = helper.run](bool) { ended(name, run); });
  if (!child) return std::move(child).error();
  helper.child = *std::move(child);
  return Ok{};
}

Result<std::unique_ptr<EnabledDistros::Child>> EnabledDistros::start_watched(
    const std::vector<std::string>& argv, const ChildStdio& stdio, std::uint32_t limit_ms,
    std::function<void(bool)> over) {
  auto started = start_child(argv, stdio);
  if (!started) return std::move(started).error();
  auto child = std::make_unique<Child>();
  child->process = *std::move(started);
  auto watch = ProcessWatch::start(child->process.process.get(), limit_ms,
                                   [&window = window_, over = lifetime_.guard(std::move(over))](
                                       bool done) { window.post([over, done] { over(done); }); });
  if (!watch) return std::move(watch).error();
  child->watch = *std::move(watch);
  return child;
}

void EnabledDistros::ended(const std::string& name, std::uint64_t run) {
  Helper* helper = find(name);
  if (helper == nullptr || helper->run != run) return;
  DWORD code = 0;
  GetExitCodeProcess(helper->child->process.process.get(), &code);
  helper->child.reset();
  events_.log(log_line("helper.ended", {{"distro", name}, {"code", code}}));
  if (code == 0) {
    helper->state = Helper::State::undone;
    helper->reason = "disabled in Linux: `causeway distro enable " + name + "` integrates it again";
    return;
  }
  const auto said =
      could_not_start(code) ? last_line(log_path(options_.log_folder, name)) : std::string();
  const std::string reason = "the helper ended with exit code " + std::to_string(code) +
                             (said.empty() ? "" : " (" + said + ")") + "; see distro-" + name +
                             ".log beside the shim's log";
  if (could_not_start(code))
    events_.tell_failed(name,
                        said.empty() ? "it ended with exit code " + std::to_string(code) : said);
  helper->state = Helper::State::waiting;
  helper->reason = reason;
  events_.ask_stopped(name, lifetime_.guard([this, name, run, reason](bool stopped) {
    Helper* asked = find(name);
    if (asked == nullptr || asked->run != run) return;
    if (!stopped) return back_off(*asked, reason);
    asked->state = Helper::State::stopped;
    asked->reason = "the distro was stopped; its integration starts with its next use";
    watch_running();
  }));
}

void EnabledDistros::back_off(Helper& helper, std::string reason) {
  helper.state = Helper::State::waiting;
  helper.reason = std::move(reason);
  if (helper.started_ms != 0 && GetTickCount64() - helper.started_ms > kHealthyMs)
    helper.delay_ms = kFirstDelayMs;
  const auto delay = helper.delay_ms;
  helper.delay_ms = std::min(2 * helper.delay_ms, kLongestDelayMs);
  window_.after(delay, lifetime_.guard([this, name = helper.name, run = helper.run] {
    Helper* again = find(name);
    if (again != nullptr && again->run == run && again->state == Helper::State::waiting &&
        engine_there_)
      start(*again);
  }));
}

void EnabledDistros::watch_running() {
  if (!std::exchange(watching_, true)) look_later();
}

void EnabledDistros::look_later() {
  window_.after(kLookMs, lifetime_.guard([this] { look(); }));
}

void EnabledDistros::look() {
  const auto waits = [](const auto& item) { return item.second->state == Helper::State::stopped; };
  watching_ = std::any_of(helpers_.begin(), helpers_.end(), waits);
  if (!watching_) return;
  if (!engine_there_) return look_later();
  auto child = start_watched({options_.wsl, "--list", "--running", "--quiet"},
                             {.output = ChildStdio::Pipe{}}, kLookLimitMs,
                             [this](bool done) { looked(done); });
  if (!child) {
    events_.log(log_line("distros.not_listed", {{"error", child.error().message}}));
    return look_later();
  }
  looking_ = *std::move(child);
}

void EnabledDistros::looked(bool done) {
  const auto child = std::move(looking_);
  // What it prints fits into the pipe: it is read when all of it is there.
  const auto running =
      done ? link::console_lines(printed(child->process)) : std::vector<std::string>{};
  for (const auto& name : running)
    if (Helper* helper = find(name);
        helper != nullptr && helper->state == Helper::State::stopped && engine_there_)
      start(*helper);
  look_later();
}

std::vector<EnabledDistros::Shown> EnabledDistros::shown() const {
  constexpr std::array<const char*, 5> kStates{"off", "running", "waiting", "undone", "stopped"};
  std::vector<Shown> out;
  const auto distros = list_distros();
  if (distros)
    for (const auto& distro : *distros) out.push_back({distro.name, false, "off", "", 0});
  for (const auto& [name, helper] : helpers_) {
    const auto same = [&known = name](const Shown& entry) { return same_name(entry.name, known); };
    auto at = std::find_if(out.begin(), out.end(), same);
    if (at == out.end()) {
      out.push_back({name, true, "missing", "there is no such WSL distro any more", 0});
      continue;
    }
    at->enabled = true;
    at->state = kStates[static_cast<std::size_t>(helper->state)];
    at->reason = helper->reason;
    at->pid = helper->child ? helper->child->process.pid : 0;
  }
  return out;
}

}  // namespace causeway::shim::app
