#include "control/routes.h"

#include <array>
#include <optional>

#include "base/text.h"

namespace causeway::control {
namespace {

// A follower that wants all that is kept may ask for it: the rings in memory are smaller than this.
constexpr std::uint64_t kMaxTail = 100'000;
// No start or stop rule of a service takes longer than an hour.
constexpr std::uint64_t kMaxWaitSeconds = 3600;

constexpr std::array<Parameter, 4> kLogParameters = {
    {{"service", 0, 0}, {"tail", 0, kMaxTail}, {"follow", 0, 1}, {"fresh", 0, 1}}};
constexpr std::array<Parameter, 2> kActParameters = {
    {{"wait", 0, 1}, {"timeout_s", 1, kMaxWaitSeconds}}};

constexpr std::array<Route, 12> kRoutes = {{
    {"GET", "/v1/status", Call::status, {}, {}},
    {"GET", "/v1/version", Call::version, {}, {}},
    {"GET", "/v1/logs", Call::logs, {}, kLogParameters},
    {"GET", "/v1/events", Call::events, {}, {}},
    {"POST", "/v1/services/{name}/start", Call::act, control_api::Action::start, kActParameters},
    {"POST", "/v1/services/{name}/stop", Call::act, control_api::Action::stop, kActParameters},
    {"POST", "/v1/services/{name}/restart", Call::act, control_api::Action::restart,
     kActParameters},
    {"GET", "/v1/distros", Call::distros, {}, {}},
    {"POST", "/v1/distros/{name}/enable", Call::enable_distro, {}, {}},
    {"POST", "/v1/distros/{name}/disable", Call::disable_distro, {}, {}},
    {"GET", "/v1/link", Call::link, {}, {}},
    {"POST", "/v1/clock", Call::clock, {}, {}},
}};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view s, bool query) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '+' && query) {
      out += ' ';
    } else if (s[i] != '%') {
      out += s[i];
    } else {
      if (i + 2 >= s.size() || hex_digit(s[i + 1]) < 0 || hex_digit(s[i + 2]) < 0)
        return std::nullopt;
      out += static_cast<char>(hex_digit(s[i + 1]) * 16 + hex_digit(s[i + 2]));
      i += 2;
    }
  }
  return out;
}

// Segment by segment; `name` gets what stands at {name}.
bool path_fits(std::string_view pattern, std::string_view path, std::string_view& name) {
  const auto want = text::split(pattern, '/');
  const auto have = text::split(path, '/');
  if (want.size() != have.size()) return false;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (want[i] == "{name}" && !have[i].empty()) {
      name = have[i];
    } else if (want[i] != have[i]) {
      return false;
    }
  }
  return true;
}

Match refuse(int status, std::string message) {
  Match out;
  out.refusal = status;
  out.message = std::move(message);
  return out;
}

std::string bad_parameter(const Parameter& parameter) {
  return "query parameter " + std::string(parameter.name) + ": must be a number from " +
         std::to_string(parameter.least) + " to " + std::to_string(parameter.most);
}

// An empty text when all is well.
std::string read_query(std::string_view query, const Route& route, Match& out) {
  if (query.empty()) return {};
  for (const auto pair : text::split(query, '&')) {
    const auto equals = pair.find('=');
    const auto key = percent_decoded(pair.substr(0, equals), true);
    const auto value = equals == std::string_view::npos
                           ? std::optional<std::string>("")
                           : percent_decoded(pair.substr(equals + 1), true);
    if (!key || !value) return "the query is not properly percent-encoded";
    const Parameter* known = nullptr;
    for (const auto& parameter : route.parameters)
      if (parameter.name == *key) known = &parameter;
    if (known == nullptr) return "unknown query parameter " + text::printable(*key);
    if (known->most > 0) {
      const auto number = text::to_u64(*value);
      if (!number || *number < known->least || *number > known->most) return bad_parameter(*known);
    }
    if (!out.query.emplace(*key, *value).second)
      return "query parameter " + *key + " is there twice";
  }
  return {};
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

std::uint64_t Match::number(std::string_view parameter, std::uint64_t otherwise) const {
  const auto found = query.find(parameter);
  return found == query.end() ? otherwise : text::to_u64(found->second).value_or(otherwise);
}

Match match(std::string_view method, std::string_view target) {
  const auto mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  std::string allow;
  for (const Route& route : kRoutes) {
    std::string_view name;
    if (!path_fits(route.path, path, name)) continue;
    if (route.method != method) {
      if (!allow.empty()) allow += ", ";
      allow += route.method;
      continue;
    }
    Match out;
    out.route = &route;
    auto decoded = percent_decoded(name, false);
    if (!decoded) return refuse(400, "the path is not properly percent-encoded");
    out.name = *std::move(decoded);
    if (mark != std::string_view::npos)
      if (auto problem = read_query(target.substr(mark + 1), route, out); !problem.empty())
        return refuse(400, std::move(problem));
    return out;
  }
  if (allow.empty()) return refuse(404, "no such path: " + text::printable(path));
  Match out = refuse(405, "this path takes " + allow + ", not " + text::printable(method));
  out.allow = std::move(allow);
  return out;
}

}  // namespace causeway::control
