// Starts programs: nothing else in the Windows program calls CreateProcess. Who starts one says
// where its handles lead and whether it outlives us. The rest is the same for all:
//
// - A program named without a folder is looked for in the system's folder, then in the absolute
//   folders of PATH. Never in the current one, where CreateProcess itself would look: anybody's
//   program could lie there.
// - It works in the system's folder: the one we were called in can be removed meanwhile.
// - It inherits its three handles and no other, and gets no window.
// - It is in a job that kills it and what it starts, at the latest when we end, however that comes;
//   it runs nothing before it is in there.
#pragma once

#include <windows.h>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "windows/unique_handle.h"

namespace causeway::shim {

struct ChildStdio {
  struct Nothing {};  // the device NUL
  struct Pipe {};     // our end is in the ChildProcess
  struct Text {       // what it reads, up to the end; the pipe holds all of it
    std::string bytes;
  };
  struct File {  // stays the caller's
    HANDLE handle = nullptr;
  };
  std::variant<Nothing, Pipe, Text> input;
  std::variant<Nothing, Pipe, File> output;
  std::variant<Nothing, Pipe, File> errors;
};

struct ChildOptions {
  // Set on top of our own environment.
  std::vector<std::pair<std::string, std::string>> variables;
  // It is in no job of ours, and has no console. It leaves the job that we are in (of an SSH
  // session, of an editor), if that allows it.
  bool outlives_us = false;
};

struct ChildProcess {
  UniqueHandle process;
  UniqueHandle input;  // our ends of pipes, overlapped
  UniqueHandle output;
  UniqueHandle errors;
  UniqueHandle job;  // closed: everything in it is killed. None when it outlives us
  std::uint32_t pid = 0;
  bool in_our_job = false;  // in the one that we are in: whoever ends that ends it, too
};

// `argv` is not empty.
Result<ChildProcess> start_child(const std::vector<std::string>& argv, const ChildStdio& stdio,
                                 const ChildOptions& options = {});

// What it has printed into the pipe of its output and nobody has read; at most 64 KiB, which is
// what that pipe holds. Doesn't wait.
std::string printed(const ChildProcess& child);

}  // namespace causeway::shim
