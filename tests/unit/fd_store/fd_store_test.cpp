#include "fd_store/fd_store.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

using namespace causeway;
using namespace causeway::fd_store;

namespace {

UniqueFd some_file() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

struct Connection {
  Connection() {
    std::array<int, 2> pair{};
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) == 0);
    client.reset(pair[0]);
    init.reset(pair[1]);
  }

  void send(std::string_view text, const std::vector<int>& fds = {}) const {
    std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
    }
    REQUIRE(sendmsg(client.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }

  std::string answer() const {
    std::array<char, 256> text{};
    const ssize_t n = recv(client.get(), text.data(), text.size(), MSG_DONTWAIT);
    return n < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(n));
  }

  UniqueFd client;
  UniqueFd init;
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += is_open(fd) ? 1 : 0;
  return count;
}

std::string fds_text(const FdStore& store) {
  std::array<char, kFdsTextSize> text{};
  CHECK(format_fds(store, text.data(), text.size()));
  return text.data();
}

}  // namespace

TEST_CASE("fd_store/fd_store: names are strict") {
  for (const char* good : {"a", "control", "log.dockerd", "a-b_c.9", "0"}) {
    CAPTURE(good);
    CHECK(valid_store_name(good));
  }
  CHECK(valid_store_name(std::string(47, 'x')));
  CHECK_FALSE(valid_store_name(std::string(48, 'x')));
  for (const char* bad : {"", "A", "a b", "a=b", "a,b", "a/b", "\n", "a\n", "\xc3\xa9"}) {
    CAPTURE(bad);
    CHECK_FALSE(valid_store_name(bad));
  }
  CHECK_FALSE(valid_store_name(std::string_view("a\0b", 3)));
}

TEST_CASE("fd_store/fd_store: requests") {
  struct Case {
    std::string_view text;
    std::size_t descriptors;
    StoreRequest::Kind kind;
    std::string_view rest;  // name, or error
  };
  using Kind = StoreRequest::Kind;
  const Case cases[] = {
      {"put log.dockerd", 1, Kind::put, "log.dockerd"},
      {"drop log.dockerd", 0, Kind::drop, "log.dockerd"},
      {"put a", 0, Kind::malformed, "put takes exactly one descriptor"},
      {"put a", 2, Kind::malformed, "put takes exactly one descriptor"},
      {"drop a", 1, Kind::malformed, "drop takes no descriptor"},
      {"put ", 1, Kind::malformed, "a name is [a-z0-9._-]{1,47}"},
      {"put A", 1, Kind::malformed, "a name is [a-z0-9._-]{1,47}"},
      {"put a b", 1, Kind::malformed, "a name is [a-z0-9._-]{1,47}"},
      {"put  a", 1, Kind::malformed, "a name is [a-z0-9._-]{1,47}"},
      {"put a\n", 1, Kind::malformed, "a name is [a-z0-9._-]{1,47}"},
      {"put", 1, Kind::malformed, "unknown request"},
      {"PUT a", 1, Kind::malformed, "unknown request"},
      {"", 0, Kind::malformed, "unknown request"},
      {"list", 0, Kind::malformed, "unknown request"},
  };
  for (const auto& c : cases) {
    CAPTURE(std::string(c.text));
    const auto request = parse_store_request(c.text, c.descriptors);
    CHECK(request.kind == c.kind);
    CHECK((c.kind == Kind::malformed ? request.error : request.name) == c.rest);
  }
}

TEST_CASE("fd_store/fd_store: put replaces, drop forgets, both close") {
  FdStore store;
  UniqueFd first = some_file();
  const int first_number = first.get();
  CHECK(store.put("log.a", std::move(first)).empty());
  CHECK(fds_text(store) == "log.a=" + std::to_string(first_number));
  UniqueFd second = some_file();
  const int second_number = second.get();
  CHECK(store.put("log.a", std::move(second)).empty());
  CHECK_FALSE(is_open(first_number));
  CHECK(fds_text(store) == "log.a=" + std::to_string(second_number));
  CHECK(store.drop("log.a").empty());
  CHECK_FALSE(is_open(second_number));
  CHECK(fds_text(store).empty());
  CHECK(store.drop("log.a") == "no such descriptor");
}

TEST_CASE("fd_store/fd_store: init's own descriptors stay") {
  FdStore store;
  UniqueFd control = some_file();
  const int number = control.get();
  REQUIRE(store.keep("control", std::move(control)));
  CHECK_FALSE(store.keep("control", some_file()));
  CHECK_FALSE(store.keep("Bad", some_file()));
  CHECK_FALSE(store.keep("empty", UniqueFd{}));
  CHECK(store.put("control", some_file()) == "this descriptor belongs to init");
  CHECK(store.drop("control") == "this descriptor belongs to init");
  CHECK(is_open(number));
}

TEST_CASE("fd_store/fd_store: the agent's slot takes a program that root alone can change") {
  FdStore store;
  const auto before = open_descriptors();
  const auto put = [&](const char* path, int flags) {
    return store.put(kAgentSlot, UniqueFd(open(path, flags | O_CLOEXEC)));
  };
  CHECK(put("/dev/null", O_RDONLY) == "the agent is not a regular file");
  CHECK(put("/", O_RDONLY) == "the agent is not a regular file");
  CHECK(put("/etc/passwd", O_RDONLY) == "the agent is not executable");
  CHECK(store.get(kAgentSlot) == -1);
  CHECK(open_descriptors() == before);
  CHECK(put("/bin/sh", O_RDONLY).empty());
  CHECK(store.get(kAgentSlot) >= 0);
  const int held = store.get(kAgentSlot);
  CHECK(put("/dev/null", O_RDONLY) != "");
  CHECK(store.get(kAgentSlot) == held);  // what was refused replaces nothing
  struct Case {
    uid_t owner;
    mode_t mode;
    int flags;
    const char* answer;
  };
  const Case cases[] = {
      {0, 0755, O_RDONLY, ""},
      {0, 0500, O_RDONLY, ""},
      {0, 0644, O_RDONLY, "the agent is not executable"},
      {1, 0755, O_RDONLY, "the agent does not belong to root"},
      {0, 0775, O_RDONLY, "the agent can be written by others"},
      {0, 0757, O_RDONLY, "the agent can be written by others"},
      {0, 0755, O_RDWR, "the agent is open for writing"},
  };
  if (geteuid() != 0) {
    MESSAGE("skipped: only root can give a file an owner");
    return;
  }
  const std::string path = "/tmp/causeway-fd-store." + std::to_string(getpid());
  for (const auto& c : cases) {
    CAPTURE(std::string(c.answer));
    const UniqueFd made(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(fchown(made.get(), c.owner, 0) == 0);
    REQUIRE(fchmod(made.get(), c.mode) == 0);
    CHECK(put(path.c_str(), c.flags) == c.answer);
    REQUIRE(unlink(path.c_str()) == 0);
  }
}

TEST_CASE("fd_store/fd_store: a fixed number of slots, and a replacement when all are in use") {
  FdStore store;
  const auto before = open_descriptors();
  for (std::size_t i = 0; i < kStoreSlots; ++i)
    REQUIRE(store.put("f" + std::to_string(i), some_file()).empty());
  CHECK(store.put("one-more", some_file()) == "all slots are in use");
  CHECK(open_descriptors() == before + kStoreSlots);
  CHECK(store.put("f63", some_file()).empty());
  CHECK(store.drop("f0").empty());
  CHECK(store.put("one-more", some_file()).empty());
}

TEST_CASE("fd_store/fd_store: the texts of a full store with the longest names fit") {
  FdStore store;
  for (std::size_t i = 0; i < kStoreSlots; ++i) {
    std::string name = std::to_string(i);
    name.insert(0, kStoreNameLimit - name.size(), 'x');
    REQUIRE(store.put(name, some_file()).empty());
    store.slots()[i].dropped = ~std::uint64_t{0};
  }
  std::array<char, kDroppedTextSize> text{};
  CHECK(format_fds(store, text.data(), kFdsTextSize));
  CHECK(format_dropped(store, text.data(), text.size()));
  CHECK(std::string(text.data()).ends_with("=18446744073709551615"));
  CHECK_FALSE(format_dropped(store, text.data(), 100));
  CHECK(text[0] == '\0');
}

TEST_CASE("fd_store/fd_store: dropped bytes are told by name, and not inherited by the next one") {
  FdStore store;
  REQUIRE(store.put("log.a", some_file()).empty());
  REQUIRE(store.put("log.b", some_file()).empty());
  store.slots()[1].dropped = 65536;
  std::array<char, kDroppedTextSize> text{};
  CHECK(format_dropped(store, text.data(), text.size()));
  CHECK(std::string(text.data()) == "log.b=65536");
  REQUIRE(store.drop("log.b").empty());
  REQUIRE(store.put("log.c", some_file()).empty());
  CHECK(format_dropped(store, text.data(), text.size()));
  CHECK(std::string(text.data()).empty());
}

TEST_CASE("fd_store/fd_store: a request over the socket") {
  FdStore store;
  const Connection connection;
  const UniqueFd file = some_file();
  connection.send("put log.a", {file.get()});
  CHECK(serve_store_request(connection.init.get(), store));
  CHECK(connection.answer() == "ok");
  const int stored = store.slots()[0].fd.get();
  CHECK(stored != file.get());
  CHECK((fcntl(stored, F_GETFD) & FD_CLOEXEC) != 0);
  connection.send("drop log.a");
  CHECK(serve_store_request(connection.init.get(), store));
  CHECK(connection.answer() == "ok");
  CHECK_FALSE(is_open(stored));
  CHECK_FALSE(serve_store_request(connection.init.get(), store));  // nothing there
}

TEST_CASE("fd_store/fd_store: descriptors that don't belong are closed") {
  FdStore store;
  const Connection connection;
  const UniqueFd file = some_file();
  const auto before = open_descriptors();
  const std::vector<int> three{file.get(), file.get(), file.get()};
  const std::vector<int> most(253, file.get());
  struct Case {
    std::string text;
    const std::vector<int>& fds;
    const char* answer;
  };
  const std::vector<int> none;
  const std::vector<int> one{file.get()};
  const Case cases[] = {
      {"put a", three, "error put takes exactly one descriptor"},
      {"put a", most, "error put takes exactly one descriptor"},
      {"put a", none, "error put takes exactly one descriptor"},
      {"drop a", one, "error drop takes no descriptor"},
      {"nonsense", three, "error unknown request"},
      {"put " + std::string(500, 'a'), one, "error the request is too long"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    connection.send(c.text, c.fds);
    CHECK(serve_store_request(connection.init.get(), store));
    CHECK(connection.answer() == c.answer);
    CHECK(open_descriptors() == before);
  }
}

TEST_CASE("fd_store/fd_store: a peer that is gone, or doesn't read, does no harm") {
  FdStore store;
  Connection connection;
  for (int i = 0; i < 1000; ++i) {  // far more answers than the socket holds
    connection.send("drop a");
    REQUIRE(serve_store_request(connection.init.get(), store));
  }
  connection.client.reset();
  CHECK_FALSE(serve_store_request(connection.init.get(), store));
}
