#include "cgroups/step.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/file.h"
#include "base/unique_fd.h"

namespace causeway::cgroups {
namespace {

// cgroup files take one write; they are neither created nor truncated.
Status write_existing(const std::string& path, std::string_view content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno_error("open " + path);
  return file::write_all(fd.get(), content);
}

// Depth first. A cgroup is removed by rmdir alone, its files go with it.
void remove_groups(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), &::closedir);
  if (!dir) return;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view child = entry->d_name;
    if (entry->d_type == DT_DIR && child != "." && child != "..")
      remove_groups(path + "/" + std::string(child));
  }
  ::rmdir(path.c_str());
}

Status carry_out_one(const Step& step) {
  switch (step.kind) {
    case Step::Kind::make_directory:
      return file::make_directories(step.target);
    case Step::Kind::mount:
      if (auto made = file::make_directories(step.target); !made) return made;
      if (::mount(step.source.c_str(), step.target.c_str(), step.fs_type.c_str(), step.flags,
                  step.data.empty() ? nullptr : step.data.c_str()) != 0)
        return errno_error("mount");
      return Ok{};
    case Step::Kind::make_symlink: {
      struct stat info {};
      if (::lstat(step.target.c_str(), &info) == 0) return Ok{};
      if (const auto slash = step.target.rfind('/'); slash != 0 && slash != std::string::npos)
        if (auto made = file::make_directories(step.target.substr(0, slash)); !made) return made;
      if (::symlink(step.source.c_str(), step.target.c_str()) != 0 && errno != EEXIST)
        return errno_error("symlink");
      return Ok{};
    }
    case Step::Kind::write_file:
      return write_existing(step.target, step.data);
    case Step::Kind::copy_file: {
      auto content = file::read(step.source);
      if (!content) return std::move(content).error();
      return write_existing(step.target, *content);
    }
    case Step::Kind::remove_groups:
      remove_groups(step.target);
      return Ok{};
  }
  return Ok{};
}

}  // namespace

std::string describe(const Step& step) {
  switch (step.kind) {
    case Step::Kind::make_directory:
      return "make directory " + step.target;
    case Step::Kind::mount:
      return "mount " + step.fs_type + " on " + step.target;
    case Step::Kind::make_symlink:
      return "link " + step.target + " to " + step.source;
    case Step::Kind::write_file:
      return "write '" + step.data + "' to " + step.target;
    case Step::Kind::copy_file:
      return "copy " + step.source + " to " + step.target;
    case Step::Kind::remove_groups:
      return "remove the control groups below " + step.target;
  }
  return step.target;
}

Status carry_out(const std::vector<Step>& steps, const std::function<void(const Error&)>& skipped) {
  for (const auto& step : steps) {
    auto done = carry_out_one(step);
    if (done) continue;
    Error error = std::move(done).error().with(describe(step));
    if (step.required) return error;
    skipped(error);
  }
  return Ok{};
}

}  // namespace causeway::cgroups
