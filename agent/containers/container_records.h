// What dockerd wrote down about its containers, read without dockerd: which of them it will start
// by itself, and which distros' files these need. Only ever read: the records are dockerd's (moby,
// container/container.go: hostconfig.json, config.v2.json; volume/local: opts.json).
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::containers {

struct ContainerRecord {
  std::string id;
  std::string name;              // without the slash that dockerd stores in front
  std::string restart_policy;    // "no", "always", "unless-stopped", "on-failure"
  bool running = false;          // when dockerd wrote last: also true after a power cut
  bool stopped_by_user = false;  // dockerd's HasBeenManuallyStopped
  std::int64_t exit_code = 0;
  std::string error;                 // State.Error: why its last start failed
  std::vector<std::string> sources;  // on the engine's side, of binds and of volumes with a device
};

// `config` and `host_config` are the contents of config.v2.json and hostconfig.json. `docker_root`
// is where the devices of its volumes are looked up.
Result<ContainerRecord> parse_record(std::string_view config, std::string_view host_config,
                                     const std::string& docker_root);

// Of one container; an error when there is none, or one that can't be read.
Result<ContainerRecord> read_record(const std::string& docker_root, const std::string& id);

// Of all. A record that can't be read is left out: dockerd itself doesn't load such a container.
std::vector<ContainerRecord> read_records(const std::string& docker_root);

// The device of a volume of the driver "local" that is a bind of a path; empty for any other. An
// error when what dockerd wrote about it can't be read: then nobody knows.
Result<std::string> read_volume_device(const std::string& docker_root, const std::string& volume);
// The same, empty also after an error.
std::string volume_device(const std::string& docker_root, const std::string& volume);

// Whether dockerd starts it when dockerd itself starts (moby, restartmanager.ShouldRestart).
bool starts_by_itself(const ContainerRecord& record);

// The distros whose shares it binds from.
std::set<std::string> distros_of(const ContainerRecord& record);

}  // namespace causeway::containers
