// A step of init's set-up as data: the planners (mounts.h, cgroup.h) are pure and give lists of
// steps, carry_out() is the only place that does them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::cgroups {

struct Step {
  enum class Kind {
    make_directory,  // target, as mkdir -p
    mount,           // source, target (made when missing), fs_type, flags, data
    make_symlink,    // target -> source, unless something is there
    write_file,      // data into the existing file target (cgroup files)
    copy_file,       // the content of source into the existing file target (cgroup files)
    remove_groups,   // a cgroup directory with everything below it; what is in use stays
  };
  Kind kind = Kind::make_directory;
  std::string target;
  std::string source;
  std::string fs_type;
  unsigned long flags = 0;
  std::string data;
  bool required = true;  // a failure of an optional step is only reported

  bool operator==(const Step&) const = default;
};

// "mount proc on /proc": for messages.
std::string describe(const Step& step);

// Does the steps in order. The first required one that fails ends it with its error; failures of
// optional ones go to `skipped`.
Status carry_out(const std::vector<Step>& steps, const std::function<void(const Error&)>& skipped);

}  // namespace causeway::cgroups
