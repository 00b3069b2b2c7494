#include "engine_api/response_rewriter.h"

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "engine_api/json_text.h"
#include "engine_api/json_tokenizer.h"
#include "engine_api/unix_address.h"

namespace causeway::engine_api {
namespace {

using Token = JsonTokenizer::Token;

// The values on the way to a path.
enum class Position : std::uint8_t {
  none,
  // Strings that change.
  path,
  path_list,  // with colons between them
  address,
  bind,
  text,
  // Arrays and objects.
  error,
  container,
  containers,
  state,
  network,
  host_config,
  binds,
  devices,
  device,
  throttles,
  throttle,
  log_config,
  log_options,
  graph_driver,
  graph_data,
  image,
  info,
  mounts,
  mount,
  path_map,
  volume_options,
  driver_config,
  driver_options,
  texts,
  created,
  volume,  // or the list of them
  volumes,
  disk_usage,
  container_usage,
  volume_usage,
  service,
  services,
  service_spec,
  task_template,
  container_spec,
  task,
  tasks,
};

bool is_string(Position position) {
  return position >= Position::path && position <= Position::text;
}

struct Member {
  std::string_view name;
  Position position = Position::none;
};

// Of an object: the members on the way.
Position member(Position position, std::string_view name) {
  constexpr auto kFind = [](const auto& known, std::string_view wanted) {
    for (const Member& m : known) {
      if (m.name == wanted) return m.position;
    }
    return Position::none;
  };
  static constexpr std::array<Member, 1> kError = {{{"message", Position::text}}};
  // Volumes: before API 1.20 a map from destination to source.
  static constexpr std::array<Member, 10> kContainer = {{{"Mounts", Position::mounts},
                                                         {"NetworkSettings", Position::network},
                                                         {"HostConfig", Position::host_config},
                                                         {"State", Position::state},
                                                         {"Volumes", Position::path_map},
                                                         {"ResolvConfPath", Position::path},
                                                         {"HostnamePath", Position::path},
                                                         {"HostsPath", Position::path},
                                                         {"LogPath", Position::path},
                                                         {"GraphDriver", Position::graph_driver}}};
  static constexpr std::array<Member, 1> kNetwork = {{{"SandboxKey", Position::path}}};
  static constexpr std::array<Member, 1> kState = {{{"Error", Position::text}}};
  static constexpr std::array<Member, 9> kHostConfig = {
      {{"Binds", Position::binds},
       {"Mounts", Position::mounts},
       {"Devices", Position::devices},
       {"BlkioWeightDevice", Position::throttles},
       {"BlkioDeviceReadBps", Position::throttles},
       {"BlkioDeviceWriteBps", Position::throttles},
       {"BlkioDeviceReadIOps", Position::throttles},
       {"BlkioDeviceWriteIOps", Position::throttles},
       {"LogConfig", Position::log_config}}};
  static constexpr std::array<Member, 1> kDevice = {{{"PathOnHost", Position::path}}};
  static constexpr std::array<Member, 1> kThrottle = {{{"Path", Position::path}}};
  static constexpr std::array<Member, 2> kLogConfig = {
      {{"Config", Position::log_options}, {"Options", Position::log_options}}};
  static constexpr std::array<Member, 6> kLogOptions = {{{"syslog-address", Position::address},
                                                         {"fluentd-address", Position::address},
                                                         {"syslog-tls-ca-cert", Position::path},
                                                         {"syslog-tls-cert", Position::path},
                                                         {"syslog-tls-key", Position::path},
                                                         {"splunk-capath", Position::path}}};
  static constexpr std::array<Member, 1> kGraphDriver = {{{"Data", Position::graph_data}}};
  static constexpr std::array<Member, 1> kImage = {{{"GraphDriver", Position::graph_driver}}};
  static constexpr std::array<Member, 1> kInfo = {{{"DockerRootDir", Position::path}}};
  static constexpr std::array<Member, 2> kMount = {
      {{"Source", Position::path}, {"VolumeOptions", Position::volume_options}}};
  static constexpr std::array<Member, 1> kVolumeOptions = {
      {{"DriverConfig", Position::driver_config}}};
  static constexpr std::array<Member, 1> kDriverConfig = {{{"Options", Position::driver_options}}};
  static constexpr std::array<Member, 1> kDriverOptions = {{{"device", Position::path}}};
  static constexpr std::array<Member, 1> kCreated = {{{"Warnings", Position::texts}}};
  static constexpr std::array<Member, 4> kVolume = {{{"Options", Position::driver_options},
                                                     {"Mountpoint", Position::path},
                                                     {"Volumes", Position::volumes},
                                                     {"Warnings", Position::texts}}};
  // Since API 1.52 lists stand within an object for each kind (moby, api/types/system), instead of
  // the lists at the top or beside them. The last two are their names in its documentation.
  static constexpr std::array<Member, 6> kDiskUsage = {
      {{"Containers", Position::containers},
       {"Volumes", Position::volumes},
       {"ContainerUsage", Position::container_usage},
       {"VolumeUsage", Position::volume_usage},
       {"ContainersDiskUsage", Position::container_usage},
       {"VolumesDiskUsage", Position::volume_usage}}};
  static constexpr std::array<Member, 1> kContainerUsage = {{{"Items", Position::containers}}};
  static constexpr std::array<Member, 1> kVolumeUsage = {{{"Items", Position::volumes}}};
  static constexpr std::array<Member, 3> kService = {{{"Spec", Position::service_spec},
                                                      {"PreviousSpec", Position::service_spec},
                                                      {"Warnings", Position::texts}}};
  static constexpr std::array<Member, 1> kServiceSpec = {
      {{"TaskTemplate", Position::task_template}}};
  static constexpr std::array<Member, 2> kTaskTemplate = {
      {{"ContainerSpec", Position::container_spec}, {"LogDriver", Position::log_config}}};
  static constexpr std::array<Member, 1> kContainerSpec = {{{"Mounts", Position::mounts}}};
  static constexpr std::array<Member, 1> kTask = {{{"Spec", Position::task_template}}};
  switch (position) {
    case Position::error:
      return kFind(kError, name);
    case Position::container:
      return kFind(kContainer, name);
    case Position::state:
      return kFind(kState, name);
    case Position::network:
      return kFind(kNetwork, name);
    case Position::host_config:
      return kFind(kHostConfig, name);
    case Position::device:
      return kFind(kDevice, name);
    case Position::throttle:
      return kFind(kThrottle, name);
    case Position::log_config:
      return kFind(kLogConfig, name);
    case Position::log_options:
      return kFind(kLogOptions, name);
    case Position::graph_driver:
      return kFind(kGraphDriver, name);
    case Position::graph_data:
      return Position::path_list;
    case Position::image:
      return kFind(kImage, name);
    case Position::info:
      return kFind(kInfo, name);
    case Position::mount:
      return kFind(kMount, name);
    case Position::path_map:
      return Position::path;
    case Position::volume_options:
      return kFind(kVolumeOptions, name);
    case Position::driver_config:
      return kFind(kDriverConfig, name);
    case Position::driver_options:
      return kFind(kDriverOptions, name);
    case Position::created:
      return kFind(kCreated, name);
    case Position::volume:
      return kFind(kVolume, name);
    case Position::disk_usage:
      return kFind(kDiskUsage, name);
    case Position::container_usage:
      return kFind(kContainerUsage, name);
    case Position::volume_usage:
      return kFind(kVolumeUsage, name);
    case Position::service:
      return kFind(kService, name);
    case Position::service_spec:
      return kFind(kServiceSpec, name);
    case Position::task_template:
      return kFind(kTaskTemplate, name);
    case Position::container_spec:
      return kFind(kContainerSpec, name);
    case Position::task:
      return kFind(kTask, name);
    default:
      return Position::none;
  }
}

// Of an array: what its elements are.
Position element(Position position) {
  switch (position) {
    case Position::containers:
      return Position::container;
    case Position::binds:
      return Position::bind;
    case Position::mounts:
      return Position::mount;
    case Position::devices:
      return Position::device;
    case Position::throttles:
      return Position::throttle;
    case Position::texts:
      return Position::text;
    case Position::volumes:
      return Position::volume;
    case Position::services:
      return Position::service;
    case Position::tasks:
      return Position::task;
    default:
      return Position::none;
  }
}

Position root(Call call, int status) {
  if (status >= 400) return Position::error;
  switch (call) {
    case Call::container_list:
      return Position::containers;
    case Call::container_inspect:
      return Position::container;
    case Call::container_create:
      return Position::created;
    case Call::volume_create:
    case Call::volume_list:
    case Call::volume_inspect:
      return Position::volume;
    case Call::system_df:
      return Position::disk_usage;
    case Call::system_info:
      return Position::info;
    case Call::image_inspect:
      return Position::image;
    case Call::service_list:
      return Position::services;
    case Call::service_inspect:
    case Call::service_create:
    case Call::service_update:
      return Position::service;
    case Call::task_list:
      return Position::tasks;
    case Call::task_inspect:
      return Position::task;
    default:
      return Position::none;
  }
}

}  // namespace

struct ResponseRewriter::Impl {
  Impl(Call call, int status, Unmap path, Unmap text)
      : tokens(kLongestValue),
        expected(root(call, status)),
        raw(expected == Position::none),
        unmap_path(std::move(path)),
        unmap_text(std::move(text)) {
    levels.reserve(10);
  }

  void feed(std::string_view in, std::string& out);
  void handle(Token token, std::string_view in, std::string& out);
  void string(std::string_view in, std::string& out);
  // The new text; nothing when it stays.
  std::optional<std::string> changed() const;
  void end_of_piece(std::string_view in, std::string& out);
  void release(std::string& out);

  JsonTokenizer tokens;
  std::vector<Position> levels;
  Position expected;     // what the next value is
  bool raw;              // nothing changes any more
  bool held = false;     // the beginning of the present string, from earlier pieces, was kept back
  std::size_t done = 0;  // of this piece
  Unmap unmap_path;
  Unmap unmap_text;
};

void ResponseRewriter::Impl::feed(std::string_view in, std::string& out) {
  if (raw) {
    out.append(in);
    return;
  }
  tokens.give(in);
  done = 0;
  for (Token token = tokens.next(); token != Token::more; token = tokens.next()) {
    handle(token, in, out);
    if (raw) break;
  }
  end_of_piece(in, out);
}

void ResponseRewriter::Impl::handle(Token token, std::string_view in, std::string& out) {
  switch (token) {
    case Token::object_begin:
    case Token::array_begin:
      // A value of another form than it should be has nothing for us in it.
      if (expected == Position::none || is_string(expected) ||
          (element(expected) != Position::none) != (token == Token::array_begin)) {
        if (levels.empty()) raw = true;
        tokens.skip();
        return;
      }
      levels.push_back(expected);
      expected = element(expected);
      return;
    case Token::object_end:
    case Token::array_end:
      levels.pop_back();
      break;
    case Token::key:
      expected = tokens.too_long() ? Position::none : member(levels.back(), tokens.text());
      if (expected == Position::none) tokens.skip();
      return;
    case Token::string:
      if (is_string(expected)) string(in, out);
      break;
    case Token::error:
      raw = true;
      return;
    case Token::null:
    case Token::scalar:
    case Token::skipped:
    case Token::more:
      break;
  }
  // Within an array the next element may follow.
  if (!levels.empty()) expected = element(levels.back());
}

std::optional<std::string> ResponseRewriter::Impl::changed() const {
  if (tokens.too_long()) return std::nullopt;
  const std::string before = unquoted(tokens.text());
  std::string after;
  if (expected == Position::text) {
    after = unmap_text(before);
  } else if (expected == Position::path) {
    after = unmap_path(before);
  } else if (expected == Position::path_list) {
    for (const std::string_view one : text::split(before, ':')) after += unmap_path(one) + ":";
    after.pop_back();
  } else if (expected == Position::address) {
    const auto parts = split_unix_address(before);
    if (!parts) return std::nullopt;
    after = std::string(parts->lead) + unmap_path(parts->path);
  } else {
    // As the engine stores it: a Linux path up to the first colon, or a volume's name.
    const std::size_t colon = before.find(':');
    if (colon == std::string::npos) return std::nullopt;
    after = unmap_path(std::string_view(before).substr(0, colon)) + before.substr(colon);
  }
  if (after == before) return std::nullopt;
  return after;
}

void ResponseRewriter::Impl::string(std::string_view in, std::string& out) {
  const auto end = static_cast<std::size_t>(tokens.end() - tokens.begin_of_piece());
  if (const auto text = changed()) {
    if (!held) {
      const auto begin = static_cast<std::size_t>(tokens.begin() - tokens.begin_of_piece());
      out.append(in.substr(done, begin - done));
    }
    append_quoted(out, *text);
    held = false;
    done = end;
  } else if (held && !tokens.too_long()) {
    out.append(1, '"').append(tokens.text()).append(1, '"');
    held = false;
    done = end;
  } else {
    release(out);
  }
}

// What was kept back of the present string goes out as it is; what this piece has of it follows.
void ResponseRewriter::Impl::release(std::string& out) {
  if (held) out.append(1, '"').append(tokens.kept());
  held = false;
}

void ResponseRewriter::Impl::end_of_piece(std::string_view in, std::string& out) {
  if (raw || !tokens.within_string() || !is_string(expected) || tokens.too_long()) {
    release(out);
    out.append(in.substr(done));
    return;
  }
  if (!held) {
    const auto begin = static_cast<std::size_t>(tokens.begin() - tokens.begin_of_piece());
    out.append(in.substr(done, begin - done));
  }
  held = true;
}

ResponseRewriter::ResponseRewriter(Call call, int status, Unmap path, Unmap text)
    : impl_(std::make_unique<Impl>(call, status, std::move(path), std::move(text))) {}
ResponseRewriter::~ResponseRewriter() = default;
ResponseRewriter::ResponseRewriter(ResponseRewriter&&) noexcept = default;
ResponseRewriter& ResponseRewriter::operator=(ResponseRewriter&&) noexcept = default;

void ResponseRewriter::feed(std::string_view in, std::string& out) { impl_->feed(in, out); }

void ResponseRewriter::finish(std::string& out) {
  impl_->release(out);
  impl_->raw = true;
}

}  // namespace causeway::engine_api
