// A supervisor over a directory of service files, without the rest of the agent: for measuring and
// for integration tests of what needs real processes.
//
//   supervisor_harness agent --run R --data D --etc E
//     prints "TIME_MS SERVICE STATE PID REASON" on each change; SIGTERM stops all in order, SIGHUP
//     reloads, SIGUSR1 prints everything once
//   supervisor_harness engine-config|host-setup …   the prepare commands of the service files
#include <signal.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "boot/store_client.h"
#include "config/engine_config_command.h"
#include "config/host_setup_command.h"
#include "io/loop.h"
#include "io/signal.h"
#include "supervise/supervisor.h"

using namespace causeway;

namespace {

struct Arguments {
  std::map<std::string, std::string> values;  // "--run" -> "R", "--accept" -> ""

  explicit Arguments(const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const auto equals = arguments[i].find('=');
      if (equals != std::string::npos) {
        values[arguments[i].substr(0, equals)] = arguments[i].substr(equals + 1);
      } else if (i + 1 < arguments.size() && arguments[i + 1].substr(0, 2) != "--") {
        values[arguments[i]] = arguments[i + 1];
        ++i;
      } else {
        values[arguments[i]] = "";
      }
    }
  }
  void take(const char* name, std::string& out) const {
    if (const auto at = values.find(name); at != values.end()) out = at->second;
  }
  bool has(const char* name) const { return values.contains(name); }
};

std::string line(const supervise::ServiceStatus& s) {
  return s.name + " " + supervise::state_name(s.state) + " " + std::to_string(s.pid) + " " +
         s.reason;
}

void print_all(const supervise::Supervisor& supervisor) {
  for (const auto& s : supervisor.snapshot()) {
    std::printf("%s\n  restarts=%u memory=%llu adopted=%d last_exit=%s\n", line(s).c_str(),
                s.restarts, static_cast<unsigned long long>(s.memory_bytes.value_or(0)), s.adopted,
                s.last_exit.c_str());
    for (const auto& note : s.notes) std::printf("  note: %s\n", note.c_str());
    for (const auto& text : s.last_log_lines) std::printf("  log: %s\n", text.c_str());
  }
  std::fflush(stdout);
}

int run_agent(const Arguments& arguments) {
  log::init("harness", log::Level::info);
  auto store = boot::StoreClient::from_environment();
  if (!store) return std::fprintf(stderr, "%s\n", store.error().message.c_str()), 1;
  io::Loop loop;
  supervise::Supervisor::Options options;
  arguments.take("--run", options.places.run);
  arguments.take("--data", options.places.data);
  arguments.take("--etc", options.places.etc);
  supervise::Supervisor supervisor(loop, *store, options);
  const auto begun = loop.now_ms();
  std::map<std::string, std::string> shown;
  supervisor.on_change([&] {
    for (const auto& s : supervisor.snapshot()) {
      if (shown[s.name] == line(s)) continue;
      shown[s.name] = line(s);
      std::printf("%llu %s\n", static_cast<unsigned long long>(loop.now_ms() - begun),
                  line(s).c_str());
    }
    std::fflush(stdout);
  });
  const io::SignalWatch terminate(loop, SIGTERM, [&] {
    supervisor.shutdown([&] {
      std::printf("%llu stopped\n", static_cast<unsigned long long>(loop.now_ms() - begun));
      loop.stop();
    });
  });
  const io::SignalWatch reload(loop, SIGHUP, [&] {
    if (auto done = supervisor.reload(); !done) std::printf("%s\n", done.error().message.c_str());
  });
  const io::SignalWatch show(loop, SIGUSR1, [&] { print_all(supervisor); });
  if (auto started = supervisor.start(); !started)
    return std::fprintf(stderr, "%s\n", started.error().message.c_str()), 1;
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> all(argv + 1, argv + argc);
  const std::string command = all.empty() ? "" : all[0];
  const Arguments arguments({all.begin() + (all.empty() ? 0 : 1), all.end()});
  if (command == "agent") return run_agent(arguments);
  if (command == "engine-config") {
    config::EngineConfigOptions options;
    arguments.take("--run", options.run);
    arguments.take("--data", options.data);
    arguments.take("--etc", options.etc);
    arguments.take("--user-file", options.user_file);
    arguments.take("--dockerd", options.dockerd);
    if (arguments.has("--live-restore"))
      options.live_restore = arguments.values.at("--live-restore") == "true";
    options.accept = arguments.has("--accept");
    options.reload = arguments.has("--reload");
    return config::run_engine_config(options);
  }
  if (command == "host-setup") {
    config::HostSetupOptions options;
    arguments.take("--run", options.run);
    arguments.take("--etc", options.etc);
    return config::run_host_setup(options);
  }
  std::fputs("usage: supervisor_harness agent|engine-config|host-setup [options]\n", stderr);
  return 64;
}
