#include "engine_api/request_scanner.h"

#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/text.h"
#include "engine_api/json_text.h"
#include "engine_api/json_tokenizer.h"
#include "engine_api/unix_address.h"
#include "paths/path_mapper.h"
#include "paths/windows_path.h"

namespace causeway::engine_api {
namespace {

using Token = JsonTokenizer::Token;

// The values on the way to a finding, and what they must be.
enum class Position : std::uint8_t {
  none,
  container,  // container.Config with HostConfig, and HostConfig's members beside it
  environment,
  variable,
  labels,
  label,
  hosts,
  host,
  host_config,
  binds,
  bind,
  mounts,
  mount,
  mount_type,
  mount_source,
  volume_options,
  driver_config,
  driver_name,
  driver_options,
  option_device,
  option_o,
  option_type,
  devices,
  device,
  throttles,
  throttle,
  device_path,
  cgroup_parent,
  log_config,
  log_options,
  log_address,
  log_file,
  volume,
  service,
  task_template,
  container_spec,
};

enum class Shape : std::uint8_t { object, array, string };

Shape shape(Position position) {
  switch (position) {
    case Position::environment:
    case Position::hosts:
    case Position::binds:
    case Position::mounts:
    case Position::devices:
    case Position::throttles:
      return Shape::array;
    case Position::variable:
    case Position::label:
    case Position::host:
    case Position::bind:
    case Position::mount_type:
    case Position::mount_source:
    case Position::driver_name:
    case Position::option_device:
    case Position::option_o:
    case Position::option_type:
    case Position::device_path:
    case Position::cgroup_parent:
    case Position::log_address:
    case Position::log_file:
      return Shape::string;
    case Position::none:
    case Position::container:
    case Position::labels:
    case Position::host_config:
    case Position::mount:
    case Position::volume_options:
    case Position::driver_config:
    case Position::driver_options:
    case Position::device:
    case Position::throttle:
    case Position::log_config:
    case Position::log_options:
    case Position::volume:
    case Position::service:
    case Position::task_template:
    case Position::container_spec:
      break;
  }
  return Shape::object;
}

// For the error texts: as dockerd's documentation names them.
std::string_view name(Position position) {
  switch (position) {
    case Position::environment:
      return "Env";
    case Position::variable:
      return "an element of Env";
    case Position::labels:
      return "Labels";
    case Position::label:
      return "a label's value";
    case Position::hosts:
      return "ExtraHosts";
    case Position::host:
      return "an element of ExtraHosts";
    case Position::host_config:
      return "HostConfig";
    case Position::binds:
      return "Binds";
    case Position::bind:
      return "an element of Binds";
    case Position::mounts:
      return "Mounts";
    case Position::mount:
      return "an element of Mounts";
    case Position::mount_type:
      return "a mount's Type";
    case Position::mount_source:
      return "a mount's Source";
    case Position::volume_options:
      return "a mount's VolumeOptions";
    case Position::driver_config:
      return "VolumeOptions.DriverConfig";
    case Position::driver_name:
      return "a volume driver's name";
    case Position::driver_options:
      return "a volume driver's options";
    case Position::option_device:
      return "a volume's option device";
    case Position::option_o:
      return "a volume's option o";
    case Position::option_type:
      return "a volume's option type";
    case Position::devices:
      return "Devices";
    case Position::device:
      return "an element of Devices";
    case Position::throttles:
      return "a list of devices with limits";
    case Position::throttle:
      return "a device with a limit";
    case Position::device_path:
      return "a device's path";
    case Position::cgroup_parent:
      return "CgroupParent";
    case Position::log_config:
      return "the log driver";
    case Position::log_options:
      return "the log driver's options";
    case Position::log_address:
    case Position::log_file:
      return "an option of the log driver";
    case Position::task_template:
      return "TaskTemplate";
    case Position::container_spec:
      return "TaskTemplate.ContainerSpec";
    case Position::none:
    case Position::container:
    case Position::volume:
    case Position::service:
      break;
  }
  return "the body";
}

struct Member {
  std::string_view name;  // in lower case
  Position position = Position::none;
};

std::span<const Member> members(Position position) {
  // What HostConfig has, dockerd up to 26 takes beside it as well.
  static constexpr std::array kContainer = {Member{"hostconfig", Position::host_config},
                                            Member{"env", Position::environment},
                                            Member{"labels", Position::labels},
                                            Member{"binds", Position::binds},
                                            Member{"mounts", Position::mounts},
                                            Member{"devices", Position::devices},
                                            Member{"blkioweightdevice", Position::throttles},
                                            Member{"blkiodevicereadbps", Position::throttles},
                                            Member{"blkiodevicewritebps", Position::throttles},
                                            Member{"blkiodevicereadiops", Position::throttles},
                                            Member{"blkiodevicewriteiops", Position::throttles},
                                            Member{"cgroupparent", Position::cgroup_parent},
                                            Member{"logconfig", Position::log_config}};
  static constexpr std::array kHostConfig = {Member{"binds", Position::binds},
                                             Member{"mounts", Position::mounts},
                                             Member{"extrahosts", Position::hosts},
                                             Member{"devices", Position::devices},
                                             Member{"blkioweightdevice", Position::throttles},
                                             Member{"blkiodevicereadbps", Position::throttles},
                                             Member{"blkiodevicewritebps", Position::throttles},
                                             Member{"blkiodevicereadiops", Position::throttles},
                                             Member{"blkiodevicewriteiops", Position::throttles},
                                             Member{"cgroupparent", Position::cgroup_parent},
                                             Member{"logconfig", Position::log_config}};
  static constexpr std::array kDevice = {Member{"pathonhost", Position::device_path}};
  static constexpr std::array kThrottle = {Member{"path", Position::device_path}};
  // Of a container (Config) and of a service's tasks (Options).
  static constexpr std::array kLogConfig = {Member{"config", Position::log_options},
                                            Member{"options", Position::log_options}};
  // A Go map. The options of syslog, fluentd and splunk that name files (moby, daemon/logger).
  static constexpr std::array kLogOptions = {Member{"syslog-address", Position::log_address},
                                             Member{"fluentd-address", Position::log_address},
                                             Member{"syslog-tls-ca-cert", Position::log_file},
                                             Member{"syslog-tls-cert", Position::log_file},
                                             Member{"syslog-tls-key", Position::log_file},
                                             Member{"splunk-capath", Position::log_file}};
  static constexpr std::array kMount = {Member{"type", Position::mount_type},
                                        Member{"source", Position::mount_source},
                                        Member{"volumeoptions", Position::volume_options}};
  static constexpr std::array kVolumeOptions = {Member{"driverconfig", Position::driver_config}};
  static constexpr std::array kDriverConfig = {Member{"name", Position::driver_name},
                                               Member{"options", Position::driver_options}};
  // A Go map: these keys match exactly.
  static constexpr std::array kDriverOptions = {Member{"device", Position::option_device},
                                                Member{"o", Position::option_o},
                                                Member{"type", Position::option_type}};
  static constexpr std::array kVolume = {Member{"driver", Position::driver_name},
                                         Member{"driveropts", Position::driver_options}};
  static constexpr std::array kService = {Member{"tasktemplate", Position::task_template}};
  static constexpr std::array kTask = {Member{"containerspec", Position::container_spec},
                                       Member{"logdriver", Position::log_config}};
  static constexpr std::array kContainerSpec = {Member{"mounts", Position::mounts}};
  switch (position) {
    case Position::container:
      return kContainer;
    case Position::host_config:
      return kHostConfig;
    case Position::mount:
      return kMount;
    case Position::volume_options:
      return kVolumeOptions;
    case Position::driver_config:
      return kDriverConfig;
    case Position::driver_options:
      return kDriverOptions;
    case Position::device:
      return kDevice;
    case Position::throttle:
      return kThrottle;
    case Position::log_config:
      return kLogConfig;
    case Position::log_options:
      return kLogOptions;
    case Position::volume:
      return kVolume;
    case Position::service:
      return kService;
    case Position::task_template:
      return kTask;
    case Position::container_spec:
      return kContainerSpec;
    default:
      return {};
  }
}

// Of an array: what its elements are; else the position itself.
Position element(Position position) {
  switch (position) {
    case Position::environment:
      return Position::variable;
    case Position::hosts:
      return Position::host;
    case Position::binds:
      return Position::bind;
    case Position::mounts:
      return Position::mount;
    case Position::devices:
      return Position::device;
    case Position::throttles:
      return Position::throttle;
    default:
      return position;
  }
}

// Whether somebody wants to know what is there, or below it.
bool is_wanted(Position position, const FindingKinds& kinds) {
  switch (position) {
    case Position::environment:
      return kinds.environment;
    case Position::labels:
      return kinds.labels;
    case Position::hosts:
      return kinds.hosts;
    case Position::host_config:
      return kinds.paths || kinds.hosts;
    default:
      return kinds.paths;
  }
}

Position root(Call call) {
  switch (call) {
    case Call::container_create:
    case Call::container_start_with_config:
      return Position::container;
    case Call::volume_create:
      return Position::volume;
    case Call::service_create:
    case Call::service_update:
      return Position::service;
    default:
      return Position::none;
  }
}

// What is known of a mount, or of a volume, before all of it was read.
struct Facts {
  bool bind = false;
  bool volume = false;
  bool local = true;  // no driver named is the local one
  bool with_bind = false;
  bool over_unix = false;  // 9p: the device is the path of a socket
  bool overlay_directories = false;
  std::string type;  // of the file system
  std::optional<PathValue> source;
  std::optional<PathValue> device;
};

bool is_any_of(std::string_view s, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (s == word) return true;
  }
  return false;
}

// Whether mount(2) opens the device of such a volume: a path, unless the file system takes the text
// for an address or a mere name.
bool opens_device(const Facts& facts) {
  if (facts.with_bind) return true;
  if (facts.type == "9p") return facts.over_unix;
  const std::string& device = facts.device->source;
  return device.starts_with('/') && !device.starts_with("//") &&
         !is_any_of(facts.type,
                    {"", "none", "nfs", "nfs4", "cifs", "smb3", "ceph", "tmpfs", "overlay"});
}

// Whether containers would stand in the control groups of init and of the services.
bool is_own_cgroup(std::string_view parent) {
  for (const std::string_view part : text::split(parent, '/')) {
    if (is_any_of(part, {"causeway", "causeway.init"})) return true;
  }
  return false;
}

}  // namespace

struct RequestScanner::Impl {
  struct Level {
    Position position;
    std::uint64_t begin;  // behind its bracket
    unsigned seen = 0;    // a bit for each of its members
    bool filled = false;
  };

  Impl(Call call, const FindingKinds& kinds)
      : wanted(kinds), tokens(kLongestValue), expected(root(call)) {
    levels.reserve(8);
    facts.volume = expected == Position::volume;
  }

  Status feed(std::string_view body);
  Status handle(Token token);
  Status key();
  Status label();
  Status begin(Shape begun);
  Status end();
  Status string();
  Status null();
  EntryList* list(Position position);
  Status entry(EntryList& of, EntryList::Entry entry);
  Status settle();
  Status bind();
  Status log_address();
  Status count(PathValue value);
  PathValue value(PathValue::Kind kind) const {
    return {kind, tokens.begin(), tokens.end(), unquoted(tokens.text()), {}};
  }
  Status refuse(std::string message) {
    const char* const what = wanted.paths ? "map the paths of" : "read";
    return invalid("cannot " + std::string(what) + " this request: " + std::move(message));
  }
  Status invalid(std::string message) {
    failed = true;
    return make_error(std::move(message));
  }
  Status wrong_type() {
    constexpr std::array<std::string_view, 3> kNames = {"an object", "an array", "a string"};
    return refuse(std::string(name(expected)) + " must be " +
                  std::string(kNames[static_cast<std::size_t>(shape(expected))]));
  }

  const FindingKinds wanted;
  JsonTokenizer tokens;
  std::vector<Level> levels;
  Position expected;  // what the next value is
  Facts facts;
  Findings found;
  std::string label_key;
  std::size_t bytes = 0;
  bool told = false;  // a token
  bool failed = false;
};

Status RequestScanner::Impl::feed(std::string_view body) {
  if (failed) return refuse("it was refused already");
  tokens.give(body);
  for (Token token = tokens.next(); token != Token::more; token = tokens.next()) {
    told = true;
    if (auto handled = handle(token); !handled.ok()) return handled;
  }
  return Ok{};
}

Status RequestScanner::Impl::handle(Token token) {
  switch (token) {
    case Token::more:
      return Ok{};
    case Token::object_begin:
      return begin(Shape::object);
    case Token::array_begin:
      return begin(Shape::array);
    case Token::object_end:
    case Token::array_end:
      return end();
    case Token::key:
      return key();
    case Token::string:
      if (shape(expected) != Shape::string) return wrong_type();
      return string();
    case Token::scalar:
      return wrong_type();
    case Token::null:
      return null();
    case Token::skipped:
      return Ok{};
    case Token::error:
      return refuse("the body is not valid JSON: " + tokens.error());
  }
  return Ok{};
}

Status RequestScanner::Impl::key() {
  Level& level = levels.back();
  level.filled = true;
  if (level.position == Position::labels) return label();
  const std::span<const Member> known = members(level.position);
  const bool exact =
      level.position == Position::driver_options || level.position == Position::log_options;
  std::size_t i = 0;
  if (tokens.too_long()) {
    i = known.size();
  } else if (exact) {
    const std::string decoded = unquoted(tokens.text());
    while (i < known.size() && decoded != known[i].name) ++i;
  } else {
    const FoldedKey folded(tokens.text(), tokens.escaped());
    while (i < known.size() && !folded.is(known[i].name)) ++i;
  }
  if (i == known.size() || !is_wanted(known[i].position, wanted)) {
    tokens.skip();
    return Ok{};
  }
  const unsigned bit = 1U << i;
  expected = known[i].position;
  if ((level.seen & bit) != 0) return refuse(std::string(name(expected)) + " is given twice");
  level.seen |= bit;
  return Ok{};
}

// A key of a Go map: any, and as it is.
Status RequestScanner::Impl::label() {
  expected = Position::label;
  found.labels.state = EntryList::State::filled;
  if (tokens.too_long()) {
    tokens.skip();
  } else {
    label_key = unquoted(tokens.text());
  }
  return Ok{};
}

EntryList* RequestScanner::Impl::list(Position position) {
  switch (position) {
    case Position::environment:
    case Position::variable:
      return &found.environment;
    case Position::labels:
    case Position::label:
      return &found.labels;
    case Position::hosts:
    case Position::host:
      return &found.hosts;
    default:
      return nullptr;
  }
}

Status RequestScanner::Impl::begin(Shape begun) {
  if (shape(expected) != begun) return wrong_type();
  if (!levels.empty()) levels.back().filled = true;
  levels.push_back({expected, tokens.end()});
  if (expected == Position::mount) facts = {};
  if (EntryList* const begins = list(expected)) {
    begins->state = EntryList::State::empty;
    begins->at = tokens.end();
  }
  expected = element(expected);
  return Ok{};
}

Status RequestScanner::Impl::end() {
  const Level level = levels.back();
  const Position ended = level.position;
  levels.pop_back();
  for (const Member& member : members(ended)) {
    EntryList* const missing = list(member.position);
    if (missing == nullptr || missing->state != EntryList::State::nowhere) continue;
    if (!is_wanted(member.position, wanted)) continue;
    missing->state = EntryList::State::absent;
    missing->at = level.begin;
    missing->alone = !level.filled;
  }
  // Within an array the next element may follow.
  if (!levels.empty()) expected = element(levels.back().position);
  return ended == Position::mount || ended == Position::volume ? settle() : Ok{};
}

Status RequestScanner::Impl::string() {
  const bool too_long = tokens.too_long();
  if (EntryList* const of = list(expected)) {
    if (!too_long) return entry(*of, {tokens.begin(), tokens.end(), {}, unquoted(tokens.text())});
    of->state = EntryList::State::filled;  // but it isn't told
    return Ok{};
  }
  // Of these a long one can't be one of the words that count.
  if (expected == Position::mount_type) {
    facts.bind = !too_long && unquoted(tokens.text()) == "bind";
    facts.volume = !too_long && unquoted(tokens.text()) == "volume";
    return Ok{};
  }
  if (expected == Position::driver_name) {
    facts.local = !too_long && is_any_of(unquoted(tokens.text()), {"", "local"});
    return Ok{};
  }
  if (too_long) return refuse(std::string(name(expected)) + " is longer than 64 KiB");
  switch (expected) {
    case Position::bind:
      return bind();
    case Position::device_path:
    case Position::log_file:
      return count(value(PathValue::Kind::file));
    case Position::log_address:
      return log_address();
    case Position::cgroup_parent:
      if (std::string parent = unquoted(tokens.text()); is_own_cgroup(parent)) {
        return invalid("invalid cgroup parent " + text::printable(parent) +
                       ": that control group is the engine's own");
      }
      return Ok{};
    case Position::mount_source:
      facts.source = value(PathValue::Kind::mount);
      return Ok{};
    case Position::option_device:
      facts.device = value(PathValue::Kind::file);
      return Ok{};
    case Position::option_o: {
      // As github.com/moby/sys/mount takes the options apart.
      const std::string options = unquoted(tokens.text());
      for (const std::string_view option : text::split(options, ',')) {
        if (is_any_of(option, {"bind", "rbind"})) facts.with_bind = true;
        if (option == "trans=unix") facts.over_unix = true;
        if (is_any_of(option.substr(0, option.find('=')),
                      {"lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir"})) {
          facts.overlay_directories = true;
        }
      }
      return Ok{};
    }
    case Position::option_type:
      facts.type = unquoted(tokens.text());
      return Ok{};
    default:
      return Ok{};
  }
}

// Leaves everything as it was, in Go; an entry of a list is an empty string then.
Status RequestScanner::Impl::null() {
  EntryList* const of = list(expected);
  if (of == nullptr) return Ok{};
  const std::uint64_t begin = tokens.end() - std::string_view("null").size();
  if (shape(expected) == Shape::string) return entry(*of, {begin, tokens.end(), {}, {}});
  of->state = EntryList::State::null;
  of->at = begin;
  return Ok{};
}

Status RequestScanner::Impl::entry(EntryList& of, EntryList::Entry entry) {
  of.state = EntryList::State::filled;
  if (of.object) entry.key = std::move(label_key);
  bytes += entry.key.size() + entry.text.size();
  if (of.entries.size() == kMostValues) {
    return refuse("more than 4096 entries of " + std::string(of.name));
  }
  if (bytes > kMostBytes) return refuse("more than 4 MiB of " + std::string(of.name));
  of.entries.push_back(std::move(entry));
  return Ok{};
}

Status RequestScanner::Impl::settle() {
  if (facts.bind && facts.source) return count(std::move(*facts.source));
  if (!facts.volume || !facts.local) return Ok{};
  if (facts.device && opens_device(facts)) return count(std::move(*facts.device));
  // Bind is a flag of mount(2) that makes the type meaningless; so only without it.
  if (!facts.with_bind && facts.type == "overlay" && facts.overlay_directories) {
    return refuse("the directories in the options of an overlay volume can't be mapped");
  }
  return Ok{};
}

Status RequestScanner::Impl::bind() {
  PathValue bind = value(PathValue::Kind::bind);
  if (paths::is_path_list(bind.source)) {
    return invalid("invalid volume specification: '" + text::printable(bind.source) +
                   "': the shell (Git Bash, MSYS) has taken it for a list of paths and turned them"
                   " into Windows' form; write the second one with two slashes (//app), or set"
                   " MSYS_NO_PATHCONV=1");
  }
  const std::size_t length = paths::bind_source_length(bind.source);
  if (length == std::string::npos || length == 0) return Ok{};  // no source
  bind.rest = bind.source.substr(length);
  bind.source.resize(length);
  return count(std::move(bind));
}

Status RequestScanner::Impl::log_address() {
  PathValue address = value(PathValue::Kind::address);
  const std::string whole = std::move(address.source);
  const auto parts = split_unix_address(whole);
  if (!parts) return Ok{};
  if (!is_plain_in_url(parts->path)) {
    return refuse("the address " + text::printable(whole) +
                  " has an escape or a query in its path");
  }
  address.lead = parts->lead;
  address.source = parts->path;
  return count(std::move(address));
}

Status RequestScanner::Impl::count(PathValue value) {
  if (value.source.empty()) return Ok{};  // dockerd refuses it by itself
  bytes += value.source.size() + value.rest.size();
  if (found.paths.size() == kMostValues) return refuse("more than 4096 paths");
  if (bytes > kMostBytes) return refuse("more than 4 MiB of paths");
  found.paths.push_back(std::move(value));
  return Ok{};
}

RequestScanner::RequestScanner(Call call, const FindingKinds& wanted)
    : impl_(std::make_unique<Impl>(call, wanted)) {}
RequestScanner::~RequestScanner() = default;
RequestScanner::RequestScanner(RequestScanner&&) noexcept = default;
RequestScanner& RequestScanner::operator=(RequestScanner&&) noexcept = default;

Status RequestScanner::feed(std::string_view body) { return impl_->feed(body); }

Status RequestScanner::finish() {
  if (impl_->failed) return impl_->refuse("it was refused already");
  if (impl_->tokens.empty()) return Ok{};
  if (!impl_->tokens.finish()) return impl_->refuse("the body ends within its JSON value");
  // A number at the top is told by nothing but its end.
  return impl_->told ? Status(Ok{}) : impl_->wrong_type();
}

Findings RequestScanner::take() { return std::move(impl_->found); }

}  // namespace causeway::engine_api
