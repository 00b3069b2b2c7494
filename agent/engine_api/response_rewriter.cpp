#include "engine_api/response_rewriter.h"

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine_api/json_text.h"
#include "engine_api/json_tokenizer.h"

namespace causeway::engine_api {
namespace {

using Token = JsonTokenizer::Token;

// The values on the way to a path.
enum class Place : std::uint8_t {
  none,
  // Strings that change.
  path,
  bind,
  text,
  // Arrays and objects.
  error,
  container,
  containers,
  state,
  host_config,
  binds,
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

bool is_string(Place place) { return place >= Place::path && place <= Place::text; }

struct Member {
  std::string_view name;
  Place place = Place::none;
};

// Of an object: the members on the way.
Place member(Place place, std::string_view name) {
  constexpr auto kFind = [](const auto& known, std::string_view wanted) {
    for (const Member& m : known) {
      if (m.name == wanted) return m.place;
    }
    return Place::none;
  };
  static constexpr std::array<Member, 1> kError = {{{"message", Place::text}}};
  // Volumes: before API 1.20 a map from destination to source.
  static constexpr std::array<Member, 4> kContainer = {{{"Mounts", Place::mounts},
                                                        {"HostConfig", Place::host_config},
                                                        {"State", Place::state},
                                                        {"Volumes", Place::path_map}}};
  static constexpr std::array<Member, 1> kState = {{{"Error", Place::text}}};
  static constexpr std::array<Member, 2> kHostConfig = {
      {{"Binds", Place::binds}, {"Mounts", Place::mounts}}};
  static constexpr std::array<Member, 2> kMount = {
      {{"Source", Place::path}, {"VolumeOptions", Place::volume_options}}};
  static constexpr std::array<Member, 1> kVolumeOptions = {
      {{"DriverConfig", Place::driver_config}}};
  static constexpr std::array<Member, 1> kDriverConfig = {{{"Options", Place::driver_options}}};
  static constexpr std::array<Member, 1> kDriverOptions = {{{"device", Place::path}}};
  static constexpr std::array<Member, 1> kCreated = {{{"Warnings", Place::texts}}};
  static constexpr std::array<Member, 3> kVolume = {{{"Options", Place::driver_options},
                                                     {"Volumes", Place::volumes},
                                                     {"Warnings", Place::texts}}};
  // The two in the second line: since API 1.52.
  static constexpr std::array<Member, 4> kDiskUsage = {{{"Containers", Place::containers},
                                                        {"Volumes", Place::volumes},
                                                        {"ContainerUsage", Place::container_usage},
                                                        {"VolumeUsage", Place::volume_usage}}};
  static constexpr std::array<Member, 1> kContainerUsage = {{{"Items", Place::containers}}};
  static constexpr std::array<Member, 1> kVolumeUsage = {{{"Items", Place::volumes}}};
  static constexpr std::array<Member, 3> kService = {{{"Spec", Place::service_spec},
                                                      {"PreviousSpec", Place::service_spec},
                                                      {"Warnings", Place::texts}}};
  static constexpr std::array<Member, 1> kServiceSpec = {{{"TaskTemplate", Place::task_template}}};
  static constexpr std::array<Member, 1> kTaskTemplate = {
      {{"ContainerSpec", Place::container_spec}}};
  static constexpr std::array<Member, 1> kContainerSpec = {{{"Mounts", Place::mounts}}};
  static constexpr std::array<Member, 1> kTask = {{{"Spec", Place::task_template}}};
  switch (place) {
    case Place::error:
      return kFind(kError, name);
    case Place::container:
      return kFind(kContainer, name);
    case Place::state:
      return kFind(kState, name);
    case Place::host_config:
      return kFind(kHostConfig, name);
    case Place::mount:
      return kFind(kMount, name);
    case Place::path_map:
      return Place::path;
    case Place::volume_options:
      return kFind(kVolumeOptions, name);
    case Place::driver_config:
      return kFind(kDriverConfig, name);
    case Place::driver_options:
      return kFind(kDriverOptions, name);
    case Place::created:
      return kFind(kCreated, name);
    case Place::volume:
      return kFind(kVolume, name);
    case Place::disk_usage:
      return kFind(kDiskUsage, name);
    case Place::container_usage:
      return kFind(kContainerUsage, name);
    case Place::volume_usage:
      return kFind(kVolumeUsage, name);
    case Place::service:
      return kFind(kService, name);
    case Place::service_spec:
      return kFind(kServiceSpec, name);
    case Place::task_template:
      return kFind(kTaskTemplate, name);
    case Place::container_spec:
      return kFind(kContainerSpec, name);
    case Place::task:
      return kFind(kTask, name);
    default:
      return Place::none;
  }
}

// Of an array: what its elements are.
Place element(Place place) {
  switch (place) {
    case Place::containers:
      return Place::container;
    case Place::binds:
      return Place::bind;
    case Place::mounts:
      return Place::mount;
    case Place::texts:
      return Place::text;
    case Place::volumes:
      return Place::volume;
    case Place::services:
      return Place::service;
    case Place::tasks:
      return Place::task;
    default:
      return Place::none;
  }
}

Place root(Call call, int status) {
  if (status >= 400) return Place::error;
  switch (call) {
    case Call::container_list:
      return Place::containers;
    case Call::container_inspect:
      return Place::container;
    case Call::container_create:
      return Place::created;
    case Call::volume_create:
    case Call::volume_list:
    case Call::volume_inspect:
      return Place::volume;
    case Call::system_df:
      return Place::disk_usage;
    case Call::service_list:
      return Place::services;
    case Call::service_inspect:
    case Call::service_create:
    case Call::service_update:
      return Place::service;
    case Call::task_list:
      return Place::tasks;
    case Call::task_inspect:
      return Place::task;
    default:
      return Place::none;
  }
}

}  // namespace

struct ResponseRewriter::Impl {
  Impl(Call call, int status, Unmap path, Unmap text)
      : tokens(kLongestValue),
        expected(root(call, status)),
        raw(expected == Place::none),
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
  std::vector<Place> levels;
  Place expected;        // what the next value is
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
      if (expected == Place::none || is_string(expected) ||
          (element(expected) != Place::none) != (token == Token::array_begin)) {
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
      expected = tokens.too_long() ? Place::none : member(levels.back(), tokens.text());
      if (expected == Place::none) tokens.skip();
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
  if (expected == Place::text) {
    after = unmap_text(before);
  } else if (expected == Place::path) {
    after = unmap_path(before);
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
