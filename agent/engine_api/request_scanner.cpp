#include "engine_api/request_scanner.h"

#include <array>
#include <optional>
#include <utility>

#include "base/text.h"
#include "engine_api/json_text.h"
#include "engine_api/json_tokenizer.h"
#include "paths/path_mapper.h"

namespace causeway::engine_api {
namespace {

using Token = JsonTokenizer::Token;

// The values on the way to a path, and what they must be.
enum class Place : std::uint8_t {
  none,
  container,  // container.Config with HostConfig, and HostConfig's members beside it
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
  volume,
  service,
  task_template,
  container_spec,
};

enum class Shape : std::uint8_t { object, array, string };

Shape shape(Place place) {
  switch (place) {
    case Place::binds:
    case Place::mounts:
      return Shape::array;
    case Place::bind:
    case Place::mount_type:
    case Place::mount_source:
    case Place::driver_name:
    case Place::option_device:
    case Place::option_o:
    case Place::option_type:
      return Shape::string;
    case Place::none:
    case Place::container:
    case Place::host_config:
    case Place::mount:
    case Place::volume_options:
    case Place::driver_config:
    case Place::driver_options:
    case Place::volume:
    case Place::service:
    case Place::task_template:
    case Place::container_spec:
      break;
  }
  return Shape::object;
}

// For the error texts: as dockerd's documentation names them.
std::string_view name(Place place) {
  switch (place) {
    case Place::host_config:
      return "HostConfig";
    case Place::binds:
      return "Binds";
    case Place::bind:
      return "an element of Binds";
    case Place::mounts:
      return "Mounts";
    case Place::mount:
      return "an element of Mounts";
    case Place::mount_type:
      return "a mount's Type";
    case Place::mount_source:
      return "a mount's Source";
    case Place::volume_options:
      return "a mount's VolumeOptions";
    case Place::driver_config:
      return "VolumeOptions.DriverConfig";
    case Place::driver_name:
      return "a volume driver's name";
    case Place::driver_options:
      return "a volume driver's options";
    case Place::option_device:
      return "a volume's option device";
    case Place::option_o:
      return "a volume's option o";
    case Place::option_type:
      return "a volume's option type";
    case Place::task_template:
      return "TaskTemplate";
    case Place::container_spec:
      return "TaskTemplate.ContainerSpec";
    case Place::none:
    case Place::container:
    case Place::volume:
    case Place::service:
      break;
  }
  return "the body";
}

struct Member {
  std::string_view name;  // in lower case
  Place place = Place::none;
};

using Members = std::array<Member, 3>;

Members members(Place place) {
  switch (place) {
    case Place::container:
      return {
          {{"hostconfig", Place::host_config}, {"binds", Place::binds}, {"mounts", Place::mounts}}};
    case Place::host_config:
      return {{{"binds", Place::binds}, {"mounts", Place::mounts}, {}}};
    case Place::mount:
      return {{{"type", Place::mount_type},
               {"source", Place::mount_source},
               {"volumeoptions", Place::volume_options}}};
    case Place::volume_options:
      return {{{"driverconfig", Place::driver_config}, {}, {}}};
    case Place::driver_config:
      return {{{"name", Place::driver_name}, {"options", Place::driver_options}, {}}};
    case Place::driver_options:  // a Go map: these keys match exactly
      return {
          {{"device", Place::option_device}, {"o", Place::option_o}, {"type", Place::option_type}}};
    case Place::volume:
      return {{{"driver", Place::driver_name}, {"driveropts", Place::driver_options}, {}}};
    case Place::service:
      return {{{"tasktemplate", Place::task_template}, {}, {}}};
    case Place::task_template:
      return {{{"containerspec", Place::container_spec}, {}, {}}};
    case Place::container_spec:
      return {{{"mounts", Place::mounts}, {}, {}}};
    default:
      return {};
  }
}

Place root(Call call) {
  switch (call) {
    case Call::container_create:
    case Call::container_start_with_config:
      return Place::container;
    case Call::volume_create:
      return Place::volume;
    case Call::service_create:
    case Call::service_update:
      return Place::service;
    default:
      return Place::none;
  }
}

// What is known of a mount, or of a volume, before all of it was read.
struct Facts {
  bool bind = false;
  bool volume = false;
  bool local = true;  // no driver named is the local one
  bool with_bind = false;
  bool overlay = false;
  bool overlay_directories = false;
  std::optional<PathValue> source;
  std::optional<PathValue> device;
};

bool is_any_of(std::string_view s, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (s == word) return true;
  }
  return false;
}

}  // namespace

struct RequestScanner::Impl {
  struct Level {
    Place place;
    unsigned seen = 0;  // a bit for each of its members
  };

  explicit Impl(Call call) : tokens(kLongestValue), expected(root(call)) {
    levels.reserve(8);
    facts.volume = expected == Place::volume;
  }

  Status feed(std::string_view body);
  Status handle(Token token);
  Status key();
  Status begin(Shape begun);
  Status end();
  Status string();
  Status settle();
  Status count(PathValue value);
  PathValue value(PathValue::Kind kind) const {
    return {kind, tokens.begin(), tokens.end(), unquoted(tokens.text()), {}};
  }
  Status refuse(std::string message) {
    failed = true;
    return make_error("cannot map the paths of this request: " + std::move(message));
  }
  Status wrong_type() {
    constexpr std::array<std::string_view, 3> kNames = {"an object", "an array", "a string"};
    return refuse(std::string(name(expected)) + " must be " +
                  std::string(kNames[static_cast<std::size_t>(shape(expected))]));
  }

  JsonTokenizer tokens;
  std::vector<Level> levels;
  Place expected;  // what the next value is
  Facts facts;
  std::vector<PathValue> found;
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
    case Token::null:  // leaves everything as it was, in Go
    case Token::skipped:
      return Ok{};
    case Token::error:
      return refuse("the body is not valid JSON: " + tokens.error());
  }
  return Ok{};
}

Status RequestScanner::Impl::key() {
  Level& level = levels.back();
  const Members known = members(level.place);
  const bool exact = level.place == Place::driver_options;
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
  if (i == known.size() || known[i].place == Place::none) {
    tokens.skip();
    return Ok{};
  }
  const unsigned bit = 1U << i;
  expected = known[i].place;
  if ((level.seen & bit) != 0) return refuse(std::string(name(expected)) + " is given twice");
  level.seen |= bit;
  return Ok{};
}

Status RequestScanner::Impl::begin(Shape begun) {
  if (shape(expected) != begun) return wrong_type();
  levels.push_back({expected});
  if (expected == Place::mount) facts = {};
  if (expected == Place::binds) expected = Place::bind;
  if (expected == Place::mounts) expected = Place::mount;
  return Ok{};
}

Status RequestScanner::Impl::end() {
  const Place ended = levels.back().place;
  levels.pop_back();
  // Within an array the next element may follow.
  if (!levels.empty() && levels.back().place == Place::mounts) expected = Place::mount;
  return ended == Place::mount || ended == Place::volume ? settle() : Ok{};
}

Status RequestScanner::Impl::string() {
  const bool too_long = tokens.too_long();
  // Of these a long one can't be one of the words that count.
  if (expected == Place::mount_type) {
    facts.bind = !too_long && unquoted(tokens.text()) == "bind";
    facts.volume = !too_long && unquoted(tokens.text()) == "volume";
    return Ok{};
  }
  if (expected == Place::driver_name) {
    facts.local = !too_long && is_any_of(unquoted(tokens.text()), {"", "local"});
    return Ok{};
  }
  if (too_long) return refuse(std::string(name(expected)) + " is longer than 64 KiB");
  switch (expected) {
    case Place::bind: {
      PathValue bind = value(PathValue::Kind::bind);
      const std::size_t length = paths::bind_source_length(bind.source);
      if (length == std::string::npos || length == 0) return Ok{};  // no source
      bind.rest = bind.source.substr(length);
      bind.source.resize(length);
      return count(std::move(bind));
    }
    case Place::mount_source:
      facts.source = value(PathValue::Kind::mount);
      return Ok{};
    case Place::option_device:
      facts.device = value(PathValue::Kind::device);
      return Ok{};
    case Place::option_o: {
      // As github.com/moby/sys/mount takes the options apart.
      const std::string options = unquoted(tokens.text());
      for (const std::string_view option : text::split(options, ',')) {
        if (is_any_of(option, {"bind", "rbind"})) facts.with_bind = true;
        if (is_any_of(option.substr(0, option.find('=')),
                      {"lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir"})) {
          facts.overlay_directories = true;
        }
      }
      return Ok{};
    }
    case Place::option_type:
      facts.overlay = unquoted(tokens.text()) == "overlay";
      return Ok{};
    default:
      return Ok{};
  }
}

Status RequestScanner::Impl::settle() {
  if (facts.bind && facts.source) return count(std::move(*facts.source));
  if (!facts.volume || !facts.local) return Ok{};
  if (facts.with_bind && facts.device) return count(std::move(*facts.device));
  // Bind is a flag of mount(2) that makes the type meaningless; so only without it.
  if (!facts.with_bind && facts.overlay && facts.overlay_directories) {
    return refuse("the directories in the options of an overlay volume can't be mapped");
  }
  return Ok{};
}

Status RequestScanner::Impl::count(PathValue value) {
  if (value.source.empty()) return Ok{};  // dockerd refuses it by itself
  bytes += value.source.size() + value.rest.size();
  if (found.size() == kMostValues) return refuse("more than 4096 paths");
  if (bytes > kMostBytes) return refuse("more than 4 MiB of paths");
  found.push_back(std::move(value));
  return Ok{};
}

RequestScanner::RequestScanner(Call call) : impl_(std::make_unique<Impl>(call)) {}
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

std::vector<PathValue> RequestScanner::values() const { return impl_->found; }

Status can_replace(const PathValue& value, std::string_view engine_path) {
  if (value.kind == PathValue::Kind::bind && engine_path.find(':') != std::string_view::npos) {
    return make_error("the path " + text::printable(engine_path) +
                      " has a colon in it, which no bind can express: use a mount (--mount)");
  }
  std::string_view rest = engine_path;
  while (!rest.empty()) {
    const std::size_t length = utf8_length(rest);
    if (length == 0 || rest[0] == '\0') {
      return make_error("the path " + text::printable(engine_path) +
                        " is not UTF-8, so that Docker's API can't express it");
    }
    rest.remove_prefix(length);
  }
  return Ok{};
}

std::string replacement(const PathValue& value, std::string_view engine_path) {
  std::string out;
  append_quoted(out, std::string(engine_path) + value.rest, "\\u0000");
  return out;
}

}  // namespace causeway::engine_api
