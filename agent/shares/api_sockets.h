// ApiSockets are the Docker API for containers: RUN/api/windows.sock and
// RUN/api/distro-<name>.sock, which a container gets when its creator mounted docker.sock. Each is
// bound once in a boot, unless its distro is forgotten, and kept in init's store: a socket bound
// again is a new file, and a container that has the old one mounted would get ECONNREFUSED for ever
// (measured).
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fd_store/store_client.h"
#include "paths/identity.h"
#include "shares/distro_names.h"

namespace causeway::shares {

class ApiSockets {
 public:
  // `store` outlives it.
  ApiSockets(fd_store::StoreClient& store, std::string run);

  // The distros that sockets of this boot stand for, by their files: also those that nobody else
  // remembers.
  std::set<std::string, DistroNameLess> left_in_run() const;

  // The listening socket: an inherited one, else bound now and put into the store. Once for each
  // identity; empty after that.
  Result<UniqueFd> open(const paths::Identity& identity);
  // The socket's file and slot go. Who has it mounted gets ECONNREFUSED once its listener is
  // closed.
  void close(const paths::Identity& identity);
  std::string path_of(const paths::Identity& identity) const;

 private:
  static std::string slot_of(const paths::Identity& identity);

  fd_store::StoreClient& store_;
  const std::string run_;
  std::set<std::string> open_;  // paths
};

}  // namespace causeway::shares
