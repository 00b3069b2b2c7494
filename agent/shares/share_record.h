// What of the shares must outlive the agent beside the mounts and the descriptors:
// RUN/shares.json. It is written before a mount is made and after one is gone, so that a mount that
// is ours is always in it. RUN is new in each boot, as the mounts are.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "paths/mount_table.h"
#include "shares/share_tree.h"

namespace causeway::shares {

struct ShareRecord {
  paths::MountTable table;
  std::string socket;  // the path of docker.sock in the distro; empty: none
  SharedMounts mounts;
  bool operator==(const ShareRecord&) const = default;
};
using ShareRecords = std::map<std::string, ShareRecord, std::less<>>;  // by distro

std::string to_json(const ShareRecords& records);
Result<ShareRecords> parse_share_records(std::string_view text);

// The names of the store's slots of a distro: "d.<h>.pid" with the FNV-1a-64 hash of its name,
// since a name may be longer than a slot's and hold capital letters.
struct SlotNames {
  explicit SlotNames(std::string_view distro);
  std::string pid;   // pidfd of the distro's PID 1
  std::string sock;  // its docker.sock
  std::string api;   // RUN/api/distro-<name>.sock
};
inline constexpr std::string_view kWindowsSlot = "api.windows";

}  // namespace causeway::shares
