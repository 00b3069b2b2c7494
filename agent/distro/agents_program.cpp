#include "distro/agents_program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "handover/share_socket.h"

namespace causeway::distro {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20;  // ten times the program's size

Result<std::string> read_all(int fd, const std::string& name) {
  std::string out;
  std::array<char, 65536> block;
  for (;;) {
    const ssize_t n = ::pread(fd, block.data(), block.size(), static_cast<off_t>(out.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read " + name);
    if (n == 0) return out;
    out.append(block.data(), static_cast<std::size_t>(n));
    if (out.size() > kMostBytes) return make_error("read " + name + ": it is too large");
  }
}

// Root's, and nobody else's to write.
bool is_roots_alone(const struct stat& info) {
  return info.st_uid == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

Result<UniqueFd> open_original(const std::string& wsl) {
  const auto bin = handover::open_trusted(wsl, {handover::kRendezvous, "bin"});
  if (!bin) return bin.error();
  const std::string path =
      wsl + "/" + handover::kRendezvous + "/bin/" + std::string(handover::kProgramName);
  UniqueFd fd(
      ::openat(bin->get(), handover::kProgramName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return errno_error("open " + path);
  if (!S_ISREG(info.st_mode) || (info.st_mode & 0111) == 0)
    return make_error(path + " is no program");
  if (!is_roots_alone(info)) return make_error(path + " isn't root's alone: not used");
  return fd;
}

Status copy(const RootFiles& files, std::string_view content) {
  if (auto made = files.make_directory(kProgramDirectory, 0755);
      !made && made.error().code != EEXIST)
    return made;
  const auto there = files.look(kProgramDirectory);
  if (!there) return there.error();
  if (!*there || !S_ISDIR((*there)->st_mode) || !is_roots_alone(**there))
    return make_error(std::string(kProgramDirectory) + " isn't root's alone: not used");
  return files.put(kProgram, content, 0755);
}

bool may_execute(int fd) {
  struct statvfs info {};
  return ::fstatvfs(fd, &info) == 0 && (info.f_flag & ST_NOEXEC) == 0;
}

}  // namespace

Result<std::optional<UniqueFd>> take_agents_program(const RootFiles& files, const std::string& wsl,
                                                    int running) {
  auto original = open_original(wsl);
  if (!original) return std::move(original).error();
  const auto content = read_all(original->get(), "the agent's program");
  if (!content) return content.error();
  const auto own = read_all(running, "this program");
  if (!own) return own.error();
  if (*content == *own) return std::optional<UniqueFd>();
  if (auto done = copy(files, *content); !done) return std::move(done).error();
  auto copied = files.open_at(kProgram, O_RDONLY);
  if (!copied) return std::move(copied).error();
  return std::optional(may_execute(copied->get()) ? *std::move(copied) : *std::move(original));
}

Status become_agents_program(const RootFiles& files, const std::string& wsl) {
  const UniqueFd running(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!running) return errno_error("open this program");
  const auto program = take_agents_program(files, wsl, running.get());
  if (!program) return program.error();
  if (!*program) return Ok{};
  auto line = file::read("/proc/self/cmdline");
  if (!line) return std::move(line).error();
  std::vector<char*> arguments;
  for (std::size_t at = 0; at < line->size(); at = line->find('\0', at) + 1) {
    arguments.push_back(line->data() + at);
    if (line->find('\0', at) == std::string::npos) break;
  }
  arguments.push_back(nullptr);
  log::info("helper.replaced");
  ::syscall(SYS_execveat, (*program)->get(), "", arguments.data(), environ, AT_EMPTY_PATH);
  return errno_error("execute the agent's program");
}

}  // namespace causeway::distro
