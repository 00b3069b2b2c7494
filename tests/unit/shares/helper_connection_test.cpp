#include "shares/helper_connection.h"

#include <doctest/doctest.h>

#include "../mounts/sandbox.h"
#include "../support/settle.h"

using namespace causeway;
using namespace causeway::shares;
using namespace causeway::shares::testing;

namespace {

// The agent's side of a connection, and a channel at the other end.
struct Pair : HelperConnection::Host {
  Pair() {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) == 0);
    session = std::make_unique<HelperConnection>(loop, UniqueFd(pair[0]),
                                                 static_cast<HelperConnection::Host&>(*this));
    helper = std::make_unique<handover::Channel>(
        loop, UniqueFd(pair[1]),
        [this](handover::Message message) { heard.push_back(std::move(message)); },
        [](const Error&) {});
  }
  void on_hello(HelperConnection& from, handover::Hello hello, UniqueFd pidfd) override {
    ++hellos;
    CHECK(pidfd);
    from.set_distro(hello.distro);
  }
  void on_message(HelperConnection&, handover::Message message) override {
    said += std::string(handover::type_name(message.body)) + " ";
  }
  void on_closed(HelperConnection&, const Error& why) override {
    closed = why.message;
    session.reset();
  }
  void say(handover::Body body, UniqueFd fd = {}) {
    helper->send({std::move(body), std::move(fd)});
  }
  void hello() {
    handover::Hello hello;
    hello.distro = "Ubuntu";
    hello.table.wsl = "/mnt/wsl";
    say(hello, UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  }
  void turn() { causeway::test::settle(loop); }

  io::Loop loop;
  int hellos = 0;
  std::string said;
  std::string closed;
  std::vector<handover::Message> heard;
  std::unique_ptr<HelperConnection> session;
  std::unique_ptr<handover::Channel> helper;
};

}  // namespace

TEST_CASE("shares/helper_connection: hello first, once, and only what a helper says") {
  Pair pair;
  std::string expected;
  SUBCASE("in order") {
    pair.hello();
    pair.say(handover::MountsDone{});
    pair.say(handover::Unmounted{"/x"});
  }
  SUBCASE("something before hello") {
    pair.say(handover::MountsDone{});
    expected = "before hello";
  }
  SUBCASE("hello twice") {
    pair.hello();
    pair.hello();
    expected = "hello twice";
  }
  SUBCASE("what an agent says") {
    pair.hello();
    pair.say(handover::Remove{});
    expected = "only an agent says";
  }
  pair.turn();
  if (expected.empty()) {
    CHECK(pair.closed.empty());
    CHECK(pair.hellos == 1);
    CHECK(pair.said == "mounts_done unmounted ");
  } else {
    CAPTURE(pair.closed);
    CHECK(pair.closed.find(expected) != std::string::npos);
    CHECK(pair.said.empty());
  }
}

TEST_CASE("shares/helper_connection: after a refusal nothing is listened to") {
  Pair pair;
  pair.session->refuse("because", true);
  pair.hello();
  pair.turn();
  CHECK(pair.hellos == 0);
  REQUIRE(pair.heard.size() == 1);
  CHECK(std::get<handover::Refused>(pair.heard[0].body) == handover::Refused{"because", true});
  CHECK_FALSE(pair.closed.empty());
}

TEST_CASE("shares/helper_connection: answers belong to their question") {
  std::vector<std::string> answers;  // open questions are answered by the session's end
  Pair pair;
  pair.hello();
  pair.turn();
  const auto record = [&](const char* name) {
    return [&answers, name](Result<std::vector<handover::Resolution>> results) {
      answers.push_back(name + std::string(":") +
                        (results ? std::to_string(results->size()) : results.error().message));
    };
  };
  pair.session->resolve({"/a", "/b"}, 60'000, record("first"));
  pair.session->resolve({"/c"}, 60'000, record("second"));
  pair.turn();
  REQUIRE(pair.heard.size() == 2);
  const auto first = std::get<handover::Resolve>(pair.heard[0].body).ticket;
  const auto second = std::get<handover::Resolve>(pair.heard[1].body).ticket;
  pair.say(handover::Resolved{second, {{"/c", ""}}});
  pair.say(handover::Resolved{999, {{"/z", ""}}});
  pair.say(handover::Resolved{first, {{"/a", ""}}});
  pair.turn();
  CHECK(answers == std::vector<std::string>{"second:1"});
  SUBCASE("the rest comes") {
    pair.say(handover::Resolved{first, {{"/b", ""}}});
    pair.turn();
    CHECK(answers.back() == "first:2");
  }
  SUBCASE("more than was asked comes") {
    pair.say(handover::Resolved{first, {{"/b", ""}, {"/b", ""}}});
    pair.turn();
    CHECK(answers.back() == "first:the helper answered more than was asked");
  }
  SUBCASE("the helper goes") {
    pair.helper.reset();
    pair.turn();
    CHECK(answers.back() == "first:the helper went away");
  }
  SUBCASE("time is over") {
    pair.session->resolve({"/d"}, 1, record("third"));
    CHECK(turn_until(pair.loop, [&] { return answers.size() == 2; }));
    CHECK(answers.back() == "third:the helper did not answer in time");
    pair.say(handover::Resolved{first + 2, {{"/d", ""}}});
    pair.turn();
    CHECK(answers.size() == 2);
  }
  SUBCASE("nothing is asked") {
    pair.session->resolve({}, 60'000, record("none"));
    CHECK(answers.size() == 1);
    pair.turn();
    CHECK(answers.back() == "none:0");
  }
}
