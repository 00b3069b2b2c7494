// The descriptors that outlive the agent: listening sockets, log FIFOs, exit reports. A
// fixed number of slots, no allocation after construction, so that PID 1 can't fail in it.
//
// Protocol (SOCK_SEQPACKET, one request a datagram, each answered with "ok" or "error TEXT"):
//   put NAME    with exactly one descriptor in SCM_RIGHTS; replaces what the name held
//   drop NAME   without a descriptor
// NAME is [a-z0-9._-]{1,47}.
//
// The slot `agent` holds a program: init starts it as the next agent instead of its own, so another
// version can run under the same init. Only a program that nobody but root can change is taken.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/unique_fd.h"

namespace causeway::fd_store {

// Three for each distro that runs or ran, so for some 60 of them; a dozen for the rest.
inline constexpr std::size_t kStoreSlots = 192;
inline constexpr std::size_t kStoreNameLimit = 47;
// "error " with the longest reason; also more than the longest request.
inline constexpr std::size_t kStoreMessageLimit = 128;

inline constexpr std::string_view kAgentSlot = "agent";

bool valid_store_name(std::string_view name);

// Why the file must not be started as the agent: a literal, empty when it may. A file that is open
// for writing can't be executed (ETXTBSY of execve(2)), so the descriptor must be for reading only.
std::string_view unfit_program(int fd);

struct StoreRequest {
  enum class Kind { put, drop, malformed };
  Kind kind = Kind::malformed;
  std::string_view name;   // into the datagram
  std::string_view error;  // when malformed: a literal
};

// Pure: the datagram's bytes and how many descriptors came with it.
StoreRequest parse_store_request(std::string_view datagram, std::size_t descriptors);

class FdStore {
 public:
  struct Slot {
    UniqueFd fd;
    std::array<char, kStoreNameLimit + 1> name{};
    bool own = false;  // init's own: clients neither replace nor drop it
    std::uint64_t dropped =
        0;  // log FIFOs: thrown away while no agent ran, and not yet told for sure

    bool used() const { return static_cast<bool>(fd); }
    std::string_view name_view() const { return name.data(); }
  };

  // For init itself at start; false when full or the name isn't valid or taken.
  bool keep(std::string_view name, UniqueFd fd);

  // Both return an empty text, or why not (a literal). On an error the descriptor is closed.
  std::string_view put(std::string_view name, UniqueFd fd);
  std::string_view drop(std::string_view name);

  // The descriptor of that name; -1: none.
  int get(std::string_view name) const;

  std::array<Slot, kStoreSlots>& slots() { return slots_; }
  const std::array<Slot, kStoreSlots>& slots() const { return slots_; }

 private:
  Slot* find(std::string_view name);
  Slot* free_slot();

  std::array<Slot, kStoreSlots> slots_;
};

// Reads one datagram from `socket` (non-blocking), does it, answers. False when there was none or
// the peer is gone. Descriptors that don't belong to an accepted put are closed.
bool serve_store_request(int socket, FdStore& store);

// "control=5,engine=6" of all slots, and "log.dockerd=65536" of those with dropped bytes. The text
// ends with NUL; returns false when it doesn't fit, with `out` holding the empty text.
bool format_fds(const FdStore& store, char* out, std::size_t size);
bool format_dropped(const FdStore& store, char* out, std::size_t size);
// For all slots with the longest names and numbers: "name=4294967295," for fds, 20 digits for
// bytes.
inline constexpr std::size_t kFdsTextSize = kStoreSlots * (kStoreNameLimit + 12) + 1;
inline constexpr std::size_t kDroppedTextSize = kStoreSlots * (kStoreNameLimit + 22) + 1;

}  // namespace causeway::fd_store
