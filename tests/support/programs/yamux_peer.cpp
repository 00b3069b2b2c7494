// One end of a yamux session on standard input and output, of our implementation:
//
//   echo STREAMS         server: each of STREAMS streams gets back what it sent, behind its FIN
//   answer BYTES         server: one stream gets its first BYTES back and FIN, before its own FIN
//   send STREAMS BYTES   client: STREAMS streams at once, each sends BYTES and FIN, wants them back
//
// Prints on standard error what it saw, and exits with 0 when all streams ended in order.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "wire/yamux.h"

using causeway::wire::Yamux;

namespace {

std::string pattern(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  for (auto& c : out) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return out;
}

class Peer : public Yamux::Handler {
 public:
  Peer(bool echoes, std::size_t streams, std::size_t bytes)
      : echoes_(echoes),
        wanted_(streams),
        answer_at_(echoes ? bytes : 0),
        session_(echoes ? Yamux::Side::server : Yamux::Side::client, {}, *this) {
    if (echoes) return;
    session_.ping(42);
    for (std::size_t i = 0; i < streams; ++i) {
      const auto id = session_.open();
      expected_[id] = pattern(bytes, id);
      session_.write(id, expected_[id]);
      session_.end_write(id);
    }
  }

  int run() {
    std::vector<char> in(64 * 1024);
    std::string out;
    // Without streams the answer to the ping may be the last that comes.
    while (!(done_ == wanted_ && (echoes_ || ponged_) && out.empty() && !session_.has_output())) {
      while (out.size() < 1 << 20 && session_.has_output()) {
        const auto size = out.size();
        out.resize(size + 64 * 1024);
        out.resize(size + session_.take_output(out.data() + size, 64 * 1024));
        if (out.size() == size) break;
      }
      pollfd ends[2] = {{0, POLLIN, 0}, {1, static_cast<short>(out.empty() ? 0 : POLLOUT), 0}};
      if (::poll(ends, 2, 20'000) <= 0) return fail("nothing happens for 20 s");
      if ((ends[1].revents & (POLLOUT | POLLERR)) != 0) {
        const auto n = ::write(1, out.data(), out.size());
        if (n <= 0) return fail("the other end takes nothing more");
        out.erase(0, static_cast<std::size_t>(n));
      }
      if ((ends[0].revents & (POLLIN | POLLHUP)) != 0) {
        const auto n = ::read(0, in.data(), in.size());
        if (n <= 0) return fail("the other end is gone");
        const auto taken = session_.receive({in.data(), static_cast<std::size_t>(n)});
        if (!taken) return fail(taken.error().message);
      }
    }
    std::fprintf(stderr, "%zu streams in order, %zu bytes\n", done_, bytes_);
    return session_.streams() == 0 ? 0 : fail("streams are left");
  }

 private:
  int fail(const std::string& why) {
    std::fprintf(stderr, "%s (%zu of %zu streams done)\n", why.c_str(), done_, wanted_);
    return 1;
  }
  void on_open(Yamux::StreamId) override {}
  void on_data(Yamux::StreamId id, std::string_view bytes) override {
    got_[id].append(bytes);
    bytes_ += bytes.size();
    session_.consumed(id, bytes.size());
    if (answer_at_ > 0 && got_[id].size() == answer_at_) answer(id);
  }
  void answer(Yamux::StreamId id) {
    session_.write(id, got_[id]);
    session_.end_write(id);
  }
  void on_eof(Yamux::StreamId id) override {
    if (echoes_) {
      // Half-closed by the other end: it must still get all of this.
      if (answer_at_ == 0) answer(id);
    } else if (got_[id] != expected_[id]) {
      std::fprintf(stderr, "stream %u: other bytes came back\n", id);
      std::exit(1);
    }
  }
  void on_end(Yamux::StreamId id, Yamux::End how) override {
    if (how == Yamux::End::aborted) {
      std::fprintf(stderr, "stream %u was aborted\n", id);
      std::exit(1);
    }
    got_.erase(id);
    ++done_;
  }
  void on_drained(Yamux::StreamId) override {}
  void on_pong(std::uint32_t value) override { ponged_ = value == 42; }
  void on_go_away(Yamux::GoAway) override {}

  const bool echoes_;
  const std::size_t wanted_;
  const std::size_t answer_at_;
  std::size_t done_ = 0;
  std::size_t bytes_ = 0;
  bool ponged_ = false;
  std::map<Yamux::StreamId, std::string> expected_;
  std::map<Yamux::StreamId, std::string> got_;
  Yamux session_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const auto number = [&](int at) { return at < argc ? std::strtoul(argv[at], nullptr, 10) : 0; };
  if (mode == "echo" && argc == 3) return Peer(true, number(2), 0).run();
  if (mode == "answer" && argc == 3) return Peer(true, 1, number(2)).run();
  if (mode == "send" && argc == 4) return Peer(false, number(2), number(3)).run();
  std::fputs("usage: yamux_peer echo STREAMS | answer BYTES | send STREAMS BYTES\n", stderr);
  return 64;
}
