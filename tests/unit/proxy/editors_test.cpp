// Several editors, one after the other, each at once or later.
#include "answer.h"
#include "edited_fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

// Adds one variable to each container that is made, and says what it was asked.
class OneMore : public RequestEditor {
 public:
  OneMore(std::string variable, bool at_once) : variable_(std::move(variable)), at_once_(at_once) {}

  Interest interest(const paths::Identity&, const engine_api::Route& route) const override {
    Interest out;
    out.body.environment = route.call == engine_api::Call::container_create;
    out.answer = true;
    return out;
  }
  void edit(const Request& request, Done done) override {
    ++asked;
    Answer answer = next;
    if (answer.status == 0 && !touches) answer.edits.add(request.findings.environment, variable_);
    if (touches) answer.edits.change_body({0, 1, "["});
    if (at_once_) return done(std::move(answer));
    later = [done = std::move(done), answer] { done(answer); };
  }
  std::string client_text(const paths::Identity&, std::string_view text) override {
    return std::string(text) + variable_;
  }
  void finish() { std::exchange(later, nullptr)(); }

  int asked = 0;
  Answer next;
  bool touches = false;  // the body's first byte
  std::function<void()> later;

 private:
  const std::string variable_;
  const bool at_once_;
};

const std::string kEmptyEnv = R"({"Env":[]})";

}  // namespace

TEST_CASE("proxy/session: editors are asked in order, at once or later, and their edits add up") {
  for (int way = 0; way < 8; ++way) {
    CAPTURE(way);
    OneMore first("A", (way & 1) != 0);
    OneMore second("B", (way & 2) != 0);
    OneMore third("C", (way & 4) != 0);
    Fixture f({}, true, paths::Identity{}, {&first, &second, &third});
    Peer client = f.client();
    client.send(create(kEmptyEnv) + kPing);
    f.settle();
    for (OneMore* const editor : {&first, &second, &third}) {
      if (!editor->later) continue;
      CHECK_FALSE(f.accept().open());
      // The ones behind it have to wait.
      if (editor == &first) CHECK(second.asked == 0);
      if (editor != &third) CHECK(third.asked == 0);
      editor->finish();
      f.settle();
    }
    Peer engine = f.accept();
    REQUIRE(engine.open());
    CHECK(f.at(engine) == create(R"({"Env":["A","B","C"]})"));
    CHECK(first.asked + second.asked + third.asked == 3);
    // The answer sees them the other way round.
    engine.send("HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\n\r\n{\"message\":\"x\"}");
    CHECK(f.at(client).find(R"({"message":"xCBA"})") != std::string::npos);
    CHECK(f.at(engine) == kPing);
  }
}

TEST_CASE("proxy/session: the first editor that refuses ends it") {
  for (int way = 0; way < 4; ++way) {
    for (const bool first_refuses : {true, false}) {
      CAPTURE(way);
      CAPTURE(first_refuses);
      OneMore first("A", (way & 1) != 0);
      OneMore second("B", (way & 2) != 0);
      (first_refuses ? first : second).next = {403, "no", {}};
      Fixture f({}, true, paths::Identity{}, {&first, &second});
      Peer client = f.client();
      client.send(create(kEmptyEnv));
      f.settle();
      if (first.later) first.finish();
      if (second.later) second.finish();
      const Answer answer = parse(f.at(client));
      CHECK(answer.status == 403);
      CHECK(answer.message == "no");
      CHECK(answer.keep_alive);
      CHECK(second.asked == (first_refuses ? 0 : 1));
      CHECK_FALSE(f.accept().open());
      client.send(kPing);
      Peer engine = f.accept();
      CHECK(f.at(engine) == kPing);
    }
  }
}

TEST_CASE("proxy/session: editors that want the same bytes: 500, the engine sees nothing") {
  OneMore first("A", true);
  OneMore second("B", false);
  first.touches = second.touches = true;
  Fixture f({}, true, paths::Identity{}, {&first, &second});
  Peer client = f.client();
  client.send(create(kEmptyEnv));
  f.settle();
  second.finish();
  const Answer answer = parse(f.at(client));
  CHECK(answer.status == 500);
  CHECK(answer.message.find("changed twice") != std::string::npos);
  CHECK_FALSE(f.accept().open());
}

TEST_CASE("proxy/session: a client that leaves while the second editor thinks is forgotten") {
  OneMore first("A", true);
  OneMore second("B", false);
  OneMore third("C", true);
  Fixture f({}, true, paths::Identity{}, {&first, &second, &third});
  Peer client = f.client();
  client.send(create(kEmptyEnv));
  f.settle();
  client.close();
  f.settle();
  CHECK(f.server.counters().sessions == 0);
  second.finish();
  CHECK(third.asked == 0);
  CHECK_FALSE(f.accept().open());
}

TEST_CASE("proxy/session: editors are asked while the engine is ready, and no second time") {
  OneMore editor("A", true);
  Fixture f({}, false, paths::Identity{}, {&editor});
  Peer client = f.client();
  client.send(create(kEmptyEnv));
  f.settle();
  CHECK(editor.asked == 0);
  f.engine.reset();  // called ready, but it refuses: the request waits in its new form
  f.gate.set(EngineGate::State::ready, "");
  f.settle();
  CHECK(editor.asked == 1);
  CHECK(f.server.counters().waiting == 1);
  f.start_engine();
  f.gate.set(EngineGate::State::ready, "");
  Peer engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == create(R"({"Env":["A"]})"));
  CHECK(editor.asked == 1);
}
