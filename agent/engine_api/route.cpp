#include "engine_api/route.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "paths/unix_path.h"

namespace causeway::engine_api {
namespace {

// dockerd's router takes /v{version:[0-9.]+} (moby, api/server/server.go).
bool is_version(std::string_view segment) {
  return segment.size() > 1 && segment[0] == 'v' &&
         std::all_of(segment.begin() + 1, segment.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

// A path's segments behind the version. One more than the longest call has, so that a longer path
// isn't taken for a call.
struct Segments {
  std::array<std::string_view, 5> at;
  std::size_t count = 0;
  std::string_view version;
  std::string_view path;  // without the version
  bool clean = true;      // no segment is empty or begins with a dot

  bool are(std::string_view a) const { return count == 1 && at[0] == a; }
  // Everything behind the first segment; {name:.*} in dockerd's routes may hold slashes.
  std::string_view rest() const { return path.substr(std::min(at[0].size() + 2, path.size())); }
};

Segments split(std::string_view path) {
  Segments out;
  out.path = path;
  std::size_t end = 0;
  while (end < path.size()) {
    const std::size_t begin = end + 1;
    end = begin;
    while (end < path.size() && path[end] != '/') ++end;
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment.empty() || segment[0] == '.') out.clean = false;
    if (out.count == 0 && out.version.empty() && is_version(segment)) {
      out.version = segment.substr(1);
      out.path = path.substr(end);
    } else if (out.count < out.at.size()) {
      out.at[out.count++] = segment;
    }
  }
  return out;
}

// Dockerd compares numbers (moby, api/types/versions). What isn't plainly 1.24 or more might be
// less for it.
bool before_1_24(std::string_view version) {
  if (version.empty()) return false;  // the newest
  const std::size_t dot = std::min(version.find('.'), version.size());
  const auto major = text::to_u64(version.substr(0, dot));
  const std::string_view rest = version.substr(std::min(dot + 1, version.size()));
  const auto minor = text::to_u64(rest.substr(0, rest.find('.')));
  if (!major || *major < 1) return true;
  return *major == 1 && (!minor || *minor < 24);
}

Call hijacking_call(bool get, const Segments& s) {
  if (s.count == 0) return Call::other;
  if (get) {
    const bool ws =
        s.count == 4 && s.at[0] == "containers" && s.at[2] == "attach" && s.at[3] == "ws";
    return ws ? Call::container_attach_ws : Call::other;
  }
  if (s.count == 3 && s.at[0] == "containers" && s.at[2] == "attach") return Call::container_attach;
  if (s.count == 3 && s.at[0] == "exec" && s.at[2] == "start") return Call::exec_start;
  if (s.are("session")) return Call::session;
  if (s.are("grpc")) return Call::grpc;
  return Call::other;
}

// Takes "/action" from the end of `name`.
bool take_action(std::string_view& name, std::string_view action) {
  if (name.size() <= action.size() || !name.ends_with(action)) return false;
  if (name[name.size() - action.size() - 1] != '/') return false;
  name.remove_suffix(action.size() + 1);
  return true;
}

// The calls with paths in them. `s` is of a clean path.
Call call_with_paths(bool get, const Segments& s, std::string_view& id) {
  if (s.count == 0) return Call::other;
  const std::string_view first = s.at[0];
  std::string_view rest = s.rest();
  if (first == "containers") {
    if (get && rest == "json") return Call::container_list;
    if (!get && rest == "create") return Call::container_create;
    Call call = Call::other;
    if (get && take_action(rest, "json")) call = Call::container_inspect;
    if (!get && take_action(rest, "restart")) call = Call::container_restart;
    if (!get && take_action(rest, "start")) {
      call = before_1_24(s.version) ? Call::container_start_with_config : Call::container_start;
    }
    if (call != Call::other) id = rest;
    return call;
  }
  if (first == "volumes") {
    if (!get) return rest == "create" ? Call::volume_create : Call::other;
    id = rest;
    return rest.empty() ? Call::volume_list : Call::volume_inspect;
  }
  if (first == "info") return get && rest.empty() ? Call::system_info : Call::other;
  if (first == "images") {
    if (!get || !take_action(rest, "json")) return Call::other;
    id = rest;
    return Call::image_inspect;
  }
  if (first == "system") return get && rest == "df" ? Call::system_df : Call::other;
  if (first == "services" && !get) {
    if (rest == "create") return Call::service_create;
    if (s.count != 3 || !take_action(rest, "update")) return Call::other;
    id = rest;
    return Call::service_update;
  }
  if ((first != "services" && first != "tasks") || !get || s.count > 2) return Call::other;
  id = rest;
  if (first == "tasks") return rest.empty() ? Call::task_list : Call::task_inspect;
  return rest.empty() ? Call::service_list : Call::service_inspect;
}

}  // namespace

std::string decoded_path(std::string_view target) {
  return text::percent_decoded(target.substr(0, target.find('?')));
}

Route route(std::string_view method, std::string_view target) {
  Route found;
  // The calls of the table are POST and GET: the others need no work.
  const bool get = method == "GET";
  if (!get && method != "POST") return found;
  std::string decoded;
  std::string_view path = target.substr(0, target.find('?'));
  if (path.find('%') != std::string_view::npos) path = decoded = decoded_path(target);
  const Segments segments = split(path);
  found.version = segments.version;
  found.call = hijacking_call(get, segments);
  if (found.call != Call::other) {
    if (segments.count > 1) found.id = segments.at[1];
    return found;
  }
  std::string_view id;
  std::string cleaned;
  if (segments.clean) {
    found.call = call_with_paths(get, segments, id);
  } else {
    cleaned = paths::clean(path);  // as Go's path.Clean
    const Segments of_clean = split(cleaned);
    found.call = call_with_paths(get, of_clean, id);
    if (found.call != Call::other) found.version = of_clean.version;
  }
  found.id = id;
  return found;
}

bool hijackable(Call call) {
  switch (call) {
    case Call::container_attach:
    case Call::container_attach_ws:
    case Call::exec_start:
    case Call::session:
    case Call::grpc:
      return true;
    case Call::other:
    case Call::container_create:
    case Call::container_start:
    case Call::container_start_with_config:
    case Call::container_restart:
    case Call::container_list:
    case Call::container_inspect:
    case Call::volume_create:
    case Call::volume_list:
    case Call::volume_inspect:
    case Call::system_df:
    case Call::system_info:
    case Call::image_inspect:
    case Call::service_create:
    case Call::service_update:
    case Call::service_list:
    case Call::service_inspect:
    case Call::task_list:
    case Call::task_inspect:
      return false;
  }
  return false;
}

bool request_has_paths(Call call) {
  return call == Call::container_create || call == Call::container_start_with_config ||
         call == Call::volume_create || call == Call::service_create ||
         call == Call::service_update;
}

bool response_has_paths(Call call) { return call != Call::other && !hijackable(call); }

bool starts_container(Call call) {
  return call == Call::container_start || call == Call::container_start_with_config ||
         call == Call::container_restart;
}

}  // namespace causeway::engine_api
