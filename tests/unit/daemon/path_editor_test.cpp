// The editor of paths over the real mapper and the real check, with distros and an engine that the
// test plays.
#include "daemon/path_editor.h"

#include <doctest/doctest.h>

#include <optional>
#include <utility>
#include <vector>

#include "engine_api/request_scanner.h"
#include "support/scripted_engine.h"

using namespace causeway;
using daemon::PathEditor;
using engine_api::Call;
using engine_api::Route;
using paths::Identity;
using proxy::RequestEditor;

namespace {

const Identity kEngine;
const Identity kUbuntu{Identity::Kind::distro, "Ubuntu"};

// Ubuntu, with its share attached. /link and /colon are links, /nowhere is a dangling one.
struct OneDistro final : binds::Distros {
  explicit OneDistro(io::Loop& on) : loop(on) { now.distros["Ubuntu"].attached = true; }
  const paths::PathContext& path_context() const override { return now; }
  std::string obstacle(const std::string&) const override { return {}; }
  void request(const std::string&) override {}
  std::string not_started(const std::string&) const override { return {}; }
  void when_attached(const std::string&, std::uint64_t, Attached done) override {
    loop.defer([done = std::move(done)] { done(true); });
  }
  void resolve(const std::string&, std::vector<std::string> paths, Resolved done) override {
    std::vector<Result<std::string>> out;
    for (auto& path : paths) {
      if (path == "/nowhere") {
        out.emplace_back(make_error(path + " leads nowhere"));
      } else {
        out.emplace_back(path == "/link" ? "/etc" : path == "/colon" ? "/a:b" : path);
      }
    }
    loop.defer([done = std::move(done), out] { done(out); });
  }
  io::Loop& loop;
  paths::PathContext now;
};

struct Rig {
  RequestEditor::Answer edit(const Identity& identity, const Route& route,
                             const engine_api::Findings& findings = {}) {
    std::optional<RequestEditor::Answer> got;
    editor.edit({identity, route, findings}, [&](RequestEditor::Answer answer) {
      CHECK_FALSE(got.has_value());  // once
      got = std::move(answer);
    });
    at_once = got.has_value();
    engine.settle();
    REQUIRE(got);
    return *std::move(got);
  }
  // The body in its new form, or "status: message".
  std::string edited(const Identity& identity, const Route& route, std::string_view body) {
    engine_api::RequestScanner scanner(route.call, editor.interest(identity, route).body);
    REQUIRE(scanner.feed(body).ok());
    REQUIRE(scanner.finish().ok());
    const auto answer = edit(identity, route, scanner.take());
    if (answer.status != 0) return std::to_string(answer.status) + ": " + answer.message;
    const auto ordered = answer.edits.of_body();
    REQUIRE(ordered.ok());
    return engine_api::edited(body, *ordered);
  }

  test::ScriptedEngine engine;
  http_client::HttpClient client{engine.loop, engine.socket()};
  OneDistro distros{engine.loop};
  binds::SourceMapper mapper{engine.loop, distros};
  binds::BindCheck check{distros, client, engine.folder};
  PathEditor editor{distros, mapper, check};
  bool at_once = false;  // the last answer came within the call
};

constexpr std::string_view kService =
    R"({"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/w","Target":"/x"}]}}})";

}  // namespace

TEST_CASE("daemon/path_editor: what it is interested in, by call and identity") {
  const Rig rig;
  struct Row {
    Call call;
    bool body;  // of a distro's or Windows' client; the engine's own paths need nothing
    bool filters;
    bool answer;
    bool always;  // for everybody
  };
  for (const Row& row : {
           Row{Call::container_create, true, false, true, false},
           Row{Call::container_start, false, false, true, true},
           Row{Call::container_start_with_config, true, false, true, true},
           Row{Call::container_restart, false, false, true, true},
           Row{Call::container_archive, false, false, true, true},
           Row{Call::container_list, false, true, true, false},
           Row{Call::container_inspect, false, false, true, false},
           Row{Call::volume_create, true, false, true, false},
           Row{Call::volume_list, false, false, true, false},
           Row{Call::volume_inspect, false, false, true, false},
           Row{Call::system_df, false, false, true, false},
           Row{Call::system_info, false, false, true, false},
           Row{Call::image_inspect, false, false, true, false},
           Row{Call::service_create, true, false, true, false},
           Row{Call::service_update, true, false, true, false},
           Row{Call::service_list, false, false, true, false},
           Row{Call::service_inspect, false, false, true, false},
           Row{Call::task_list, false, false, true, false},
           Row{Call::task_inspect, false, false, true, false},
           Row{Call::container_attach, false, false, false, false},
           Row{Call::container_attach_ws, false, false, false, false},
           Row{Call::exec_start, false, false, false, false},
           Row{Call::session, false, false, false, false},
           Row{Call::grpc, false, false, false, false},
           Row{Call::other, false, false, false, false},
       }) {
    CAPTURE(static_cast<int>(row.call));
    for (const Identity& identity :
         {kUbuntu, Identity{Identity::Kind::windows, "windows"}, kEngine}) {
      const bool maps = identity.kind != Identity::Kind::engine;
      const auto interest = rig.editor.interest(identity, {row.call, "", ""});
      CHECK(interest.body.paths == (maps && row.body));
      CHECK_FALSE((interest.body.environment || interest.body.labels || interest.body.hosts));
      CHECK(interest.filters == (maps && row.filters));
      CHECK(interest.answer == (maps && row.answer));
      CHECK(interest.always == row.always);
    }
  }
}

TEST_CASE("daemon/path_editor: paths are mapped, what there is none of is answered at once") {
  Rig rig;
  const Route create{Call::container_create, "1.41", ""};
  CHECK(rig.edited(kUbuntu, create, R"({"HostConfig":{"Binds":["/w:/d:ro","vol:/v"]}})") ==
        R"({"HostConfig":{"Binds":["/mnt/distro/Ubuntu/w:/d:ro","vol:/v"]}})");
  CHECK_FALSE(rig.at_once);
  CHECK(rig.edited(kUbuntu, create, R"({"Image":"x"})") == R"({"Image":"x"})");
  CHECK(rig.at_once);
  CHECK(rig.edited(kUbuntu, create, R"({"HostConfig":{"Binds":["/nowhere:/d"]}})") ==
        "400: invalid mount source: /nowhere leads nowhere");
  // A mount can say a colon; a bind whose source leads to one can't.
  CHECK(rig.edited(kUbuntu, create,
                   R"({"HostConfig":{"Mounts":[{"Type":"bind","Source":"/colon"}]}})")
            .find(R"("/mnt/distro/Ubuntu/a:b")") != std::string::npos);
  CHECK(rig.edited(kUbuntu, create, R"({"HostConfig":{"Binds":["/colon:/d"]}})")
            .starts_with("400: the path /mnt/distro/Ubuntu/a:b has a colon in it"));
  CHECK(rig.engine.asked.empty());
}

TEST_CASE("daemon/path_editor: the filters of a list are mapped") {
  Rig rig;
  const std::string target = "/containers/json?filters=%7B%22volume%22%3A%5B%22%2Fw%22%5D%7D&all=1";
  engine_api::Findings found;
  found.filters = *engine_api::scan_filters(target);
  const auto answer = rig.edit(kUbuntu, {Call::container_list, "", ""}, found);
  REQUIRE(answer.status == 0);
  CHECK(engine_api::edited(target, *answer.edits.of_target()) ==
        "/containers/json?filters=%7B%22volume%22%3A%5B%22%2Fmnt%2Fdistro%2FUbuntu%2Fw%22%2C%22%2Fw"
        "%22%5D%7D&all=1");
  CHECK(answer.edits.of_body()->empty());
}

TEST_CASE("daemon/path_editor: a start is checked for everybody, and then its paths are mapped") {
  Rig rig;
  const Route start{Call::container_start, "1.41", "abc"};
  const Route old_start{Call::container_start_with_config, "1.23", "abc"};
  rig.engine.answers["GET /containers/abc/json"] = {
      200, R"({"Id":"c","Mounts":[{"Type":"bind","Source":"/mnt/distro/Ubuntu/w"}]})"};
  for (const Identity& identity : {kEngine, kUbuntu}) {
    rig.engine.asked.clear();
    CHECK(rig.edit(identity, start).status == 0);
    CHECK(rig.engine.asked == std::vector<std::string>{"GET /containers/abc/json"});
  }
  CHECK(rig.edited(kUbuntu, old_start, R"({"Binds":["/w:/d"]})") ==
        R"({"Binds":["/mnt/distro/Ubuntu/w:/d"]})");
  CHECK(rig.edited(kEngine, old_start, R"({"Binds":["/w:/d"]})") == R"({"Binds":["/w:/d"]})");

  // A part of the source has become a link: the text names the path as the client knows it.
  rig.engine.answers["GET /containers/abc/json"].body =
      R"({"Id":"c","Mounts":[{"Type":"bind","Source":"/mnt/distro/Ubuntu/link"}]})";
  const Route copy{Call::container_archive, "1.41", "abc"};
  for (const Route& route : {start, old_start, copy}) {
    const auto answer = rig.edit(kUbuntu, route);
    CHECK(answer.status == 409);
    CHECK(answer.message.find("/link") != std::string::npos);
    CHECK(answer.message.find("/mnt/distro") == std::string::npos);
  }
  CHECK(rig.edited(kUbuntu, old_start, R"({"Binds":["/w:/d"]})").starts_with("409: "));
}

TEST_CASE("daemon/path_editor: services may have host paths only where swarm can run") {
  for (const Call call : {Call::service_create, Call::service_update}) {
    const Route route{call, "", "s"};
    Rig rig;
    const std::string refused = rig.edited(kUbuntu, route, kService);
    CHECK(refused.starts_with("400: "));
    CHECK(refused.find("live-restore") != std::string::npos);
    CHECK(refused.find("the path is /w") != std::string::npos);
    CHECK(rig.edited(kUbuntu, route, R"({"TaskTemplate":{}})") == R"({"TaskTemplate":{}})");
    CHECK(rig.edited(kEngine, route, kService) == kService);  // dockerd's business
    rig.editor.allow_swarm(true);
    CHECK(rig.edited(kUbuntu, route, kService).find(R"("Source":"/mnt/distro/Ubuntu/w")") !=
          std::string::npos);
  }
}

TEST_CASE("daemon/path_editor: clients are told their own names of the engine's paths") {
  Rig rig;
  CHECK(rig.editor.client_path(kUbuntu, "/mnt/distro/Ubuntu/w") == "/w");
  CHECK(rig.editor.client_path(kUbuntu, "/data/docker") == "/var/lib/docker");
  CHECK(rig.editor.client_path(kEngine, "/mnt/distro/Ubuntu/w") == "/mnt/distro/Ubuntu/w");
  CHECK(rig.editor.client_text(kUbuntu, "no /mnt/distro/Ubuntu/w here") == "no /w here");
}
