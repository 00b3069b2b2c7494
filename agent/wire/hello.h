// The hello with which both ends of a link begin, before yamux: who speaks, in which version, and
// that both belong to the same boot.
//
//   shim ── hello: its own nonce; as `expected` the agent's, from the line CAUSEWAY/1 ──▶ agent
//   shim ◀── hello: the agent's nonce, the shim's as `expected`; or a refusal's text ── agent
//
// The shim speaks first, and the agent's nonce is told to nobody who doesn't know it: so a stale
// peer (a distro made anew in a living VM) and a stranger are both found out.
//
// Layout, all numbers big endian; the first 12 bytes never change, whatever the version:
//    0  magic "CAUSEWAY"            8  major (2)   10  minor (2)
//   12  role (1)   13  zero (1)    14  length of the refusal's text (2)
//   16  features (4)               20  zero (4)
//   24  own nonce (16)             40  expected nonce (16)
//   56  the refusal's text, UTF-8, up to kRefusalLimit bytes; none: not refused
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::wire {

inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 0;
inline constexpr std::size_t kHelloSize = 56;  // without a refusal's text
inline constexpr std::size_t kRefusalLimit = 512;
// From the connection to the peer's complete hello; half a hello then silence ends there.
inline constexpr std::uint64_t kHelloTimeoutMs = 10'000;

using Nonce = std::array<std::uint8_t, 16>;
// 32 lower-case hex digits, as in the line CAUSEWAY/1. from_hex takes nothing else.
std::string to_hex(const Nonce& nonce);
std::optional<Nonce> nonce_from_hex(std::string_view text);

enum class Role : std::uint8_t { shim = 1, agent = 2 };

struct Hello {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  Role role = Role::shim;
  std::uint32_t features = 0;  // bits; unknown ones are ignored
  Nonce nonce{};
  Nonce expected{};
  std::string refusal;  // the agent's reason not to talk; empty: it talks
};

// A longer refusal is cut at a character's border.
std::string encode(const Hello& hello);

// Collects a hello out of a byte stream, however it is cut.
class HelloReader {
 public:
  explicit HelloReader(Role peer) : peer_(peer) {}
  // Takes what belongs to the hello off the front of `bytes`. Gives the hello once it is complete,
  // nothing while it isn't; an error ends the connection: no magic, a major version that isn't ours
  // (the text names both; known after 12 bytes), the wrong role, a text that is too long.
  Result<std::optional<Hello>> take(std::string_view& bytes);

  // After a major version that isn't ours: what it was, so that the agent can refuse by name.
  std::optional<std::uint16_t> foreign_major() const { return foreign_major_; }

 private:
  Role peer_;
  std::string have_;
  std::optional<std::uint16_t> foreign_major_;
};

}  // namespace causeway::wire
