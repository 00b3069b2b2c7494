#include "app/enabled_distros.h"

#include <windows.h>

#include <algorithm>
#include <array>

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
constexpr std::size_t kMostListed = std::size_t{64} * 1024;

UniqueHandle inherited(UniqueHandle handle) {
  if (handle) SetHandleInformation(handle.get(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
  return handle;
}

UniqueHandle open_log(const std::string& folder, const std::string& distro) {
  std::string name;
  for (const char c : distro)
    name += std::string_view("<>:\"/\\|?*").find(c) == std::string_view::npos && c >= ' ' ? c : '_';
  const std::wstring path = to_wide(folder + "\\distro-" + name + ".log");
  WIN32_FILE_ATTRIBUTE_DATA facts{};
  if (GetFileAttributesExW(path.c_str(), GetFileExInfoStandard, &facts) != 0 &&
      (facts.nFileSizeHigh > 0 || facts.nFileSizeLow > kLogLimit))
    MoveFileExW(path.c_str(), (path + L".1").c_str(), MOVEFILE_REPLACE_EXISTING);
  return inherited(UniqueHandle(CreateFileW(path.c_str(), FILE_APPEND_DATA,
                                            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                            nullptr, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr)));
}

struct Pipe {
  UniqueHandle read;
  UniqueHandle write;
};
Pipe make_pipe(DWORD size) {
  HANDLE read = nullptr;
  HANDLE write = nullptr;
  if (CreatePipe(&read, &write, nullptr, size) == 0) return {};
  return {UniqueHandle(read), UniqueHandle(write)};
}

// Only these handles are inherited. The process is suspended until it is in its job.
Result<UniqueHandle> start_in_job(const std::vector<std::string>& argv, HANDLE input, HANDLE output,
                                  HANDLE job, std::uint32_t* pid) {
  std::vector<HANDLE> handles{input, output};
  SIZE_T size = 0;
  InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
  std::vector<char> memory(size);
  STARTUPINFOEXW start{};
  start.StartupInfo.cb = sizeof(start);
  start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  start.StartupInfo.hStdInput = input;
  start.StartupInfo.hStdOutput = output;
  start.StartupInfo.hStdError = output;
  start.lpAttributeList = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory.data());
  if (InitializeProcThreadAttributeList(start.lpAttributeList, 1, 0, &size) == 0 ||
      UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                handles.data(), handles.size() * sizeof(HANDLE), nullptr,
                                nullptr) == 0)
    return windows_error("prepare " + argv[0], GetLastError());
  std::wstring line = to_wide(join_arguments(argv));
  PROCESS_INFORMATION made{};
  const BOOL done =
      CreateProcessW(nullptr, line.data(), nullptr, nullptr, TRUE,
                     CREATE_NO_WINDOW | CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT, nullptr,
                     nullptr, &start.StartupInfo, &made);
  const auto code = GetLastError();
  DeleteProcThreadAttributeList(start.lpAttributeList);
  if (done == 0) return windows_error("start " + argv[0], code);
  UniqueHandle process(made.hProcess);
  const UniqueHandle thread(made.hThread);
  AssignProcessToJobObject(job, process.get());
  ResumeThread(thread.get());
  *pid = made.dwProcessId;
  return process;
}

UniqueHandle make_job() {
  UniqueHandle job(CreateJobObjectW(nullptr, nullptr));
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (job)
    SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits, sizeof(limits));
  return job;
}

// What `wsl.exe --list --running --quiet` says, one name a line; WSL_UTF8=1 is in the environment.
std::vector<std::string> running_distros(const std::string& wsl) {
  auto output = make_pipe(kMostListed);
  auto nothing = inherited(UniqueHandle(
      CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr)));
  output.write = inherited(std::move(output.write));
  const auto job = make_job();
  if (!output.read || !nothing || !job) return {};
  std::uint32_t pid = 0;
  const auto process = start_in_job({wsl, "--list", "--running", "--quiet"}, nothing.get(),
                                    output.write.get(), job.get(), &pid);
  output.write.reset();
  // What it prints fits into the pipe: it need not be read meanwhile.
  if (!process || WaitForSingleObject(process->get(), kLookLimitMs) != WAIT_OBJECT_0) return {};
  std::string text(kMostListed, '\0');
  DWORD size = 0;
  ReadFile(output.read.get(), text.data(), static_cast<DWORD>(text.size()), &size, nullptr);
  text.resize(size);
  std::vector<std::string> out;
  std::string name;
  for (const char c : text + "\n") {
    if (c == '\n') {
      if (!name.empty()) out.push_back(std::exchange(name, {}));
    } else if (c != '\r' && c != '\0') {
      name += c;
    }
  }
  return out;
}

}  // namespace

struct EnabledDistros::Helper {
  enum class State { off, running, waiting, undone, stopped };
  std::string name;
  State state = State::off;
  std::string reason;
  std::uint64_t run = 0;  // which start this is: what comes late of an earlier one is ignored
  std::uint64_t started_ms = 0;
  std::uint32_t delay_ms = kFirstDelayMs;
  std::uint32_t pid = 0;
  UniqueHandle job;
  UniqueHandle process;
  HANDLE wait = nullptr;
  ~Helper() { end(); }
  void end() {
    if (wait != nullptr) UnregisterWaitEx(std::exchange(wait, nullptr), INVALID_HANDLE_VALUE);
    job.reset();
    process.reset();
    pid = 0;
  }
};

namespace {
// For the thread of the system that tells of a process's end.
struct EndNotice {
  MainWindow* window;
  std::function<void()> action;
};
void CALLBACK on_process_end(void* context, BOOLEAN) {
  const std::unique_ptr<EndNotice> notice(static_cast<EndNotice*>(context));
  notice->window->post(std::move(notice->action));
}
}  // namespace

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
  helper.end();
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
  events_.log("helper.started distro=" + helper.name + " pid=" + std::to_string(helper.pid));
}

Status EnabledDistros::launch(Helper& helper) {
  auto input = make_pipe(static_cast<DWORD>(options_.script.size()));
  auto log = open_log(options_.log_folder, helper.name);
  helper.job = make_job();
  if (!input.write || !log || !helper.job)
    return windows_error("prepare the helper", GetLastError());
  DWORD written = 0;
  // The pipe holds all of it: nobody has to read yet.
  WriteFile(input.write.get(), options_.script.data(), static_cast<DWORD>(options_.script.size()),
            &written, nullptr);
  input.write.reset();
  input.read = inherited(std::move(input.read));
  std::vector<std::string> argv{options_.wsl, "-d",      helper.name, "-u", "root",
                                "--exec",     "/bin/sh", "-s",        "--"};
  const auto distros = list_distros();
  const Distro* distro = distros ? find_distro(*distros, helper.name) : nullptr;
  if (distro != nullptr && distro->default_uid != 0) {
    argv.emplace_back("--user");
    argv.push_back(std::to_string(distro->default_uid));
  }
  auto process = start_in_job(argv, input.read.get(), log.get(), helper.job.get(), &helper.pid);
  if (!process) return std::move(process).error();
  helper.process = std::move(*process);
  auto notice =
      std::make_unique<EndNotice>(EndNotice{&window_, [this, name = helper.name, run = helper.run,
                                                       alive = std::weak_ptr<int>(lifetime_)] {
                                              if (!alive.expired()) ended(name, run);
                                            }});
  if (RegisterWaitForSingleObject(&helper.wait, helper.process.get(), on_process_end, notice.get(),
                                  INFINITE, WT_EXECUTEONLYONCE) == 0)
    return windows_error("wait for the helper", GetLastError());
  (void)notice.release();  // the callback's
  return Ok{};
}

void EnabledDistros::ended(const std::string& name, std::uint64_t run) {
  Helper* helper = find(name);
  if (helper == nullptr || helper->run != run) return;
  DWORD code = 0;
  GetExitCodeProcess(helper->process.get(), &code);
  helper->end();
  events_.log("helper.ended distro=" + name + " code=" + std::to_string(code));
  if (code == 0) {
    helper->state = Helper::State::undone;
    helper->reason = "disabled in Linux: `causeway distro enable " + name + "` integrates it again";
    return;
  }
  const std::string reason = "the helper ended with exit code " + std::to_string(code) +
                             "; see distro-" + name + ".log beside the shim's log";
  helper->state = Helper::State::waiting;
  helper->reason = reason;
  events_.ask_stopped(
      name, [this, name, run, reason, alive = std::weak_ptr<int>(lifetime_)](bool stopped) {
        Helper* asked = alive.expired() ? nullptr : find(name);
        if (asked == nullptr || asked->run != run) return;
        if (!stopped) return back_off(*asked, reason);
        asked->state = Helper::State::stopped;
        asked->reason = "the distro was stopped; its integration starts with its next use";
        watch_running();
      });
}

void EnabledDistros::back_off(Helper& helper, std::string reason) {
  helper.state = Helper::State::waiting;
  helper.reason = std::move(reason);
  if (helper.started_ms != 0 && GetTickCount64() - helper.started_ms > kHealthyMs)
    helper.delay_ms = kFirstDelayMs;
  const auto delay = helper.delay_ms;
  helper.delay_ms = std::min(2 * helper.delay_ms, kLongestDelayMs);
  window_.after(
      delay, [this, name = helper.name, run = helper.run, alive = std::weak_ptr<int>(lifetime_)] {
        Helper* again = alive.expired() ? nullptr : find(name);
        if (again != nullptr && again->run == run && again->state == Helper::State::waiting &&
            engine_there_)
          start(*again);
      });
}

void EnabledDistros::watch_running() {
  if (std::exchange(watching_, true)) return;
  window_.after(kLookMs, [this, alive = std::weak_ptr<int>(lifetime_)] {
    if (!alive.expired()) look_at_running();
  });
}

void EnabledDistros::look_at_running() {
  watching_ = false;
  const auto waits = [](const auto& item) { return item.second->state == Helper::State::stopped; };
  if (std::none_of(helpers_.begin(), helpers_.end(), waits)) return;
  if (engine_there_)
    for (const auto& name : running_distros(options_.wsl))
      if (Helper* helper = find(name); helper != nullptr && helper->state == Helper::State::stopped)
        start(*helper);
  watch_running();
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
    at->pid = helper->pid;
  }
  return out;
}

}  // namespace causeway::shim::app
