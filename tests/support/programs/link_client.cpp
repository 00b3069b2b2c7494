// The other end of the link, for tests and the bench: what causeway.exe is on Windows.
//
//   link_client --transport unix:PATH|tcp:PORT|vsock:CID:PORT|fd:N --nonce HEX
//               [--engine PATH] [--control PATH] [--answer JSON] [--reconnect MS]
//
// Connections to the unix sockets PATH become streams of the channels engine and control. A distro
// that the agent asks for is printed, "distro_start NAME", and answered with JSON. "connected" is
// printed when the agent has said hello. Exit codes: 2 the transport can't be had or was lost (with
// --reconnect it dials again instead), 3 the agent refused, with its text; 64 wrong usage.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "io/endpoint.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/relay.h"
#include "io/stream.h"
#include "io/timer.h"
#include "link/channel_stream.h"
#include "wire/hello.h"
#include "wire/ports.h"
#include "wire/yamux.h"

using namespace causeway;

namespace {

constexpr int kLost = 2;
constexpr int kRefused = 3;
constexpr int kUsage = 64;
constexpr std::size_t kOutputBytes = 4 * (wire::kFrameHeader + wire::kFrameLimit);

[[noreturn]] void fail(int code, const std::string& text) {
  std::fprintf(stderr, "link_client: %s\n", text.c_str());
  std::fflush(stdout);
  std::_Exit(code);
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

struct Options {
  std::string transport;
  wire::Nonce nonce{};
  std::map<wire::Channel, std::string> sockets;
  std::string answer = R"({"started":true})";
  std::uint64_t reconnect_ms = 0;  // 0: never
};

template <typename Address>
Result<UniqueFd> dial(int family, const Address& address) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return errno_error("connect");
  return fd;
}

Result<UniqueFd> dial(const std::string& transport) {
  const auto parts = text::split(transport, ':');
  const auto number = [&](std::size_t i) {
    return i < parts.size() ? text::to_u64(parts[i]).value_or(0) : 0;
  };
  if (parts[0] == "unix" && parts.size() == 2) return io::connect_unix(std::string(parts[1]));
  if (parts[0] == "fd" && parts.size() == 2) return UniqueFd(static_cast<int>(number(1)));
  if (parts[0] == "tcp" && parts.size() == 2) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(number(1)));
    auto fd = dial(AF_INET, address);
    const int on = 1;
    if (fd) ::setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
  }
  if (parts[0] == "vsock" && parts.size() == 3) {
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = static_cast<unsigned>(number(1));
    address.svm_port = static_cast<unsigned>(number(2));
    return dial(AF_VSOCK, address);
  }
  fail(kUsage, "no such transport: " + transport);
}

// The connection to the agent, from its hello to its end.
class Link final : private io::ByteStream::Handler,
                   private wire::Yamux::Handler,
                   private link::ChannelStream::Owner {
 public:
  using Id = wire::Yamux::StreamId;

  Link(io::Loop& loop, UniqueFd fd, const Options& options, std::function<void()> connected,
       std::function<void(const std::string&)> lost)
      : loop_(loop),
        options_(options),
        connected_(std::move(connected)),
        lost_(std::move(lost)),
        output_(kOutputBytes),
        yamux_(wire::Yamux::Side::client, {}, *this),
        stream_(loop, std::move(fd), this) {
    wire::Hello hello;
    if (::getrandom(own_.data(), own_.size(), 0) != static_cast<ssize_t>(own_.size())) std::abort();
    hello.nonce = own_;
    hello.expected = options.nonce;
    stream_.write(wire::encode(hello));
    stream_.resume(io::ByteStream::not_started);
  }
  ~Link() override {
    while (!streams_.empty()) {
      auto* const stream = streams_.begin()->second;
      streams_.erase(streams_.begin());
      if (stream != nullptr) stream->link_lost();
    }
  }

  void carry(wire::Channel channel, UniqueFd client) {
    const Id id = yamux_.open();
    if (id == 0) return;  // the client sees the end
    auto stream =
        std::make_unique<link::ChannelStream>(static_cast<link::ChannelStream::Owner&>(*this), id);
    streams_[id] = stream.get();
    const char byte = static_cast<char>(channel);
    stream->write({&byte, 1});
    relays_.emplace_back();
    const auto here = std::prev(relays_.end());
    *here = std::make_unique<io::Relay>(
        loop_, std::make_unique<io::Stream>(loop_, std::move(client), nullptr), std::move(stream),
        [this, here] { relays_.erase(here); });
  }

 private:
  void on_data(std::string_view bytes) override {
    if (!open_) greet(bytes);
    if (!open_ || bytes.empty()) return;
    if (auto done = yamux_.receive(bytes); !done) return lost_(done.error().message);
    if (yamux_.has_output()) flush_soon();
  }
  void greet(std::string_view& bytes) {
    const auto hello = hello_.take(bytes);
    if (!hello) fail(kRefused, hello.error().message);
    if (!*hello) return;
    if (!(*hello)->refusal.empty()) fail(kRefused, "refused: " + (*hello)->refusal);
    if ((*hello)->nonce != options_.nonce || (*hello)->expected != own_)
      fail(kRefused, "the agent's nonce is wrong");
    open_ = true;
    connected_();
  }
  void on_eof() override { lost_("the agent closed the transport"); }
  void on_drained() override { flush(); }
  void on_read_error(const Error& error) override { lost_(error.message); }
  void on_write_error(const Error& error) override { lost_(error.message); }

  void on_open(Id id) override { asked_[id]; }
  void on_data(Id id, std::string_view bytes) override {
    const auto found = streams_.find(id);
    if (found != streams_.end()) return found->second->received(bytes);
    yamux_.consumed(id, bytes.size());
    const auto asked = asked_.find(id);
    if (asked == asked_.end()) return;
    asked->second += bytes;
    if (asked->second.back() != '\n') return;
    // {"distro":"NAME"}: names of the tests need no escapes.
    const auto fields = text::split(asked->second, '"');
    say("distro_start " + std::string(fields.size() > 3 ? fields[3] : "?"));
    yamux_.write(id, options_.answer + "\n");
    yamux_.close(id);
    asked_.erase(asked);
    flush_soon();
  }
  void on_eof(Id id) override {
    if (const auto found = streams_.find(id); found != streams_.end())
      found->second->peer_finished();
  }
  void on_end(Id id, wire::Yamux::End how) override {
    asked_.erase(id);
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    auto* const stream = found->second;
    streams_.erase(found);
    stream->peer_ended(how);
  }
  void on_drained(Id id) override {
    if (const auto found = streams_.find(id); found != streams_.end()) found->second->drained();
  }
  void on_pong(std::uint32_t) override {}
  void on_go_away(wire::Yamux::GoAway) override {}

  io::Loop& loop() override { return loop_; }
  wire::Yamux& yamux() override { return yamux_; }
  void destroyed(Id id) override { streams_.erase(id); }
  void flush_soon() override {
    if (std::exchange(flushing_, true)) return;
    loop_.defer([this, alive = std::weak_ptr<int>(lifetime_)] {
      if (alive.expired()) return;
      flushing_ = false;
      flush();
    });
  }
  void flush() {
    while (open_ && stream_.queued() == 0) {
      const std::size_t size = yamux_.take_output(output_.data(), output_.size());
      if (size == 0) return;
      stream_.write({output_.data(), size});
    }
  }

  io::Loop& loop_;
  const Options& options_;
  const std::function<void()> connected_;
  const std::function<void(const std::string&)> lost_;
  wire::Nonce own_{};
  wire::HelloReader hello_{wire::Role::agent};
  bool open_ = false;
  bool flushing_ = false;
  std::vector<char> output_;
  std::shared_ptr<int> lifetime_ = std::make_shared<int>(0);
  wire::Yamux yamux_;
  std::unordered_map<Id, link::ChannelStream*> streams_;
  std::map<Id, std::string> asked_;  // distro_start
  std::list<std::unique_ptr<io::Relay>> relays_;
  io::Stream stream_;  // last: stops first
};

class Client {
 public:
  explicit Client(const Options& options) : options_(options), retry_(loop_) {
    for (const auto& [channel, path] : options.sockets) {
      auto listening = io::listen_unix(path, 0600);
      if (!listening) fail(kUsage, listening.error().message);
      listeners_.push_back(std::make_unique<io::Listener>(
          loop_, *std::move(listening), [this, channel = channel](UniqueFd client) {
            if (link_) link_->carry(channel, std::move(client));
          }));
      listeners_.back()->pause();
    }
  }
  void run() {
    connect();
    loop_.run();
  }

 private:
  void connect() {
    auto fd = dial(options_.transport);
    if (!fd) return lost(fd.error().message);
    link_ = std::make_unique<Link>(
        loop_, *std::move(fd), options_,
        [this] {
          say("connected");
          for (const auto& listener : listeners_) listener->resume();
        },
        [this](const std::string& why) { lost(why); });
  }
  void lost(const std::string& why) {
    if (options_.reconnect_ms == 0) fail(kLost, why);
    if (retry_.armed()) return;
    say("lost " + why);
    for (const auto& listener : listeners_) listener->pause();
    // Within its own call: it goes in a turn of its own.
    retry_.start(options_.reconnect_ms, [this] {
      link_.reset();
      connect();
    });
  }

  const Options& options_;
  io::Loop loop_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::unique_ptr<Link> link_;
  io::Timer retry_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--transport") {
      options.transport = value;
    } else if (name == "--nonce") {
      const auto nonce = wire::nonce_from_hex(value);
      if (!nonce) fail(kUsage, "--nonce: 32 hex digits");
      options.nonce = *nonce;
    } else if (name == "--engine") {
      options.sockets[wire::Channel::engine] = value;
    } else if (name == "--control") {
      options.sockets[wire::Channel::control] = value;
    } else if (name == "--answer") {
      options.answer = value;
    } else if (name == "--reconnect") {
      options.reconnect_ms = text::to_u64(value).value_or(0);
    } else {
      fail(kUsage, "unknown option " + std::string(name));
    }
  }
  if (argc % 2 == 0 || options.transport.empty()) fail(kUsage, "see the head of link_client.cpp");
  std::signal(SIGPIPE, SIG_IGN);
  Client(options).run();
  return 0;
}
