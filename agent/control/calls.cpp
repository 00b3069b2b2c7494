#include "control/calls.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace causeway::control {
namespace {

std::optional<std::string> percent_decoded(std::string_view s) {
  bool malformed = false;
  auto out = text::percent_decoded(s, &malformed);
  return malformed ? std::nullopt : std::optional(std::move(out));
}

// In a query + is a blank (HTML's form encoding).
std::optional<std::string> query_decoded(std::string_view s) {
  std::string blanks(s);
  std::replace(blanks.begin(), blanks.end(), '+', ' ');
  return percent_decoded(blanks);
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

Match refuse(int status, const std::string& message) {
  Match out;
  out.refusal = refusal(status, message);
  return out;
}

std::string bad_parameter(const Parameter& parameter) {
  return "query parameter " + std::string(parameter.name) + ": must be a number from " +
         std::to_string(parameter.least) + " to " + std::to_string(parameter.most);
}

// An empty text when all is well.
std::string read_query(std::string_view query, const Route& route, Request& out) {
  if (query.empty()) return {};
  for (const auto pair : text::split(query, '&')) {
    const auto equals = pair.find('=');
    const auto key = query_decoded(pair.substr(0, equals));
    const auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                        : query_decoded(pair.substr(equals + 1));
    if (!key || !value) return "the query is not properly percent-encoded";
    const auto known = std::find_if(route.parameters.begin(), route.parameters.end(),
                                    [&](const auto& parameter) { return parameter.name == *key; });
    if (known == route.parameters.end()) return "unknown query parameter " + text::printable(*key);
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

Match Calls::match(std::string_view method, std::string_view target) const {
  const auto mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  std::string allow;
  for (const Call& call : calls_) {
    std::string_view name;
    if (!path_fits(call.route.path, path, name)) continue;
    if (call.route.method != method) {
      if (!allow.empty()) allow += ", ";
      allow += call.route.method;
      continue;
    }
    Match out;
    out.call = &call;
    auto decoded = percent_decoded(name);
    if (!decoded) return refuse(400, "the path is not properly percent-encoded");
    out.request.name = *std::move(decoded);
    if (mark != std::string_view::npos)
      if (auto problem = read_query(target.substr(mark + 1), call.route, out.request);
          !problem.empty())
        return refuse(400, problem);
    return out;
  }
  if (allow.empty()) return refuse(404, "no such path: " + text::printable(path));
  Match out = refuse(405, "this path takes " + allow + ", not " + text::printable(method));
  out.allow = std::move(allow);
  return out;
}

}  // namespace causeway::control
