// What bind sources need of the distros: which there are, what their paths mean, and those that
// don't run yet.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "paths/path_mapper.h"

namespace causeway::binds {

// Told by the owner of the shares.
class Distros {
 public:
  using Attached = std::function<void(bool attached)>;
  using Resolved = std::function<void(std::vector<Result<std::string>>)>;
  virtual ~Distros() = default;
  virtual const paths::World& world() const = 0;
  // Why it makes no sense to wait for this distro; empty when it does.
  virtual std::string obstacle(const std::string& distro) const = 0;
  virtual void request(const std::string& distro) = 0;
  // Why Windows did not start it when it was asked for last; empty: no answer, or it wasn't asked.
  virtual std::string not_started(const std::string& distro) const = 0;
  // Both answer once, never within the call, and within a bounded time.
  virtual void when_attached(const std::string& distro, std::uint64_t limit_ms, Attached done) = 0;
  virtual void resolve(const std::string& distro, std::vector<std::string> paths,
                       Resolved done) = 0;
};

// Whether its share is attached now.
bool is_attached(const Distros& distros, const std::string& distro);

struct Awaited {
  std::string obstacle;           // of the first that can't come: none was asked for
  std::set<std::string> missing;  // those that were not attached within the time
};

// Asks for these distros and waits until all are attached, or the time is over. `done` is called
// once: at once when there is nothing to wait for or an obstacle, else later.
void await_distros(Distros& distros, const std::set<std::string>& names, std::uint64_t limit_ms,
                   std::function<void(const Awaited&)> done);

// For people: "the WSL distro Ubuntu is not running, and …", with Windows' reason if there is one.
std::string not_running(const Distros& distros, const std::string& distro);

}  // namespace causeway::binds
