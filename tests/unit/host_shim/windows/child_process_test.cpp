#include "windows/child_process.h"

#include <doctest/doctest.h>

#include <string>

#include "windows/windows_text.h"

using namespace causeway;
using namespace causeway::shim;

namespace {

constexpr DWORD kLongMs = 30'000;
// Of this program, doctest's: it prints a line and runs no test.
constexpr const char* kSayWhoYouAre = "--version";

std::string this_program() {
  wchar_t path[MAX_PATH]{};
  return to_utf8({path, GetModuleFileNameW(nullptr, path, MAX_PATH)});
}

std::string system_folder() {
  wchar_t path[MAX_PATH]{};
  return to_utf8({path, GetSystemDirectoryW(path, MAX_PATH)});
}

// A folder of its own with a copy of this program in it; the current folder is restored.
class Planted {
 public:
  explicit Planted(const std::string& name) {
    wchar_t path[MAX_PATH]{};
    GetTempPathW(MAX_PATH, path);
    folder_ = to_utf8(path) + "causeway_" + std::to_string(GetCurrentProcessId());
    CreateDirectoryW(to_wide(folder_).c_str(), nullptr);
    file_ = folder_ + "\\" + name;
    REQUIRE(CopyFileW(to_wide(this_program()).c_str(), to_wide(file_).c_str(), FALSE) != 0);
    before_.resize(GetCurrentDirectoryW(MAX_PATH, path));
    before_ = path;
  }
  ~Planted() {
    SetCurrentDirectoryW(before_.c_str());
    DeleteFileW(to_wide(file_).c_str());
    RemoveDirectoryW(to_wide(folder_).c_str());
  }
  const std::string& folder() const { return folder_; }
  const std::string& file() const { return file_; }

 private:
  std::string folder_;
  std::string file_;
  std::wstring before_;
};

// PATH with something in front.
class Path {
 public:
  explicit Path(const std::string& first) : before_(32'768, L'\0') {
    before_.resize(GetEnvironmentVariableW(L"PATH", before_.data(), 32'768));
    SetEnvironmentVariableW(L"PATH", (to_wide(first + ";") + before_).c_str());
  }
  ~Path() { SetEnvironmentVariableW(L"PATH", before_.c_str()); }

 private:
  std::wstring before_;
};

// What it prints, to its end.
std::string output_of(const std::vector<std::string>& argv, const ChildOptions& options = {}) {
  const auto child = start_child(argv, {.output = ChildStdio::Pipe{}}, options);
  REQUIRE_MESSAGE(child.ok(), (child.ok() ? "" : child.error().message));
  REQUIRE(WaitForSingleObject(child->process.get(), kLongMs) == WAIT_OBJECT_0);
  return printed(*child);
}

bool prints_as_we_do(const std::vector<std::string>& argv) {
  return output_of(argv).find("doctest") != std::string::npos;
}

}  // namespace

TEST_CASE("host_shim/windows/child_process: a program in the current folder is never run") {
  const Planted planted("causeway_planted.exe");
  REQUIRE(SetCurrentDirectoryW(to_wide(planted.folder()).c_str()) != 0);
  CHECK(prints_as_we_do({planted.file(), kSayWhoYouAre}));  // it would run
  for (const char* path : {"C:\\nothing", ".", "", ".\\", "\\"}) {
    CAPTURE(path);
    const Path changed(path);
    for (const char* name : {"causeway_planted", "causeway_planted.exe"}) {
      const auto child = start_child({name, kSayWhoYouAre}, {});
      REQUIRE(!child.ok());
      CHECK(child.error().code == ERROR_FILE_NOT_FOUND);
      CHECK(child.error().message.starts_with("start " + std::string(name) + ": find "));
    }
  }
  const Path with_it(planted.folder());
  CHECK(prints_as_we_do({"causeway_planted", kSayWhoYouAre}));
}

TEST_CASE("host_shim/windows/child_process: the system's folder comes before PATH") {
  const Planted planted("hostname.exe");
  const Path changed(planted.folder());
  CHECK(prints_as_we_do({planted.file(), kSayWhoYouAre}));
  CHECK(!prints_as_we_do({"hostname", kSayWhoYouAre}));
}

TEST_CASE("host_shim/windows/child_process: it works in the system's folder") {
  const auto told = output_of({"cmd", "/c", "cd"});
  CHECK(CompareStringOrdinal(to_wide(told).c_str(), -1, to_wide(system_folder() + "\r\n").c_str(),
                             -1, TRUE) == CSTR_EQUAL);
}

TEST_CASE("host_shim/windows/child_process: its variables stand over ours") {
  const ChildOptions options{.variables = {{"CAUSEWAY_TEST", "told"}}};
  SetEnvironmentVariableW(L"CAUSEWAY_TEST", L"ours");
  CHECK(output_of({"cmd", "/c", "echo", "%CAUSEWAY_TEST%"}, options) == "told\r\n");
  CHECK(output_of({"cmd", "/c", "echo", "%CAUSEWAY_TEST%"}) == "ours\r\n");
  SetEnvironmentVariableW(L"CAUSEWAY_TEST", nullptr);
}

TEST_CASE("host_shim/windows/child_process: a text as its input, a file for what it prints") {
  const Planted planted("any.exe");
  const UniqueHandle file(CreateFileW(to_wide(planted.folder() + "\\printed").c_str(),
                                      GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr,
                                      CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, nullptr));
  REQUIRE(file);
  const ChildStdio::File to{file.get()};
  const auto run = [](const std::vector<std::string>& argv, const ChildStdio& stdio) {
    const auto child = start_child(argv, stdio);
    REQUIRE(child.ok());
    REQUIRE(WaitForSingleObject(child->process.get(), kLongMs) == WAIT_OBJECT_0);
  };
  // Without the input's end cmd would wait for more.
  run({"cmd", "/q"}, {ChildStdio::Text{"echo one\r\n"}, to, {}});
  run({"cmd", "/c", "echo two 1>&2"}, {{}, {}, to});
  SetFilePointer(file.get(), 0, nullptr, FILE_BEGIN);
  std::string text(4096, '\0');
  DWORD size = 0;
  REQUIRE(ReadFile(file.get(), text.data(), 4096, &size, nullptr) != 0);
  text.resize(size);
  CAPTURE(text);
  CHECK(text.find("one") != std::string::npos);
  CHECK(text.find("two") != std::string::npos);
}

TEST_CASE("host_shim/windows/child_process: it ends with its job") {
  UniqueHandle process;
  {
    auto child = start_child({"cmd", "/c", "pause"}, {.input = ChildStdio::Pipe{}});
    REQUIRE(child.ok());
    CHECK(WaitForSingleObject(child->process.get(), 0) == WAIT_TIMEOUT);
    process = std::move(child->process);
    child->input.reset();
    child->job.reset();
  }
  CHECK(WaitForSingleObject(process.get(), kLongMs) == WAIT_OBJECT_0);
}

TEST_CASE("host_shim/windows/child_process: one that outlives us leaves our job, if it may") {
  const UniqueHandle job(CreateJobObjectW(nullptr, nullptr));
  const auto allow = [&](DWORD flags) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = flags;
    REQUIRE(SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits,
                                    sizeof limits) != 0);
  };
  // This process stays in it: for the rest it changes nothing.
  REQUIRE(AssignProcessToJobObject(job.get(), GetCurrentProcess()) != 0);
  for (const bool may : {false, true}) {
    CAPTURE(may);
    allow(may ? JOB_OBJECT_LIMIT_BREAKAWAY_OK : 0);
    const auto child = start_child({"hostname"}, {}, {.outlives_us = true});
    REQUIRE(child.ok());
    CHECK(!child->job);
    CHECK(child->in_our_job == !may);
    BOOL inside = FALSE;
    REQUIRE(IsProcessInJob(child->process.get(), job.get(), &inside) != 0);
    CHECK((inside != FALSE) == !may);
    CHECK(WaitForSingleObject(child->process.get(), kLongMs) == WAIT_OBJECT_0);
  }
}
