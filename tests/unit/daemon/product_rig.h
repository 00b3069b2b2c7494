// All parts of the product that register calls and sections, over scripted sources.
#pragma once

#include <array>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "../control/rig.h"
#include "control_api/status.h"
#include "daemon/agent_calls.h"
#include "daemon/clock_calls.h"
#include "daemon/distro_calls.h"
#include "daemon/link_calls.h"
#include "daemon/log_calls.h"
#include "daemon/notes.h"
#include "daemon/service_calls.h"

namespace causeway::daemon {

struct ScriptedProduct {
  control_api::ProductStatus now;
  std::vector<control_api::LogLine> kept;
  std::string refusal;  // what is answered to each command, when not empty
  std::vector<std::string> performed;
  bool last_was_fresh = false;
  control_api::ServiceState behind_command = control_api::ServiceState::starting;

  ScriptedProduct() {
    now.engine = {control_api::EngineState::ready, "", 12, 4};
    now.agent.starts = 2;
    now.agent.age_s = 100;
    control_api::ServiceStatus containerd;
    containerd.name = "containerd";
    containerd.state = control_api::ServiceState::ready;
    containerd.since = 1'700'000'000;
    containerd.pid = 7;
    containerd.memory_bytes = 1000;
    control_api::ServiceStatus dockerd = containerd;
    dockerd.name = "dockerd";
    dockerd.needs = {"containerd"};
    control_api::ServiceStatus k3s;
    k3s.name = "k3s";
    k3s.reason = "disabled";
    dockerd.silent_s = 4;
    k3s.last_lines = {"one", "two"};
    now.services = {containerd, dockerd, k3s};
    now.sockets = {{"/run/causeway/engine.sock", "Docker API", 3, 1}};
    control_api::DistroStatus ubuntu;
    ubuntu.name = "Ubuntu";
    ubuntu.state = control_api::DistroState::attached;
    ubuntu.mounts = 3;
    ubuntu.socket = "/run/docker.sock";
    ubuntu.helper = true;
    ubuntu.items = {{"link", "/usr/local/bin/docker", control_api::ItemState::left_alone,
                     "a file of yours is there"}};
    ubuntu.notes = {"open a new shell"};
    now.distros = {ubuntu};
    now.wanted = {{"Debian"}};
    now.link = {true,  "vsock", 7,
                1,     3,       {{"vsock", "port 5", control_api::ListenerState::listening, ""}},
                "old", 9};
    now.notes = {{true, "careful"}, {false, "by the way"}};
    kept = {{"containerd", "first"}, {"dockerd", "second"}, {"dockerd", "third"}};
  }
  control_api::ServiceStatus& service(std::string_view name) {
    for (auto& candidate : now.services)
      if (candidate.name == name) return candidate;
    std::abort();
  }

  ServiceSource services() {
    ServiceSource out;
    out.services = [this] { return now.services; };
    out.perform = [this](control_api::Action action, const std::string& name) -> Status {
      if (!refusal.empty()) return make_error(refusal);
      performed.push_back(std::string(name_of(action)) + " " + name);
      service(name).state = behind_command;
      return Ok{};
    };
    return out;
  }
  DistroSource distros() {
    DistroSource out;
    out.distros = [this] { return now.distros; };
    out.wanted = [this] { return now.wanted; };
    out.enable = [this](const std::string& distro, bool enabled) -> Status {
      if (!refusal.empty()) return make_error(refusal);
      if (distro == "nobody") return Error{"no distro nobody", ENOENT};
      performed.push_back((enabled ? "enable " : "disable ") + distro);
      return Ok{};
    };
    out.forget = [this](const std::string& distro) -> Status {
      if (!refusal.empty()) return make_error(refusal);
      if (distro == "nobody") return Error{"no distro nobody", ENOENT};
      performed.push_back("forget " + distro);
      return Ok{};
    };
    out.failed = [this](const std::string& distro, const std::string& reason) -> Status {
      if (!refusal.empty()) return make_error(refusal);
      if (distro.find('/') != std::string::npos) return Error{"no such name", EINVAL};
      performed.push_back("failed " + distro + ": " + reason);
      return Ok{};
    };
    return out;
  }
  LinkSource link() {
    return {[this] { return now.link; },
            [] {
              return control_api::LinkContact{"00112233445566778899aabbccddeeff", 5, 1};
            }};
  }
  Clock clock() {
    Clock out;
    out.now_ms = [] { return std::int64_t{1'600'000'000'000}; };
    out.set = [this](std::int64_t unix_ms) -> Status {
      if (!refusal.empty()) return make_error(refusal);
      performed.push_back("clock " + std::to_string(unix_ms));
      return Ok{};
    };
    return out;
  }
  LogSource log() {
    LogSource out;
    out.has_service = [this](const std::string& name) {
      return find(now.services, name) != nullptr;
    };
    out.last = [this](const std::string& name, std::size_t tail, bool fresh) {
      last_was_fresh = fresh;
      std::deque<control_api::LogLine> lines;
      for (const auto& line : kept)
        if (name.empty() || line.service == name) lines.push_back(line);
      while (lines.size() > tail) lines.pop_front();
      return std::vector<control_api::LogLine>(lines.begin(), lines.end());
    };
    return out;
  }
};

struct ProductRig : control::Rig {
  struct Options {
    control::Limits limits;
    uid_t allowed = ::geteuid();
    std::uint64_t wait_s = 120;
    std::size_t follower_bytes = 256 * 1024;
  };
  ProductRig() : ProductRig(Options{}) {}
  explicit ProductRig(const Options& options)
      : control::Rig(options.limits, options.allowed), logs(api, log_source(options)) {
    api.sections.add("engine", [this] { return to_json(product.now.engine); });
    add_agent_calls(api, [this] { return product.now.agent; });
    auto services = product.services();
    services.wait_s = options.wait_s;
    add_service_calls(api, services);
    api.sections.add("sockets", [this] { return to_json(product.now.sockets); });
    add_distro_calls(api, product.distros());
    add_link_calls(api, product.link());
    add_clock_calls(api, product.clock());
    notes.add_source([this] { return product.now.notes; });
    notes.add_section(api);
  }

  LogSource log_source(const Options& options) {
    auto out = product.log();
    out.follower_bytes = options.follower_bytes;
    return out;
  }

  ScriptedProduct product;
  Notes notes;
  LogCalls logs;
};

}  // namespace causeway::daemon
