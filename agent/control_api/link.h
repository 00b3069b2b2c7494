// Section `link`: the link to Windows, and what the other end must know before it connects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::json {
class Json;
}

namespace causeway::control_api {

enum class ListenerState { listening, off, failed };
std::string_view name_of(ListenerState state);

// Where the link listens.
struct LinkListener {
  std::string transport;  // vsock, unix, tcp
  std::string address;    // "port 1129775105", a path, "127.0.0.1:4857"
  ListenerState state = ListenerState::listening;
  std::string reason;  // why it doesn't listen
};

struct LinkStatus {
  bool connected = false;      // Windows is there
  std::string transport;       // of the newest connection
  std::uint64_t age_s = 0;     // of the newest connection, or since the last one ended
  std::uint64_t sessions = 0;  // connections; more than one for a moment, when Windows dials anew
  std::uint64_t streams = 0;   // open in all of them
  std::vector<LinkListener> listeners;
  std::string refusal;  // why the last peer was sent away; empty: none was
  std::uint64_t refusal_age_s = 0;
};

std::string to_json(const LinkStatus& link);
Status read(const json::Json& json, LinkStatus& out);

// GET /v1/link
struct LinkContact {
  std::string nonce;       // 32 hex digits, of this boot
  std::uint32_t port = 0;  // of vsock; 0: nothing listens there
  std::uint16_t major = 0;
};

std::string to_json(const LinkContact& contact);
Result<LinkContact> link_contact_from_json(std::string_view text);

}  // namespace causeway::control_api
