// The messages between the helper in a user's distro and the agent. Each is one datagram of a
// SOCK_SEQPACKET socket: a JSON object with "type", at most 64 KiB, and one descriptor where the
// type has one.
//
//   helper                                    agent
//   hello (pidfd of the distro's PID 1) ────▶  checks peer, name, version
//                                       ◀────  welcome, or refused and the end
//   mount (clone) …, mounts_done ───────────▶  attaches the share
//   socket (listening docker.sock) ─────────▶  accepts on it
//                                       ◀────  tools (clone), resolve …, remove
//   resolved …, report, removed ────────────▶
//   later: mount, unmounted, table, socket, report, each when something changed
//
// Versions. kVersion is raised by a change that the other side can't do without; both sides must
// have the same, and hello and refused say which. A helper that is refused for its version goes on
// as the agent's own program (distro/agents_program.h). What can be done without is added under the
// same version: so a type or a member that isn't known is ignored, and a descriptor that came with
// such a type is closed. Two things hold in every version: a hello has type, protocol, version,
// distro and helper_version, a refused has type, reason, remove and version.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "handover/distro_report.h"
#include "paths/mount_table.h"

namespace causeway::handover {

inline constexpr std::string_view kProtocol = "causeway-handover";
inline constexpr std::int64_t kVersion = 1;
// Far below the kernel's bound for a datagram with default buffers (net.core.wmem_default).
inline constexpr std::size_t kMaxDatagram = std::size_t{64} * 1024;

// Helper to agent. The first message; fd: pidfd of the distro's PID 1. Of another version only the
// members that all versions have are read.
struct Hello {
  std::int64_t version = kVersion;
  std::string distro;
  std::string helper_version;
  paths::MountTable table;
  bool operator==(const Hello&) const = default;
};
// Helper to agent. A visible mount, parents before what is on them; fd: a detached clone
// (open_tree). The same point again means that the mount there is another one now.
struct Mount {
  std::string point;
  std::string device;  // as in mountinfo: "8:1"
  std::string root;
  std::string fs_type;
  bool operator==(const Mount&) const = default;
};
// Helper to agent. All mounts that the distro had at the hello were sent: what the agent has
// attached of an earlier connection and wasn't sent now, is gone in the distro.
struct MountsDone {
  bool operator==(const MountsDone&) const = default;
};
// Helper to agent.
struct Unmounted {
  std::string point;
  bool operator==(const Unmounted&) const = default;
};
// Helper to agent. Where drives and <wsl> are changed.
struct TableChanged {
  paths::MountTable table;
  bool operator==(const TableChanged&) const = default;
};
// Helper to agent. The distro's docker.sock, again whenever it had to be bound anew, and on each
// connection; fd: the listening socket.
struct Socket {
  std::string path;
  bool operator==(const Socket&) const = default;
};
// One path's answer: `path`, absolute and free of links; or `error`, for people.
struct Resolution {
  std::string path;
  std::string error;
  bool operator==(const Resolution&) const = default;
};
// Helper to agent. Answers of a Resolve in the order of its paths. They may come in several
// messages: it is complete when there are as many as paths were sent under that ticket.
struct Resolved {
  std::int64_t ticket = 0;
  std::vector<Resolution> results;
  bool operator==(const Resolved&) const = default;
};
// Helper to agent. What was done in the distro, whenever that changed.
struct Report {
  DistroReport report;
  bool operator==(const Report&) const = default;
};
// Helper to agent. The integration is undone; the helper ends.
struct Removed {
  bool operator==(const Removed&) const = default;
};

// Agent to helper.
struct Welcome {
  std::int64_t version = kVersion;
  bool operator==(const Welcome&) const = default;
};
// Agent to helper, instead of Welcome; the agent closes behind it. With `remove` (the distro is
// disabled) the helper undoes what an earlier one has left and ends. Else it says hello again when
// share.sock is bound anew or touched: utimensat(2) on it calls all helpers that were refused.
struct Refused {
  std::string reason;
  bool remove = false;
  std::int64_t version = kVersion;  // of the agent
  bool operator==(const Refused&) const = default;
};
// Agent to helper; fd: a detached read-only clone of the CLI tools' tree.
struct Tools {
  bool operator==(const Tools&) const = default;
};
// Agent to helper. What resolve_path() says of these clean, absolute paths in the distro's own
// namespace. Made with resolve_messages() below, which keeps to the datagram's size.
struct Resolve {
  std::int64_t ticket = 0;
  std::vector<std::string> paths;
  bool operator==(const Resolve&) const = default;
};
// Agent to helper. Undo the integration, answer Removed, end.
struct Remove {
  bool operator==(const Remove&) const = default;
};

using Body = std::variant<Hello, Mount, MountsDone, Unmounted, TableChanged, Socket, Resolved,
                          Report, Removed, Welcome, Refused, Tools, Resolve, Remove>;

// Who may say what. A receiver tells messages apart with std::visit: its own handlers, and one for
// all that the other side can't say; a new message then fails to compile until it has one.
template <typename T, typename... Types>
concept OneOf = (std::same_as<std::remove_cvref_t<T>, Types> || ...);
template <typename T>
concept FromHelper =
    OneOf<T, Hello, Mount, MountsDone, Unmounted, TableChanged, Socket, Resolved, Report, Removed>;
template <typename T>
concept FromAgent = OneOf<T, Welcome, Refused, Tools, Resolve, Remove>;

struct Message {
  Body body;
  UniqueFd fd;  // exactly where the type has one
};

// "mount", "mounts_done": the type as it stands in the datagram.
std::string_view type_name(const Body& body);
bool has_descriptor(const Body& body);

// The datagram's text. An error when it is too large.
Result<std::string> encode(const Body& body);

// Strict in what is known: missing members and values out of their bounds are errors; so are paths
// that aren't absolute. Members that aren't known are ignored; a type that isn't gives code
// EOPNOTSUPP. Whether the sender may say such a thing is the receiver's business.
Result<Body> decode(std::string_view datagram);

// Whether `text` comes out of a message as it went in: it is UTF-8.
bool json_can_carry(std::string_view text);

// As many messages of one ticket as the size of a datagram asks for. An error for a path that no
// kernel takes (PATH_MAX).
Result<std::vector<Message>> resolve_messages(std::int64_t ticket, std::vector<std::string> paths);
std::vector<Message> resolved_messages(std::int64_t ticket, std::vector<Resolution> results);

}  // namespace causeway::handover
