// What it takes to add a request editor, as an example: this file, and the one line that puts the
// editor into the proxy's list (`{&paths, &environment}` below; in the agent, the line of `proxy_`
// in daemon/agent.cpp).
//
// EnvironmentEditor gives each container that is made a variable more, for every identity, unless a
// label opts out or the client sets the variable itself.
#include <algorithm>

#include "answer.h"
#include "edited_fixture.h"
#include "proxy/request_editor.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

class EnvironmentEditor final : public RequestEditor {
 public:
  Interest interest(const paths::Identity&, const engine_api::Route& route) const override {
    Interest out;
    out.body.environment = out.body.labels = route.call == engine_api::Call::container_create;
    return out;
  }

  void edit(const Request& request, Done done) override {
    Answer answer;
    const engine_api::EntryList& environment = request.findings.environment;
    if (!opts_out(request.findings.labels) && !is_set(environment)) {
      answer.edits.add(environment, "EXAMPLE=1");
    }
    done(std::move(answer));
  }

 private:
  static bool opts_out(const engine_api::EntryList& labels) {
    return std::any_of(labels.entries.begin(), labels.entries.end(),
                       [](const auto& label) { return label.key == "example.off"; });
  }
  static bool is_set(const engine_api::EntryList& environment) {
    return std::any_of(environment.entries.begin(), environment.entries.end(),
                       [](const auto& entry) { return entry.text.starts_with("EXAMPLE="); });
  }
};

struct ExampleFixture {
  explicit ExampleFixture(const paths::Identity& identity = kUbuntu)
      : f({}, true, identity, {&paths, &environment}) {}

  FakePaths paths;
  EnvironmentEditor environment;
  Fixture f;
};

}  // namespace

TEST_CASE("proxy/request_editor: the example adds a variable, every other byte stays") {
  struct Case {
    const char* name;
    const char* in;
    const char* out;
  };
  const std::vector<Case> cases = {
      {"more", R"({ "Env":["A=b"], "N":1e3})", R"({ "Env":["EXAMPLE=1","A=b"], "N":1e3})"},
      {"the first", R"({"Env":[ ],"Z":-0})", R"({"Env":["EXAMPLE=1" ],"Z":-0})"},
      {"in place of null", R"({"Env":null})", R"({"Env":["EXAMPLE=1"]})"},
      {"with the list", R"({"Image":"x"})", R"({"Env":["EXAMPLE=1"],"Image":"x"})"},
      {"with the list alone", "{}", R"({"Env":["EXAMPLE=1"]})"},
      {"another label", R"({"Labels":{"a":"b"},"Env":[]})",
       R"({"Labels":{"a":"b"},"Env":["EXAMPLE=1"]})"},
      {"the client's own", R"({"Env":["EXAMPLE=2"]})", R"({"Env":["EXAMPLE=2"]})"},
      {"opted out", R"({"Labels":{"example.off":""},"Env":[]})",
       R"({"Labels":{"example.off":""},"Env":[]})"},
      {"no object", "null", "null"},
  };
  for (const paths::Identity& identity : {paths::Identity{}, kUbuntu}) {
    for (const Case& c : cases) {
      CAPTURE(identity.name);
      CAPTURE(c.name);
      ExampleFixture m(identity);
      Peer client = m.f.client();
      client.send(create(c.in));
      Peer engine = m.f.accept();
      REQUIRE(engine.open());
      CHECK(m.f.at(engine) == create(c.out));
      engine.send(kCreated);
      // The answer is the other editor's: it is as it came for the engine's own identity.
      CHECK(m.f.at(client) == (identity.name == "Ubuntu" ? kCreatedChunked : kCreated));
    }
  }
}

TEST_CASE("proxy/request_editor: the example beside the paths, whose editor takes its time") {
  ExampleFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(R"({"HostConfig":{"Binds":["/w:/d"]},"Env":["A=b"]})") + kPing);
  CHECK_FALSE(f.accept().open());
  m.paths.answer();
  Peer engine = f.accept();
  CHECK(
      f.at(engine) ==
      create(R"({"HostConfig":{"Binds":["/mnt/distro/Ubuntu/w:/d"]},"Env":["EXAMPLE=1","A=b"]})"));
  engine.send(kCreated);
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/request_editor: what the example isn't interested in passes to the byte") {
  for (const std::string& request :
       {kPing,
        std::string("POST /networks/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}"),
        std::string("POST /volumes/create HTTP/1.1\r\nHost: d\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n2;x=1\r\n{}\r\n0\r\n\r\n"),
        std::string("GET /containers/json?filters=%7B%7D HTTP/1.1\r\nHost: d\r\n\r\n"),
        std::string("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n")}) {
    CAPTURE(request);
    ExampleFixture m(paths::Identity{});
    Peer client = m.f.client();
    client.send(request);
    Peer engine = m.f.accept();
    REQUIRE(engine.open());
    CHECK(m.f.at(engine) == request);
  }
}

TEST_CASE("proxy/request_editor: a body that the example can't read is refused, unseen") {
  for (const char* body : {R"({"Env":["A=b"],"env":[]})", R"({"Env":{}})", "[]", "{"}) {
    CAPTURE(body);
    ExampleFixture m(paths::Identity{});
    Peer client = m.f.client();
    client.send(create(body));
    const Answer answer = parse(m.f.at(client));
    CHECK(answer.status == 400);
    CHECK(answer.message.starts_with("cannot read this request: "));
    CHECK_FALSE(m.f.accept().open());
  }
}
