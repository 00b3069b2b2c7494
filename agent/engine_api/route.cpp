#include "engine_api/route.h"

#include <algorithm>
#include <array>

namespace causeway::engine_api {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// dockerd's router takes /v{version:[0-9.]+} (moby, api/server/server.go).
bool is_version(std::string_view segment) {
  return segment.size() > 1 && segment[0] == 'v' &&
         std::all_of(segment.begin() + 1, segment.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

}  // namespace

std::string decoded_path(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size() && hex_value(path[i + 1]) >= 0 &&
        hex_value(path[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(path[i + 1]) * 16 + hex_value(path[i + 2]));
      i += 2;
    } else {
      out += path[i];
    }
  }
  return out;
}

Route route(std::string_view method, std::string_view target) {
  Route found;
  // The calls of the table are POST, and one GET: the others need no work.
  if (method != "POST" && method != "GET") return found;
  std::string decoded;
  std::string_view path = target.substr(0, target.find('?'));
  if (path.find('%') != std::string_view::npos) path = decoded = decoded_path(target);
  // One segment more than the longest call has, so that a longer path matches none.
  std::array<std::string_view, 6> segments;
  std::size_t n = 0;
  while (!path.empty() && n < segments.size()) {
    path.remove_prefix(1);
    segments[n] = path.substr(0, path.find('/'));
    path.remove_prefix(segments[n].size());
    ++n;
  }
  const std::string_view* segment = segments.data();
  if (n > 0 && is_version(segment[0])) {
    found.version = segment[0].substr(1);
    ++segment;
    --n;
  }
  if (method == "GET") {
    if (n == 4 && segment[0] == "containers" && segment[2] == "attach" && segment[3] == "ws") {
      found.call = Call::container_attach_ws;
      found.id = segment[1];
    }
  } else if (n == 3 && segment[0] == "containers" && segment[2] == "attach") {
    found.call = Call::container_attach;
    found.id = segment[1];
  } else if (n == 3 && segment[0] == "exec" && segment[2] == "start") {
    found.call = Call::exec_start;
    found.id = segment[1];
  } else if (n == 1 && segment[0] == "session") {
    found.call = Call::session;
  } else if (n == 1 && segment[0] == "grpc") {
    found.call = Call::grpc;
  }
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
      return false;
  }
  return false;
}

}  // namespace causeway::engine_api
