#include "cli/status_view.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "cli/distro_view.h"
#include "cli/table.h"

using namespace causeway::cli;
using namespace causeway;

namespace {

control_api::ServiceStatus service(const char* name, control_api::ServiceState state,
                                   std::vector<std::string> needs = {}) {
  control_api::ServiceStatus out;
  out.name = name;
  out.state = state;
  out.needs = std::move(needs);
  return out;
}

control_api::ProductStatus healthy() {
  control_api::ProductStatus out;
  out.engine = {control_api::EngineState::ready, "", 754};
  out.agent = {"0.1.0", 7, 760, 1, 5'452'595};
  auto containerd = service("containerd", control_api::ServiceState::ready);
  containerd.pid = 12;
  containerd.age_s = 759;
  containerd.memory_bytes = 36'805'017;
  auto dockerd = service("dockerd", control_api::ServiceState::ready, {"containerd"});
  dockerd.pid = 12'345;
  dockerd.age_s = 754;
  dockerd.restarts = 2;
  dockerd.memory_bytes = 80'000'000;
  out.services = {containerd, dockerd};
  out.sockets = {{"/run/causeway/engine.sock", "Docker API", 3, 1}};
  out.notes = {{true, "another dockerd runs: pid 77"}, {false, "vm.max_map_count was raised"}};
  return out;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("cli/status_view: distros, with what was left alone, failed or is to be done") {
  control_api::ProductStatus status = healthy();
  control_api::DistroStatus ubuntu;
  ubuntu.name = "Ubuntu";
  ubuntu.state = control_api::DistroState::attached;
  ubuntu.mounts = 3;
  ubuntu.socket = "/run/docker.sock";
  ubuntu.items = {{"link", "/usr/local/bin/docker", control_api::ItemState::left_alone,
                   "a file of yours is there"},
                  {"link", "/usr/local/bin/kubectl", control_api::ItemState::added, ""}};
  ubuntu.notes = {"open a new shell"};
  control_api::DistroStatus old;
  old.name = "old";
  old.state = control_api::DistroState::disabled;
  old.reason = "by `causeway distro disable old`";
  status.distros = {ubuntu, old};
  const std::string screen = status_screen(status, {});
  CHECK(has(screen, "DISTRO  STATE     MOUNTS  DOCKER.SOCK\n"));
  CHECK(has(screen, "Ubuntu  attached       3  /run/docker.sock\n"));
  CHECK(has(screen, "link /usr/local/bin/docker: a file of yours is there"));
  CHECK(!has(screen, "kubectl"));
  CHECK(has(screen, "open a new shell"));
  CHECK(has(screen, "old     disabled       0  -\n"));
  CHECK(has(screen, "by `causeway distro disable old`"));
}

TEST_CASE("cli/status_view: the link, connected or not, and who was sent away") {
  control_api::ProductStatus status = healthy();
  status.link.listeners = {
      {"unix", "/run/causeway/link.sock", control_api::ListenerState::listening, ""},
      {"vsock", "port 1129775105", control_api::ListenerState::failed, "bind: No such device"}};
  std::string screen = status_screen(status, {});
  CHECK(has(screen, "unix   /run/causeway/link.sock  listening\n"));
  CHECK(has(screen, "bind: No such device"));
  CHECK(has(screen, "Windows is not connected\n"));
  CHECK(!has(screen, "refused"));
  status.link.connected = true;
  status.link.transport = "vsock";
  status.link.age_s = 65;
  status.link.streams = 3;
  status.link.refusal = "wrong\x1b nonce";
  status.link.refusal_age_s = 5;
  screen = status_screen(status, {});
  CHECK(has(screen, "Windows is connected over vsock, for 1 min, streams: 3\n"));
  CHECK(has(screen, "last refused, 5 s ago: wrong\\x1b nonce\n"));
}

TEST_CASE("cli/distro_view: asked for in full, it shows what was added too") {
  control_api::DistroStatus distro;
  distro.name = "Ubuntu";
  distro.state = control_api::DistroState::attached;
  distro.items = {{"link", "/usr/local/bin/kubectl", control_api::ItemState::added, ""},
                  {"link", "/usr/local/bin/docker", control_api::ItemState::left_alone, "yours"},
                  {"group", "docker", control_api::ItemState::failed, "read-only file system"}};
  const std::string table = distro_table({distro}, true, {});
  CHECK(has(table, "link /usr/local/bin/kubectl, added\n"));
  CHECK(has(table, "link /usr/local/bin/docker, left alone: yours\n"));
  CHECK(has(table, "group docker, failed: read-only file system\n"));
}

TEST_CASE("cli/status_view: the screen, in full") {
  CHECK(status_screen(healthy(), {}) ==
        "engine ready, for 12 min\n"
        "causeway 0.1.0, agent pid 7, up 12 min, 5.2 MiB\n"
        "\n"
        "SERVICE     STATE  SINCE     PID  RESTARTS    MEMORY\n"
        "containerd  ready  12 min     12         0  35.1 MiB\n"
        "dockerd     ready  12 min  12345         2  76.3 MiB\n"
        "\n"
        "SOCKET                     FOR         OPEN  STREAMS  STALLED\n"
        "/run/causeway/engine.sock  Docker API     3        1        0\n"
        "\n"
        "NOTES\n"
        "! another dockerd runs: pid 77\n"
        "- vm.max_map_count was raised\n");
}

TEST_CASE("cli/status_view: what is ready and doesn't answer") {
  auto status = healthy();
  status.engine.silent_s = 12;
  status.engine.reason = "containerd, which dockerd needs, has not answered for 14 s";
  status.services[0].silent_s = 14;
  status.services[0].reason = "has not answered for 14 s";
  const auto screen = status_screen(status, {});
  CHECK(
      screen.starts_with("engine ready, for 12 min, but has not answered for 12 s\n"
                         "  containerd, which dockerd needs, has not answered for 14 s\n"));
  CHECK(has(screen, "has not answered for 14 s\n"));
  CHECK(is_ready(status));  // it may answer the next time
}

TEST_CASE("cli/status_view: why something doesn't run, with the end of its log") {
  auto status = healthy();
  status.engine = {control_api::EngineState::down, "dockerd has failed", 3};
  status.agent.starts = 3;
  status.services[1] = service("dockerd", control_api::ServiceState::failed, {"containerd"});
  status.services[1].reason = "exited with code 1";
  for (int i = 0; i < 20; ++i) status.services[1].last_lines.push_back("line " + std::to_string(i));
  const auto screen = status_screen(status, {});
  CHECK(screen.starts_with("engine down, since 3 s\n  dockerd has failed\n"));
  CHECK(has(screen, "restarted by init 2 times"));
  CHECK(has(screen,
            "dockerd     failed  0 s       -         0         -\n"
            "            exited with code 1\n"));
  CHECK(has(screen, "\nlast lines of dockerd (causeway logs dockerd):\n  line 12\n"));
  CHECK(has(screen, "  line 19\n"));
  CHECK(!has(screen, "line 11\n"));
}

TEST_CASE("cli/status_view: nothing is wider than 80 columns, and no foreign bytes steer it") {
  auto status = healthy();
  status.engine.reason = std::string(200, 'r');
  status.services[0].name =
      "a-service-with-a-name-that-is-much-longer-than-any-real-one-will-be-ever";
  status.services[0].reason = "because of \x1b[2J and " + std::string(150, 'y');
  status.services[0].last_lines = {"\x1b]0;title\x07" + std::string(300, 'z')};
  status.sockets[0].path = "/" + std::string(107, 's');
  status.notes[0].text = "many words " + std::string(100, 'n') + " and more\nof them";
  Terminal terminal;
  terminal.columns = 80;
  const auto screen = status_screen(status, terminal);
  CHECK(!has(screen, "\x1b"));
  CHECK(!has(screen, "\x07"));
  std::size_t from = 0;
  for (auto end = screen.find('\n'); end != std::string::npos;
       from = end + 1, end = screen.find('\n', from)) {
    CAPTURE(screen.substr(from, end - from));
    CHECK(display_width(screen.substr(from, end - from)) <= 80);
    if (end > from) CHECK(screen[end - 1] != ' ');
  }
}

TEST_CASE("cli/status_view: no services, no engine") {
  control_api::ProductStatus status;
  status.agent.version = "0.1.0";
  const auto screen = status_screen(status, {});
  CHECK(screen.starts_with("engine not configured\n"));
  CHECK(has(screen, "no services are configured\n"));
}

TEST_CASE("cli/status_view: what a wait ends with") {
  using S = control_api::ServiceState;
  struct Case {
    const char* name;
    control_api::EngineState engine;
    std::vector<control_api::ServiceStatus> services;
    bool ready;
    bool hopeless;
  };
  const Case cases[] = {
      {"all is well", control_api::EngineState::ready, {service("dockerd", S::ready)}, true, false},
      {"just begun", control_api::EngineState::starting, {}, false, false},
      {"on its way",
       control_api::EngineState::starting,
       {service("dockerd", S::starting)},
       false,
       false},
      {"down, tried again",
       control_api::EngineState::down,
       {service("dockerd", S::backing_off)},
       false,
       false},
      {"given up", control_api::EngineState::down, {service("dockerd", S::failed)}, false, true},
      {"stopped", control_api::EngineState::down, {service("dockerd", S::off)}, false, true},
      {"waits for what has failed",
       control_api::EngineState::down,
       {service("containerd", S::failed), service("dockerd", S::waiting, {"containerd"})},
       false,
       true},
      {"waits for what tries again",
       control_api::EngineState::down,
       {service("containerd", S::backing_off), service("dockerd", S::waiting, {"containerd"})},
       false,
       false},
      {"prepares",
       control_api::EngineState::down,
       {service("containerd", S::ready), service("dockerd", S::waiting, {"containerd"})},
       false,
       false},
      {"a circle",
       control_api::EngineState::down,
       {service("a", S::waiting, {"b"}), service("b", S::waiting, {"a"})},
       false,
       true},
      {"no engine, all run",
       control_api::EngineState::absent,
       {service("x", S::ready), service("y", S::off)},
       true,
       false},
      {"no engine, one starts",
       control_api::EngineState::absent,
       {service("x", S::starting)},
       false,
       false},
      {"no engine, one failed",
       control_api::EngineState::absent,
       {service("x", S::failed)},
       false,
       true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    control_api::ProductStatus status;
    status.engine.state = c.engine;
    status.services = c.services;
    CHECK(is_ready(status) == c.ready);
    CHECK(is_hopeless(status) == c.hopeless);
  }
}

TEST_CASE("cli/status_view: progress names what isn't there yet") {
  control_api::ProductStatus status;
  status.services = {service("containerd", control_api::ServiceState::ready),
                     service("dockerd", control_api::ServiceState::starting),
                     service("k3s", control_api::ServiceState::off)};
  CHECK(progress_line(status) == "dockerd starting");
}
