// Route says which call of the Docker Engine API a request is, read the way dockerd reads it: the
// path percent-decoded, without a version prefix (/v1.41), without the query.
#pragma once

#include <string>
#include <string_view>

namespace causeway::engine_api {

// Calls that the proxy must tell apart. All others pass as they are.
enum class Call {
  other,
  container_attach,     // POST /containers/{id}/attach
  container_attach_ws,  // GET  /containers/{id}/attach/ws: a WebSocket upgrade
  exec_start,           // POST /exec/{id}/start
  session,              // POST /session: BuildKit, h2c
  grpc,                 // POST /grpc: BuildKit, h2c
};

struct Route {
  Call call = Call::other;
  std::string version;  // "1.41", empty without a prefix
  std::string id;       // what stands for {id}, decoded
};

Route route(std::string_view method, std::string_view target);

// Whether the engine may answer this call by taking the connection over: with 101, or with 200 and
// a body without length, after which both directions are raw bytes.
bool hijackable(Call call);

// The path part of a target, percent-decoded once. A bad escape stays as it is: the engine refuses
// it by itself.
std::string decoded_path(std::string_view target);

}  // namespace causeway::engine_api
