// The blocking client against the real server, which runs in a thread of its own.
#include "control_client/control_client.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/text.h"
#include "control/api.h"
#include "control/control_server.h"
#include "control_api/status.h"
#include "control_client/agent_contact.h"
#include "io/endpoint.h"
#include "io/poll.h"

using namespace causeway;
using namespace causeway::control_client;

namespace {

// A call of each kind.
void add_calls(control::Api& api) {
  api.sections.add("engine", [] { return std::string(R"({"state":"ready"})"); });
  api.calls.add({"GET", "/v1/version"}, [](const control::Request&) { return control::Reply{}; });
  api.calls.add(
      {"POST", "/v1/services/{name}/stop", {{"wait", 0, 1}}}, [](const control::Request& request) {
        return request.name == "a service" ? control::Reply{200, "{}"} : control::refusal(404, "");
      });
  control::Route logs{"GET", "/v1/logs", {{"service"}, {"follow", 0, 1}}};
  logs.lines = true;
  api.calls.add(std::move(logs), [](const control::Request& request) -> control::Answer {
    if (!request.text("service").empty()) return control::refusal(404, "no such service: nobody");
    auto lines = std::make_shared<control::Lines>();
    lines->add(R"({"service":"a service","line":"one"})");
    lines->add(R"({"service":"a service","line":"two"})");
    if (request.number("follow", 0) == 0) lines->end();
    return lines;
  });
}

struct Directory {
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() {
    ::unlink(socket().c_str());
    ::rmdir(path.c_str());
  }
  std::string socket() const { return path + "/control.sock"; }
  std::string path = "/tmp/causeway-client-XXXXXX";
};

// A server in its thread, until destroyed.
class Server {
 public:
  explicit Server(const std::string& path, uid_t allowed = ::geteuid())
      : stop_(::eventfd(0, EFD_CLOEXEC)) {
    auto listening = io::listen_unix(path, 0600);
    REQUIRE(listening.ok());
    thread_ = std::thread([this, fd = listening->release(), allowed] {
      io::Loop loop;
      control::Api api(loop);
      add_calls(api);
      control::ControlServer server(loop, UniqueFd(fd), api.calls, {}, allowed);
      io::Poll end(loop, stop_.get(), [&](unsigned) { loop.stop(); });
      end.watch(io::Poll::readable);
      loop.run();
    });
  }
  ~Server() {
    const std::uint64_t one = 1;
    CHECK(::write(stop_.get(), &one, sizeof(one)) == sizeof(one));
    thread_.join();
  }

 private:
  UniqueFd stop_;
  std::thread thread_;
};

constexpr std::uint64_t kLong = 60'000;

}  // namespace

TEST_CASE("control_client/control_client: requests behind one another, errors with their message") {
  Directory directory;
  Server server(directory.socket());
  auto client = ControlClient::connect(directory.socket());
  REQUIRE(client.ok());
  auto reply = client->request("GET", "/v1/status", kLong);
  REQUIRE(reply.ok());
  CHECK(reply->status == 200);
  CHECK(control_api::status_from_json(reply->body).ok());
  reply = client->request("GET", "/v1/nothing", kLong);
  REQUIRE(reply.ok());
  CHECK(reply->status == 404);
  CHECK(reply->message() == "no such path: /v1/nothing");
  reply = client->request(
      "POST", "/v1/services/" + causeway::text::percent_encoded("a service") + "/stop?wait=1",
      kLong);
  REQUIRE(reply.ok());
  CHECK(reply->status == 200);
}

TEST_CASE("control_client/control_client: lines to their end, and only as many as are wanted") {
  Directory directory;
  Server server(directory.socket());
  auto client = ControlClient::connect(directory.socket());
  REQUIRE(client.ok());
  std::string lines;
  auto reply = client->lines("/v1/logs", std::nullopt, [&](std::string_view line) {
    lines += line;
    lines += '\n';
    return true;
  });
  REQUIRE(reply.ok());
  CHECK(reply->status == 200);
  CHECK(lines ==
        "{\"service\":\"a service\",\"line\":\"one\"}\n"
        "{\"service\":\"a service\",\"line\":\"two\"}\n");
  int count = 0;
  reply = client->lines("/v1/logs?follow=1", std::nullopt, [&](std::string_view) {
    ++count;
    return false;
  });
  CHECK(reply.ok());
  CHECK(count == 1);
}

TEST_CASE(
    "control_client/control_client: a stream that is silent ends at the deadline, a refused one at "
    "once") {
  Directory directory;
  Server server(directory.socket());
  auto client = ControlClient::connect(directory.socket());
  REQUIRE(client.ok());
  auto never = [](std::string_view) { return true; };
  auto reply = client->lines("/v1/logs?service=nobody", std::nullopt, never);
  REQUIRE(reply.ok());
  CHECK(reply->status == 404);
  CHECK(reply->message() == "no such service: nobody");
  reply = client->lines("/v1/logs?follow=1", steady_ms() + 1, never);
  REQUIRE(!reply);
  CHECK(reply.error().code == ETIMEDOUT);
}

TEST_CASE("control_client/control_client: somebody listens but never answers, or goes away") {
  Directory directory;
  auto listening = io::listen_unix(directory.socket(), 0600);
  REQUIRE(listening.ok());
  auto client = ControlClient::connect(directory.socket());
  REQUIRE(client.ok());
  auto reply = client->request("GET", "/v1/status", 1);
  REQUIRE(!reply);
  CHECK(reply.error().code == ETIMEDOUT);
  listening->reset();
  reply = client->request("GET", "/v1/status", kLong);
  REQUIRE(!reply);
  CHECK(reply.error().code == ECONNRESET);
}

TEST_CASE("control_client/control_client: nobody listens") {
  Directory directory;
  auto client = ControlClient::connect(directory.socket());
  REQUIRE(!client);
  CHECK(client.error().code == ENOENT);
  io::listen_unix(directory.socket(), 0600)->reset();  // leaves the file behind
  client = ControlClient::connect(directory.socket());
  REQUIRE(!client);
  CHECK(client.error().code == ECONNREFUSED);
}

TEST_CASE("control_client/control_client: turned away before asking, the reason still arrives") {
  Directory directory;
  Server server(directory.socket(), ::geteuid() + 1);
  auto client = ControlClient::connect(directory.socket());
  REQUIRE(client.ok());
  auto reply = client->request("GET", "/v1/status", kLong);
  REQUIRE(reply.ok());
  CHECK(reply->status == 403);
  CHECK(explain(*reply).exit_code == 4);
}

TEST_CASE("control_client/control_client: connect_when_there notices the socket's coming") {
  Directory directory;
  std::unique_ptr<Server> server;
  std::thread late([&] { server = std::make_unique<Server>(directory.socket()); });
  auto client = connect_when_there(directory.socket(), steady_ms() + kLong);
  late.join();
  REQUIRE(client.ok());
  auto reply = client->request("GET", "/v1/version", kLong);
  REQUIRE(reply.ok());
  CHECK(reply->status == 200);
}
