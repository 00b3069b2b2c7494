#include "process/control_group.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/text.h"

namespace causeway::process {

ControlGroupMove::ControlGroupMove(
    io::Loop& loop, Reaper& reaper, pid_t pid, const std::vector<std::string>& directories,
    std::function<void(const std::vector<std::string>& failures)> done)
    : reaper_(reaper), done_(std::move(done)) {
  std::vector<Setting> settings;
  settings.reserve(directories.size());
  for (const auto& directory : directories)
    settings.push_back({directory + "/cgroup.procs", std::to_string(pid)});
  auto helper = start_writer(settings);
  if (!helper) {
    loop.defer(lifetime_.guard(
        [this, error = helper.error().message] { std::exchange(done_, nullptr)({error}); }));
    return;
  }
  helper_ = std::move(*helper);
  reaper_.watch(helper_, [this](const Exit&) {
    const auto notes = read_report(helper_.report.get()).notes;
    helper_.pid = -1;
    std::exchange(done_, nullptr)(notes);  // last: it may destroy us
  });
}

ControlGroupMove::~ControlGroupMove() {
  if (helper_.pid > 0) reaper_.forget(helper_.pid);
}

bool is_member(std::string_view proc_cgroup, std::string_view suffix) {
  const auto lines = text::split(text::trim(proc_cgroup), '\n');
  return std::ranges::all_of(lines, [&](auto line) { return line.ends_with(suffix); });
}

}  // namespace causeway::process
