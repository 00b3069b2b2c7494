#include "daemon/distro_calls.h"

#include <cerrno>

#include "base/log.h"

namespace causeway::daemon {
namespace {

control_api::DistroState state_of(shares::DistroState state) {
  switch (state) {
    case shares::DistroState::attached:
      return control_api::DistroState::attached;
    case shares::DistroState::waiting:
      return control_api::DistroState::waiting;
    case shares::DistroState::refused:
      return control_api::DistroState::refused;
    case shares::DistroState::failed:
      return control_api::DistroState::failed;
    case shares::DistroState::disabled:
      return control_api::DistroState::disabled;
    case shares::DistroState::stopped:
      return control_api::DistroState::stopped;
  }
  return control_api::DistroState::stopped;
}

control_api::ItemState state_of(handover::DistroReport::State state) {
  switch (state) {
    case handover::DistroReport::State::added:
      return control_api::ItemState::added;
    case handover::DistroReport::State::kept:
      return control_api::ItemState::kept;
    case handover::DistroReport::State::left_alone:
      return control_api::ItemState::left_alone;
    case handover::DistroReport::State::failed:
      return control_api::ItemState::failed;
  }
  return control_api::ItemState::failed;
}

control::Answer answer(const Status& done) {
  if (done) return control::Reply{204, {}};
  return control::refusal(done.error().code == ENOENT ? 404 : 409, done.error().message);
}

control::Answer enable(const DistroSource& source, const std::string& distro, bool enabled) {
  log::info("control.distro", {{"distro", distro}, {"enabled", enabled}});
  return answer(source.enable(distro, enabled));
}

control::Answer failed(const DistroSource& source, const control::Request& request) {
  const auto told = control_api::helper_failure_from_json(request.body);
  if (!told) return control::refusal(400, told.error().message);
  const auto done = source.failed(request.name, told->reason);
  if (!done && done.error().code == EINVAL) return control::refusal(400, done.error().message);
  return answer(done);
}

}  // namespace

control_api::DistroStatus describe(const shares::DistroStatus& distro) {
  control_api::DistroStatus out;
  out.name = distro.name;
  out.enabled = distro.enabled;
  out.state = state_of(distro.state);
  out.reason = distro.reason;
  out.mounts = distro.mounts;
  out.socket = distro.socket;
  out.helper = distro.helper;
  if (!distro.report) return out;
  for (const auto& item : distro.report->items)
    out.items.push_back({item.what, item.path, state_of(item.state), item.reason});
  out.notes = distro.report->notes;
  return out;
}

DistroSource distro_source(shares::Shares& shares) {
  DistroSource out;
  out.distros = [&shares] {
    std::vector<control_api::DistroStatus> distros;
    for (const auto& distro : shares.distros()) distros.push_back(describe(distro));
    return distros;
  };
  out.wanted = [&shares] { return control_api::Wanted{shares.wanted()}; };
  out.enable = [&shares](const std::string& distro, bool enabled) -> Status {
    if (!shares.known(distro)) return Error{"no distro " + distro + " is known", ENOENT};
    return enabled ? shares.enable(distro) : shares.disable(distro);
  };
  out.forget = [&shares](const std::string& distro) { return shares.forget(distro); };
  out.failed = [&shares](const std::string& distro, const std::string& reason) {
    return shares.helper_failed(distro, reason);
  };
  return out;
}

void add_distro_calls(control::Api& api, const DistroSource& source) {
  api.sections.add("distros", [source] { return to_json(source.distros()); });
  api.sections.add("wanted", [source] { return to_json(source.wanted()); });
  api.calls.add({"GET", "/v1/distros"}, [source](const control::Request&) {
    return control::Reply{200, control_api::distros_json(source.distros(), source.wanted())};
  });
  api.calls.add({"POST", "/v1/distros/{name}/enable"},
                [source](const control::Request& r) { return enable(source, r.name, true); });
  api.calls.add({"POST", "/v1/distros/{name}/disable"},
                [source](const control::Request& r) { return enable(source, r.name, false); });
  api.calls.add({"POST", "/v1/distros/{name}/failed"},
                [source](const control::Request& r) { return failed(source, r); });
  api.calls.add({"DELETE", "/v1/distros/{name}"}, [source](const control::Request& r) {
    log::info("control.distro", {{"distro", r.name}, {"forget", true}});
    return answer(source.forget(r.name));
  });
}

}  // namespace causeway::daemon
