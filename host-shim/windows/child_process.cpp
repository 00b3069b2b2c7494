#include "windows/child_process.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <utility>

#include "windows/pipe_security.h"
#include "windows/windows_text.h"

namespace causeway::shim {
namespace {

constexpr DWORD kBuffer = 64 * 1024;

// One handle of the child, and what we keep of it.
struct Handles {
  UniqueHandle ours;    // overlapped; none when it leads elsewhere
  UniqueHandle theirs;  // inheritable
};

// CreatePipe's pipes can't be overlapped.
Result<Handles> overlapped_pipe(bool child_reads) {
  static std::atomic<unsigned> number{0};
  const auto security = PipeSecurity::for_this_user();
  if (!security) return security.error();
  const std::wstring name = LR"(\\.\pipe\causeway_child.)" +
                            std::to_wstring(GetCurrentProcessId()) + L"." +
                            std::to_wstring(GetTickCount64()) + L"." + std::to_wstring(number++);
  auto attributes = security->attributes();
  Handles pair;
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

Result<Handles> handles_for(ChildStdio::Pipe, bool child_reads) {
  return overlapped_pipe(child_reads);
}

Result<Handles> handles_for(ChildStdio::Nothing, bool child_reads) {
  SECURITY_ATTRIBUTES inheritable{sizeof inheritable, nullptr, TRUE};
  Handles none;
  none.theirs = UniqueHandle(CreateFileW(L"NUL", child_reads ? GENERIC_READ : GENERIC_WRITE,
                                         FILE_SHARE_READ | FILE_SHARE_WRITE, &inheritable,
                                         OPEN_EXISTING, 0, nullptr));
  if (!none.theirs) return windows_error("open NUL", GetLastError());
  return none;
}

Result<Handles> handles_for(const ChildStdio::Text& text, bool) {
  const auto size = static_cast<DWORD>(text.bytes.size());
  SECURITY_ATTRIBUTES inheritable{sizeof inheritable, nullptr, TRUE};
  HANDLE read = nullptr;
  HANDLE write = nullptr;
  if (CreatePipe(&read, &write, &inheritable, size) == 0)
    return windows_error("make a pipe for a child", GetLastError());
  Handles text_pipe;
  text_pipe.theirs = UniqueHandle(read);
  // Not in the list of what the child inherits: it sees the end when this one is closed.
  const UniqueHandle writer(write);
  DWORD written = 0;
  if (WriteFile(writer.get(), text.bytes.data(), size, &written, nullptr) == 0 || written != size)
    return windows_error("fill a pipe for a child", GetLastError());
  return text_pipe;
}

Result<Handles> handles_for(ChildStdio::File file, bool) {
  HANDLE copy = nullptr;
  if (DuplicateHandle(GetCurrentProcess(), file.handle, GetCurrentProcess(), &copy, 0, TRUE,
                      DUPLICATE_SAME_ACCESS) == 0)
    return windows_error("share a file with a child", GetLastError());
  Handles shared;
  shared.theirs = UniqueHandle(copy);
  return shared;
}

template <typename Where>
Result<Handles> handles_of(const Where& where, bool child_reads) {
  return std::visit([&](const auto& one) { return handles_for(one, child_reads); }, where);
}

std::wstring system_folder() {
  wchar_t folder[MAX_PATH]{};
  const UINT length = GetSystemDirectoryW(folder, MAX_PATH);
  return std::wstring(folder, length < MAX_PATH ? length : 0);
}

// The system's folder, and the absolute ones of PATH: "." or an empty entry is the current folder.
std::wstring searched_folders() {
  std::wstring path(32'768, L'\0');
  const DWORD length = GetEnvironmentVariableW(L"PATH", path.data(), 32'768);
  path.resize(length < path.size() ? length : 0);
  std::wstring folders = system_folder();
  for (std::size_t at = 0; at < path.size();) {
    const auto end = std::min(path.find(L';', at), path.size());
    const auto entry = std::wstring_view(path).substr(at, end - at);
    const bool drive =
        entry.size() > 2 && entry[1] == L':' && (entry[2] == L'\\' || entry[2] == L'/');
    if (drive || entry.starts_with(LR"(\\)")) (folders += L';') += entry;
    at = end + 1;
  }
  return folders;
}

Result<std::wstring> find_program(const std::string& name) {
  const auto wide = to_wide(name);
  if (name.find_first_of("/\\:") != std::string::npos) return wide;
  wchar_t found[MAX_PATH]{};
  const DWORD size =
      SearchPathW(searched_folders().c_str(), wide.c_str(), L".exe", MAX_PATH, found, nullptr);
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
  for (const auto& [name, value] : variables)
    block.append(name).append(L"=").append(value).push_back(L'\0');
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

bool in_a_job() {
  BOOL inside = FALSE;
  return IsProcessInJob(GetCurrentProcess(), nullptr, &inside) != 0 && inside != FALSE;
}

}  // namespace

Result<ChildProcess> start_child(const std::vector<std::string>& argv, const ChildStdio& stdio,
                                 const ChildOptions& options) {
  const std::string what = "start " + argv.front();
  auto program = find_program(argv.front());
  if (!program) return std::move(program).error().with(what);
  auto input = handles_of(stdio.input, true);
  if (!input) return std::move(input).error().with(what);
  auto output = handles_of(stdio.output, false);
  if (!output) return std::move(output).error().with(what);
  auto errors = handles_of(stdio.errors, false);
  if (!errors) return std::move(errors).error().with(what);
  auto job = options.outlives_us ? Result<UniqueHandle>(UniqueHandle()) : make_job();
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
  auto variables = environment(options.variables);
  const auto folder = system_folder();
  // Suspended until it is in its job.
  const DWORD flags = CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT |
                      (options.outlives_us ? DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP
                                           : CREATE_NO_WINDOW | CREATE_SUSPENDED);
  PROCESS_INFORMATION made{};
  const auto create = [&](DWORD more) {
    return CreateProcessW(program->c_str(), command.data(), nullptr, nullptr, TRUE, flags | more,
                          variables.data(), folder.c_str(), &startup.StartupInfo, &made) != 0;
  };
  const bool in_job = in_a_job();
  const bool left = options.outlives_us && in_job && create(CREATE_BREAKAWAY_FROM_JOB);
  if (!left && !create(0)) return windows_error(what, GetLastError());
  ChildProcess child;
  child.process = UniqueHandle(made.hProcess);
  const UniqueHandle thread(made.hThread);
  child.pid = made.dwProcessId;
  child.in_our_job = in_job && !left;
  if (*job) {
    if (AssignProcessToJobObject(job->get(), made.hProcess) == 0) {
      auto error = windows_error(what + ": put it into its job", GetLastError());
      TerminateProcess(made.hProcess, 1);
      return error;
    }
    ResumeThread(made.hThread);
  }
  child.input = std::move(input->ours);
  child.output = std::move(output->ours);
  child.errors = std::move(errors->ours);
  child.job = *std::move(job);
  return child;
}

std::string printed(const ChildProcess& child) {
  std::string text(kBuffer, '\0');
  DWORD size = 0;
  if (!child.output ||
      PeekNamedPipe(child.output.get(), text.data(), kBuffer, &size, nullptr, nullptr) == 0)
    size = 0;
  text.resize(size);
  return text;
}

}  // namespace causeway::shim
