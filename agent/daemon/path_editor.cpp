#include "daemon/path_editor.h"

#include <utility>

#include "engine_api/path_edits.h"

namespace causeway::daemon {
namespace {

using engine_api::Call;

bool is_of_swarm(Call call) { return call == Call::service_create || call == Call::service_update; }

}  // namespace

// The engine's own paths mean what they say; whether a container's sources may be mounted is asked
// for everybody.
proxy::RequestEditor::Interest PathEditor::interest(const paths::Identity& identity,
                                                    const engine_api::Route& route) const {
  Interest out;
  out.always = engine_api::mounts_binds(route.call);
  if (identity.kind == paths::Identity::Kind::engine) return out;
  out.body.paths = engine_api::request_has_paths(route.call);
  out.filters = route.call == Call::container_list;
  out.answer = engine_api::response_has_paths(route.call);
  return out;
}

void PathEditor::edit(const Request& request, Done done) {
  const auto& paths = request.findings.paths;
  if (!paths.empty() && is_of_swarm(request.route.call) && !swarm_) {
    return done({400,
                 "host paths in services are not mapped: swarm does not run beside live-restore, "
                 "which keeps containers running while the engine is updated (the path is " +
                     paths.front().source + ")",
                 {}});
  }
  const bool maps = !paths.empty() || !request.findings.filters.paths.empty();
  auto findings = maps ? std::make_shared<const engine_api::Findings>(request.findings) : nullptr;
  if (!engine_api::mounts_binds(request.route.call)) {
    return maps ? map(request.identity, findings, std::move(done)) : done({});
  }
  check_.check(request.route.id, [this, identity = request.identity, findings,
                                  done = std::move(done)](int status, const std::string& message) {
    if (status != 0) return done({status, client_text(identity, message), {}});
    return findings ? map(identity, findings, done) : done({});
  });
}

void PathEditor::map(const paths::Identity& identity,
                     const std::shared_ptr<const engine_api::Findings>& findings, Done done) {
  mapper_.map(identity, engine_api::sources(*findings),
              [findings, done = std::move(done)](binds::Mapped mapped) {
                if (mapped.status != 0) return done({mapped.status, std::move(mapped.message), {}});
                auto edits = engine_api::path_edits(*findings, mapped.paths);
                if (!edits.ok()) return done({400, std::move(edits).error().message, {}});
                done({0, {}, *std::move(edits)});
              });
}

std::string PathEditor::client_path(const paths::Identity& identity, std::string_view engine_path) {
  return paths::unmap(identity, engine_path, distros_.path_context());
}

std::string PathEditor::client_text(const paths::Identity& identity, std::string_view text) {
  return paths::unmap_text(identity, text, distros_.path_context());
}

}  // namespace causeway::daemon
