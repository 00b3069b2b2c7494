// What the control API tells about the product: plain data, and its JSON in both directions, so
// that the server, the CLI and the tests share one description. openapi.json documents the keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::control_api {

// The states a service is shown in (supervise/service_machine.h has the whole story).
enum class ServiceState {
  off,       // nobody wants it; `reason` says why
  waiting,   // for the services it needs, or for its preparation
  starting,  // runs, isn't ready yet
  ready,
  stopping,
  killing,      // outlived its stop's deadline
  backing_off,  // ended, starts again after a delay
  failed,       // given up; `reason` says why
  invalid,      // its file can't be used
};
std::string_view name_of(ServiceState state);
std::optional<ServiceState> service_state(std::string_view name);

struct ServiceStatus {
  std::string name;
  std::string description;
  ServiceState state = ServiceState::off;
  std::string reason;      // why it isn't ready; empty when there is nothing to say
  std::int64_t since = 0;  // unix seconds of the last change of state; of the start while ready
  std::uint64_t age_s = 0;
  std::optional<std::int64_t> pid;
  bool adopted = false;        // its process was started by an earlier agent
  std::uint64_t restarts = 0;  // in this life of init
  std::string last_exit;       // how its last process ended; empty when none did
  std::optional<std::uint64_t> memory_bytes;
  std::vector<std::string> needs;
  std::vector<std::string> last_lines;  // of its log, when it failed or backs off
};

// The engine as a client of its API meets it.
enum class EngineState { absent, starting, ready, down };  // absent: no such service is configured
std::string_view name_of(EngineState state);

struct EngineStatus {
  EngineState state = EngineState::absent;
  std::string reason;
  std::uint64_t age_s = 0;
};

struct AgentStatus {
  std::string version;
  std::int64_t pid = 0;
  std::uint64_t age_s = 0;
  std::uint64_t starts = 1;  // how often init has started it in this life, this one included
  std::uint64_t memory_bytes = 0;
};

struct SocketStatus {
  std::string path;
  std::string purpose;
  std::uint64_t connections = 0;  // open now
  std::uint64_t streams = 0;      // of these, upgraded to a raw stream (attach, exec)
};

// What an integrated distro's helper did there (handover/distro_report.h).
struct DistroItem {
  std::string what;
  std::string path;
  std::string state;   // added, kept, left_alone, failed
  std::string reason;  // of left_alone and failed
};

struct DistroStatus {
  std::string name;
  bool enabled = true;
  std::string state;         // attached, waiting, refused, disabled, stopped
  std::string reason;        // why it isn't attached; empty when there is nothing to say
  std::uint64_t mounts = 0;  // of it that the engine sees
  std::string socket;        // its docker.sock, in the distro; empty when there is none
  bool helper = false;       // one is connected
  std::vector<DistroItem> items;
  std::vector<std::string> notes;
};

// Where the link to Windows listens.
struct LinkListener {
  std::string carrier;  // vsock, unix, tcp
  std::string address;  // "port 1129775105", a path, "127.0.0.1:4857"
  std::string state;    // listening, off, failed
  std::string reason;   // why it doesn't listen
};

struct LinkStatus {
  bool connected = false;      // Windows is there
  std::string carrier;         // of the newest connection
  std::uint64_t age_s = 0;     // of the newest connection, or since the last one ended
  std::uint64_t sessions = 0;  // connections; more than one for a moment, when Windows dials anew
  std::uint64_t streams = 0;   // open in all of them
  std::vector<LinkListener> listeners;
  std::string refusal;  // why the last peer was sent away; empty: none was
  std::uint64_t refusal_age_s = 0;
};

struct Note {
  bool warning = false;
  std::string text;
};

struct ProductStatus {
  EngineStatus engine;
  AgentStatus agent;
  std::vector<ServiceStatus> services;
  std::vector<SocketStatus> sockets;
  std::vector<DistroStatus> distros;
  std::vector<std::string> wanted;  // distros that somebody waits for: Windows is to start them
  LinkStatus link;
  std::vector<Note> notes;

  const ServiceStatus* find(std::string_view service) const;
};

struct LogLine {
  std::string service;
  std::string line;
};

// JSON in one line. Bytes that aren't UTF-8 become U+FFFD.
std::string to_json(const ProductStatus& status);
std::string to_json(const ServiceStatus& service);
std::string to_json(const DistroStatus& distro);
// {"distros": […], "wanted": […]}
std::string distros_json(const ProductStatus& status);
std::string to_json(const LogLine& line);
std::string error_json(std::string_view message);                         // {"message": …}
std::string dropped_json(std::string_view service, std::uint64_t lines);  // {"service", "dropped"}
std::string version_json(std::string_view version);                       // {"version", "api"}

// Members that this version doesn't know are ignored: an older CLI reads a newer agent.
Result<ProductStatus> status_from_json(std::string_view text);
Result<ServiceStatus> service_from_json(std::string_view text);
// What Windows' end of the link must know before it connects.
struct LinkContact {
  std::string nonce;       // 32 hex digits, of this life of init
  std::uint32_t port = 0;  // of vsock; 0: nothing listens there
  std::uint16_t major = 0;
};

struct ClockStep {
  bool stepped = false;
  std::int64_t offset_ms = 0;  // what was asked for, minus what the clock said
};

std::string to_json(const LinkContact& contact);  // {"nonce", "port", "major"}
std::string to_json(const ClockStep& step);       // {"stepped", "offset_ms"}
Result<LinkContact> link_contact_from_json(std::string_view text);
// Of {"unix_ms": N}, and nothing else.
Result<std::int64_t> unix_ms_from_json(std::string_view text);
// What distros_json() gave.
Result<std::vector<DistroStatus>> distros_from_json(std::string_view text);

}  // namespace causeway::control_api
