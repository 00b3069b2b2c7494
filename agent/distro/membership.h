// The group `docker`, which docker.sock belongs to, and the distro's default user as its member.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "distro/account.h"
#include "distro/manifest.h"
#include "distro/root_files.h"
#include "handover/distro_report.h"

namespace causeway::distro {

struct Membership {
  std::optional<gid_t> gid;  // of the group
  std::vector<handover::DistroReport::Item> items;
  bool joined_now = false;  // the user became a member just now: shells that run don't know
  bool changed = false;     // a file was changed
  bool put_off = false;     // something is missing that was not to be made now
  bool locked = false;      // something failed since another program changes accounts right now
};

// Whether what is missing is made, or only told, since somebody takes it away again and again.
enum class Repair { now, later };

// Makes what is missing, noted in the manifest before. root needs to be no member. Who was made a
// member before, and isn't the user any more, stays one, and is told of.
Membership ensure_membership(const RootFiles& files, Manifest& manifest,
                             const std::optional<Account>& user, Repair repair = Repair::now);

}  // namespace causeway::distro
