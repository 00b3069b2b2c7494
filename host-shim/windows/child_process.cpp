#include "windows/child_process.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <utility>

#include "windows/windows_text.h"

namespace causeway::shim {
namespace {

constexpr DWORD kBuffer = 64 * 1024;

struct PipePair {
  UniqueHandle ours;    // overlapped
  UniqueHandle theirs;  // inheritable
};

// CreatePipe's pipes can't be overlapped.
Result<PipePair> make_pipe(const PipeSecurity& security, bool child_reads) {
  static std::atomic<unsigned> number{0};
  const std::wstring name = LR"(\\.\pipe\causeway_child.)" +
                            std::to_wstring(GetCurrentProcessId()) + L"." +
                            std::to_wstring(GetTickCount64()) + L"." + std::to_wstring(number++);
  auto attributes = security.attributes();
  PipePair pair;
  pair.ours =
      UniqueHandle(CreateNamedPipeW(name.c_str(),
                                    (child_reads ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND) |
                                        FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                    PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                                    kBuffer, kBuffer, 0, &attributes));
  if (!pair.ours) return windows_error("make a pipe for a child", GetLastError());
  SECURITY_ATTRIBUTES inheritable{sizeof inheritable, nullptr, TRUE};
  pair.theirs = UniqueHandle(
      CreateFileW(name.c_str(), child_reads ? GENERIC_READ : GENERIC_WRITE | FILE_READ_ATTRIBUTES,
                  0, &inheritable, OPEN_EXISTING, 0, nullptr));
  if (!pair.theirs) return windows_error("open a pipe for a child", GetLastError());
  return pair;
}

std::wstring system_folder() {
  wchar_t folder[MAX_PATH]{};
  const UINT length = GetSystemDirectoryW(folder, MAX_PATH);
  return std::wstring(folder, length < MAX_PATH ? length : 0);
}

// The current folder is never searched: anybody's program could lie there.
Result<std::wstring> find_program(const std::string& name) {
  const auto wide = to_wide(name);
  if (name.find_first_of("/\\:") != std::string::npos) return wide;
  std::wstring path(32'768, L'\0');
  const DWORD length = GetEnvironmentVariableW(L"PATH", path.data(), 32'768);
  path.resize(length < path.size() ? length : 0);
  const auto folders = system_folder() + L";" + path;
  wchar_t found[MAX_PATH]{};
  const DWORD size = SearchPathW(folders.c_str(), wide.c_str(), L".exe", MAX_PATH, found, nullptr);
  if (size == 0 || size >= MAX_PATH)
    return windows_error("find " + name, size == 0 ? GetLastError() : ERROR_FILENAME_EXCED_RANGE);
  return std::wstring(found, size);
}

struct IgnoreCase {
  bool operator()(const std::wstring& a, const std::wstring& b) const {
    return CompareStringOrdinal(a.c_str(), -1, b.c_str(), -1, TRUE) == CSTR_LESS_THAN;
  }
};

// A block as CreateProcess wants it: sorted, and each name once.
std::wstring environment(const std::vector<std::pair<std::string, std::string>>& extra) {
  std::map<std::wstring, std::wstring, IgnoreCase> variables;
  if (wchar_t* own = GetEnvironmentStringsW(); own != nullptr) {
    for (const wchar_t* at = own; *at != L'\0'; at += std::wstring_view(at).size() + 1) {
      const std::wstring_view entry(at);
      const auto equals = entry.find(L'=', 1);  // "=C:=C:\folder" is one, too
      if (equals != std::wstring_view::npos)
        variables[std::wstring(entry.substr(0, equals))] = entry.substr(equals + 1);
    }
    FreeEnvironmentStringsW(own);
  }
  for (const auto& [name, value] : extra) variables[to_wide(name)] = to_wide(value);
  std::wstring block;
  for (const auto& [name, value] : variables) block.append(name + L"=" + value).push_back(L'\0');
  block.push_back(L'\0');
  return block;
}

Result<UniqueHandle> make_job() {
  UniqueHandle job(CreateJobObjectW(nullptr, nullptr));
  if (!job) return windows_error("make a job", GetLastError());
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (!SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits,
                               sizeof limits))
    return windows_error("let a job kill what is in it", GetLastError());
  return job;
}

// The attribute that says which handles a child inherits, and no others.
class HandleList {
 public:
  explicit HandleList(std::vector<HANDLE> handles) : handles_(std::move(handles)) {
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    memory_ = std::make_unique<char[]>(size);
    list_ = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory_.get());
    ok_ = InitializeProcThreadAttributeList(list_, 1, 0, &size) != 0;
    ok_ = ok_ &&
          UpdateProcThreadAttribute(list_, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles_.data(),
                                    handles_.size() * sizeof(HANDLE), nullptr, nullptr) != 0;
  }
  ~HandleList() { DeleteProcThreadAttributeList(list_); }
  HandleList(const HandleList&) = delete;
  HandleList& operator=(const HandleList&) = delete;
  bool ok() const { return ok_; }
  LPPROC_THREAD_ATTRIBUTE_LIST get() const { return list_; }

 private:
  std::vector<HANDLE> handles_;  // Windows reads it during CreateProcess
  std::unique_ptr<char[]> memory_;
  LPPROC_THREAD_ATTRIBUTE_LIST list_ = nullptr;
  bool ok_ = false;
};

}  // namespace

Result<ChildProcess> start_child(const PipeSecurity& security, const std::vector<std::string>& argv,
                                 const std::vector<std::pair<std::string, std::string>>& extra) {
  const std::string what = "start " + argv.front();
  auto program = find_program(argv.front());
  if (!program) return std::move(program).error().with(what);
  auto input = make_pipe(security, true);
  if (!input) return std::move(input).error().with(what);
  auto output = make_pipe(security, false);
  if (!output) return std::move(output).error().with(what);
  auto errors = make_pipe(security, false);
  if (!errors) return std::move(errors).error().with(what);
  auto job = make_job();
  if (!job) return std::move(job).error().with(what);

  const HandleList inherited({input->theirs.get(), output->theirs.get(), errors->theirs.get()});
  if (!inherited.ok()) return windows_error(what + ": list its handles", GetLastError());
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = input->theirs.get();
  startup.StartupInfo.hStdOutput = output->theirs.get();
  startup.StartupInfo.hStdError = errors->theirs.get();
  startup.lpAttributeList = inherited.get();
  auto command = to_wide(join_arguments(argv));
  auto variables = environment(extra);
  PROCESS_INFORMATION made{};
  // Suspended until it is in the job: it must not start anything outside of it.
  if (!CreateProcessW(program->c_str(), command.data(), nullptr, nullptr, TRUE,
                      CREATE_NO_WINDOW | CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT |
                          EXTENDED_STARTUPINFO_PRESENT,
                      variables.data(), system_folder().c_str(), &startup.StartupInfo, &made))
    return windows_error(what, GetLastError());
  ChildProcess child;
  child.process = UniqueHandle(made.hProcess);
  const UniqueHandle thread(made.hThread);
  child.pid = made.dwProcessId;
  if (!AssignProcessToJobObject(job->get(), made.hProcess)) {
    auto error = windows_error(what + ": put it into its job", GetLastError());
    TerminateProcess(made.hProcess, 1);
    return error;
  }
  ResumeThread(made.hThread);
  child.input = std::move(input->ours);
  child.output = std::move(output->ours);
  child.errors = std::move(errors->ours);
  child.job = *std::move(job);
  return child;
}

}  // namespace causeway::shim
