#include "engine_api/route.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

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
  // The calls of the table are POST, and one GET under /containers: the frequent requests need no
  // work.
  if (method != "POST" && method != "GET") return found;
  const std::string path = decoded_path(target);
  std::vector<std::string_view> segments = text::split(path, '/');
  segments.erase(segments.begin());  // what stands before the first slash: nothing
  if (!segments.empty() && is_version(segments[0])) {
    found.version = segments[0].substr(1);
    segments.erase(segments.begin());
  }
  const std::size_t n = segments.size();
  if (method == "GET") {
    if (n == 4 && segments[0] == "containers" && segments[2] == "attach" && segments[3] == "ws") {
      found.call = Call::container_attach_ws;
      found.id = segments[1];
    }
    return found;
  }
  if (n == 3 && segments[0] == "containers" && segments[2] == "attach") {
    found.call = Call::container_attach;
    found.id = segments[1];
  } else if (n == 3 && segments[0] == "exec" && segments[2] == "start") {
    found.call = Call::exec_start;
    found.id = segments[1];
  } else if (n == 1 && segments[0] == "session") {
    found.call = Call::session;
  } else if (n == 1 && segments[0] == "grpc") {
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
