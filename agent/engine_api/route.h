// Route says which call of the Docker Engine API a request is, read the way dockerd reads it: the
// path percent-decoded, without a version prefix (/v1.41), without the query. Paths that dockerd's
// router (gorilla/mux) redirects to their clean form, as /v1.41//containers/create, are taken for
// the call when it carries paths: nothing with an unmapped path may slip through.
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

  container_create,             // POST /containers/create
  container_start,              // POST /containers/{id}/start
  container_start_with_config,  // the same before API 1.24, with a body or without
  container_restart,            // POST /containers/{id}/restart
  container_list,               // GET  /containers/json
  container_inspect,            // GET  /containers/{id}/json
  volume_create,                // POST /volumes/create
  volume_list,                  // GET  /volumes
  volume_inspect,               // GET  /volumes/{id}
  system_df,                    // GET  /system/df
  system_info,                  // GET  /info
  image_inspect,                // GET  /images/{id}/json
  service_create,               // POST /services/create
  service_update,               // POST /services/{id}/update
  service_list,                 // GET  /services
  service_inspect,              // GET  /services/{id}
  task_list,                    // GET  /tasks
  task_inspect,                 // GET  /tasks/{id}
};

struct Route {
  Call call = Call::other;
  std::string version;  // "1.41", empty without a prefix
  std::string id;       // what stands for {id}, decoded; may hold slashes where dockerd allows it
};

Route route(std::string_view method, std::string_view target);

// The body is JSON in which paths of the client may stand: it goes through a RequestScanner.
bool request_has_paths(Call call);
// Paths of the engine may stand in the answer, at least in its {"message"}: a ResponseRewriter's.
bool response_has_paths(Call call);
// The call starts a container that exists: its bind sources are checked first.
bool starts_container(Call call);

// Whether the engine may answer this call by taking the connection over: with 101, or with 200 and
// a body without length, after which both directions are raw bytes.
bool hijackable(Call call);

// The path part of a target, percent-decoded once. A bad escape stays as it is: the engine refuses
// it by itself.
std::string decoded_path(std::string_view target);

}  // namespace causeway::engine_api
