#include "fd_store/store_client.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "fd_store/fd_store.h"

using namespace causeway;
using namespace causeway::fd_store;

namespace {

struct Pair {
  Pair() {
    std::array<int, 2> pair{};
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) == 0);
    agent.reset(pair[0]);
    init.reset(pair[1]);
  }
  UniqueFd agent;
  UniqueFd init;
};

UniqueFd some_file() { return UniqueFd(open("/dev/null", O_RDONLY)); }

// The environment of one test; removed whatever happens.
struct Environment {
  Environment(const std::string& fds, const std::string& init, const std::string& dropped = "") {
    setenv("CAUSEWAY_FDS", fds.c_str(), 1);
    setenv("CAUSEWAY_INIT_FD", init.c_str(), 1);
    setenv("CAUSEWAY_DROPPED", dropped.c_str(), 1);
    setenv("CAUSEWAY_INSTANCE", "abc", 1);
    setenv("CAUSEWAY_AGENT_START", "4", 1);
  }
  ~Environment() {
    for (const char* name : {"CAUSEWAY_FDS", "CAUSEWAY_INIT_FD", "CAUSEWAY_DROPPED",
                             "CAUSEWAY_INSTANCE", "CAUSEWAY_AGENT_START"})
      unsetenv(name);
  }
};

}  // namespace

TEST_CASE("fd_store/store_client: named numbers") {
  const auto parsed = parse_named_numbers("control=5,log.dockerd=65536");
  REQUIRE(parsed);
  CHECK(parsed->size() == 2);
  CHECK(parsed->find("control")->second == 5);
  CHECK(parsed->find("log.dockerd")->second == 65536);
  REQUIRE(parse_named_numbers(""));
  CHECK(parse_named_numbers("")->empty());
  for (const char* bad : {"a", "a=", "=5", "a=b", "a=-1", "a=5,", ",a=5", "a=5,a=6", "A=5", "a=5 ",
                          "a=99999999999999999999", "a=5;b=6"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_named_numbers(bad).ok());
  }
}

TEST_CASE("fd_store/store_client: exit reports, whole ones only") {
  const std::array<ExitReport, 2> reports{{{123, 9, 456789}, {-1, 0x100, ~0ULL}}};
  std::string bytes(sizeof(reports), '\0');
  std::memcpy(bytes.data(), reports.data(), sizeof(reports));
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const auto decoded = decode_exit_reports(std::string_view(bytes).substr(0, length));
    REQUIRE(decoded.size() == length / 16);
    for (std::size_t i = 0; i < decoded.size(); ++i) CHECK(decoded[i] == reports[i]);
  }
}

TEST_CASE("fd_store/store_client: exit reports from a pipe until it is empty") {
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  CHECK(read_exit_reports(read_end.get())->empty());
  for (std::int32_t i = 0; i < 1000; ++i) {
    const ExitReport report{i, i * 256, static_cast<std::uint64_t>(i)};
    REQUIRE(write(write_end.get(), &report, sizeof(report)) == sizeof(report));
  }
  const auto reports = read_exit_reports(read_end.get());
  REQUIRE(reports);
  REQUIRE(reports->size() == 1000);
  CHECK(reports->back() == ExitReport{999, 999 * 256, 999});
  CHECK(WEXITSTATUS(reports->at(3).wait_status) == 3);
  CHECK_FALSE(read_exit_reports(write_end.get()).ok());
}

TEST_CASE("fd_store/store_client: without init there is nothing, and that is no error") {
  auto client = StoreClient::from_environment();
  REQUIRE(client);
  CHECK_FALSE(client->has_init());
  CHECK(client->inherited().empty());
  CHECK_FALSE(client->take("control"));
  CHECK_FALSE(client->put("a", 0).ok());
  CHECK_FALSE(client->drop("a").ok());
}

TEST_CASE("fd_store/store_client: takes what the environment names and removes the names") {
  Pair pair;
  UniqueFd file = some_file();
  const int number = file.release();
  const Environment environment("control=" + std::to_string(number),
                                std::to_string(pair.agent.release()), "log.a=7");
  auto client = StoreClient::from_environment();
  REQUIRE(client);
  CHECK(client->has_init());
  CHECK(client->instance() == "abc");
  CHECK(client->agent_start() == 4);
  CHECK(client->dropped("log.a") == 7);
  CHECK(client->dropped("log.b") == 0);
  CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(std::getenv("CAUSEWAY_FDS") == nullptr);
  CHECK(std::getenv("CAUSEWAY_INIT_FD") == nullptr);
  const UniqueFd taken = client->take("control");
  CHECK(taken.get() == number);
  CHECK_FALSE(client->take("control"));
}

TEST_CASE("fd_store/store_client: a wrong environment is an error that names the variable") {
  struct Case {
    const char* fds;
    const char* init;
    const char* message;
  };
  const Case cases[] = {
      {"control", "900", "CAUSEWAY_FDS: malformed entry 'control'"},
      {"", "x", "CAUSEWAY_INIT_FD: malformed 'x'"},
      {"control=5", "", "CAUSEWAY_INIT_FD: malformed ''"},
      {"", "1", "CAUSEWAY_INIT_FD: descriptor 1 (init): out of range"},
      {"", "4294967296", "CAUSEWAY_INIT_FD: descriptor 4294967296 (init): out of range"},
      {"", "900", "CAUSEWAY_INIT_FD: descriptor 900 (init): Bad file descriptor"},
  };
  for (const auto& c : cases) {
    const Environment environment(c.fds, c.init);
    const auto client = StoreClient::from_environment();
    REQUIRE_FALSE(client.ok());
    CHECK(client.error().message == c.message);
  }
}

TEST_CASE("fd_store/store_client: put and drop against the store") {
  Pair pair;
  FdStore store;
  StoreClient client(std::move(pair.agent));
  const UniqueFd file = some_file();
  // The answer is waiting before the question is read: the store is served from a child.
  const pid_t server = fork();
  if (server == 0) {
    client = StoreClient(UniqueFd{});  // else its end of file never comes
    while (true) {
      char byte = 0;
      if (recv(pair.init.get(), &byte, 0, MSG_PEEK) < 0) _exit(1);
      if (!serve_store_request(pair.init.get(), store)) _exit(0);
    }
  }
  pair.init.reset();
  CHECK(client.put("log.a", file.get()).ok());
  CHECK(client.drop("log.a").ok());
  const auto twice = client.drop("log.a");
  REQUIRE_FALSE(twice.ok());
  CHECK(twice.error().message == "drop 'log.a': init: error no such descriptor");
  CHECK_FALSE(client.put("BAD", file.get()).ok());
  CHECK_FALSE(client.put("log.a", -1).ok());
  client = StoreClient(UniqueFd{});
  waitpid(server, nullptr, 0);
}

TEST_CASE("fd_store/store_client: a late answer is not taken for the next one's") {
  Pair pair;
  StoreClient client(UniqueFd(dup(pair.agent.get())));
  REQUIRE(send(pair.init.get(), "error stale", 11, 0) == 11);
  pair.init.reset();
  const auto gone = client.drop("a");
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().message.find("stale") == std::string::npos);
}
