#include "shares/api_sockets.h"

#include <dirent.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "fd_store/sockets.h"
#include "paths/path_mapper.h"
#include "shares/share_record.h"

namespace causeway::shares {
namespace {

constexpr std::string_view kPrefix = "distro-";
constexpr std::string_view kSuffix = ".sock";
// A container's root reaches it through the mount, and nobody else is to.
constexpr mode_t kMode = 0600;

}  // namespace

ApiSockets::ApiSockets(fd_store::StoreClient& store, std::string run)
    : store_(store), run_(std::move(run)) {}

std::string ApiSockets::path_of(const paths::Identity& identity) const {
  return paths::api_socket(identity, run_);
}

std::set<std::string, DistroNameLess> ApiSockets::left_in_run() const {
  std::set<std::string, DistroNameLess> out;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir((run_ + "/api").c_str()),
                                                      ::closedir);
  if (!directory) return out;
  while (const dirent* entry = ::readdir(directory.get())) {
    std::string_view name = entry->d_name;
    if (entry->d_type != DT_SOCK || !name.starts_with(kPrefix) || !name.ends_with(kSuffix) ||
        name.size() < kPrefix.size() + kSuffix.size())
      continue;
    name.remove_prefix(kPrefix.size());
    name.remove_suffix(kSuffix.size());
    if (paths::valid_distro_name(name)) out.emplace(name);
  }
  return out;
}

Result<UniqueFd> ApiSockets::open(const paths::Identity& identity) {
  const std::string path = path_of(identity);
  if (!open_.insert(path).second) return UniqueFd();
  const std::string slot = slot_of(identity);
  if (auto inherited = store_.take(slot)) return inherited;
  if (auto made = file::make_directories(run_ + "/api"); !made) return std::move(made).error();
  // dockerd makes an empty directory for a bind whose source isn't there: that of a container whose
  // distro was forgotten.
  ::rmdir(path.c_str());
  auto bound = fd_store::bind_socket(path, kMode, 0);
  if (bound && store_.has_init())
    if (auto put = store_.put(slot, bound->get()); !put)
      log::warning("shares.socket_not_stored", {{"slot", slot}, {"error", put.error().message}});
  return bound;
}

void ApiSockets::close(const paths::Identity& identity) {
  const std::string path = path_of(identity);
  if (open_.erase(path) == 0) return;
  ::unlink(path.c_str());
  if (!store_.has_init()) return;
  if (auto done = store_.drop(slot_of(identity)); !done)
    log::warning("shares.not_dropped", {{"path", path}, {"error", done.error().message}});
}

std::string ApiSockets::slot_of(const paths::Identity& identity) {
  return identity.kind == paths::Identity::Kind::distro ? SlotNames(identity.name).api
                                                        : std::string(kWindowsSlot);
}

}  // namespace causeway::shares
