// The hello, the streams of the channels, and what ends them.
#include <doctest/doctest.h>

#include "link/link_session.h"
#include "rig.h"
#include "support/captured_log.h"

using namespace causeway;
using namespace causeway::link;
using namespace causeway::link::test;
using io::ByteStream;

TEST_CASE("link/link_session: a hello with the right nonce opens it, however it is cut") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{56}}) {
    Rig rig;
    Windows windows = rig.connect();
    wire::Hello hello;
    hello.nonce = kShims;
    hello.expected = kAgents;
    const std::string bytes = wire::encode(hello);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      CHECK(rig.connected == 0);
      windows.send(bytes.substr(at, piece));
      rig.settle();
    }
    CHECK(rig.connected == 1);
    CHECK(rig.server->status().sessions == 1);
    CHECK(!rig.server->status().refusal);
    CHECK(windows.take().size() == wire::kHelloSize);
  }
}

TEST_CASE("link/link_session: wrong nonce, foreign version, garbage: sent away with the reason") {
  Rig rig;
  Windows stale = rig.connect();
  stale.say_hello(nonce_of(77));
  CHECK(refusal_in(stale.take()).find("nonce") != std::string::npos);
  rig.settle();
  stale.take();
  CHECK(stale.eof);
  CHECK(rig.server->status().refusal->reason.find("unix: the nonce") == 0);

  Windows old = rig.connect();
  old.say_hello(kAgents, 9);
  const std::string text = refusal_in(old.take());
  CHECK(text.find("version 9") != std::string::npos);
  CHECK(text.find("version 1") != std::string::npos);
  CHECK(rig.server->status().refusal->reason.find("version 9") != std::string::npos);

  Windows browser = rig.connect();
  browser.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(refusal_in(browser.take()).find("does not speak") != std::string::npos);

  Windows leaves = rig.connect();
  leaves.send("CAUSE");
  rig.settle();
  leaves.close();
  rig.settle();
  CHECK(rig.server->status().refusal->reason.find("ended within the hello") != std::string::npos);
  CHECK(rig.connected == 0);
  CHECK(rig.served.empty());
}

TEST_CASE("link/link_session: half a hello, then silence") {
  LinkServer::Options options;
  options.session.hello_ms = 30;
  options.session.refusal_ms = 30;
  Rig rig(options);
  Windows windows = rig.connect();
  windows.send("CAUSEWAY");
  std::string got;
  CHECK(rig.until([&] {
    got += windows.take();
    return windows.eof;
  }));
  CHECK(refusal_in(got).find("no complete hello") != std::string::npos);
  CHECK(rig.server->status().refusal.has_value());
}

TEST_CASE(
    "link/link_session: attach's connection may say nothing for as long as it holds the distro") {
  LinkServer::Options options;
  options.session.hello_ms = 30;
  Rig rig(options);
  Windows holder = rig.connect();
  Windows other = rig.connect();
  other.send("CAUSE");
  // The other one's time is over: the holder's would be, too.
  CHECK(rig.until([&] {
    other.take();
    return other.eof;
  }));
  holder.take();
  CHECK(!holder.eof);
  holder.say_hello(kAgents);
  rig.settle();
  CHECK(rig.connected == 1);

  Rig quiet(options);
  Windows leaves = quiet.connect();
  quiet.settle();
  leaves.close();
  quiet.settle();
  CHECK(!quiet.server->status().refusal);  // that was no attempt
}

TEST_CASE(
    "link/link_session: a stream is served under its channel, data pass both ways, and both ends") {
  for (const bool split : {false, true}) {
    CAPTURE(split);
    Rig rig;
    Windows windows = rig.connect();
    windows.greet();
    const auto id = windows.open(wire::Channel::engine, split ? "" : "request");
    if (split) {
      windows.settle();
      windows.yamux.write(id, "request");
    }
    windows.settle();
    REQUIRE(rig.served.size() == 1);
    Served& client = rig.served[0];
    CHECK(client.channel == wire::Channel::engine);
    CHECK(client.data == "request");
    client.stream->write("answer");
    CHECK(client.stream->queued() == 6);
    windows.settle();
    CHECK(client.stream->queued() == 0);
    CHECK(client.drained == 1);
    CHECK(windows.data[id] == "answer");
    windows.yamux.end_write(id);
    windows.settle();
    CHECK(client.log.back() == 'e');
    client.stream->write("more");
    client.stream->shutdown_write();
    CHECK(client.stream->write_ended());
    windows.settle();
    CHECK(windows.data[id] == "answermore");
    CHECK(windows.log[id] == "ec");
    CHECK(client.log.back() == 'c');
    CHECK(rig.server->status().streams == 0);
  }
}

TEST_CASE("link/link_session: a channel that isn't known, or that nobody serves, gets RST") {
  Rig rig;
  Windows windows = rig.connect();
  windows.greet();
  for (const int channel : {0, 3, 4, 5, 255}) {
    const auto id = windows.open(static_cast<wire::Channel>(channel), "x");
    windows.settle();
    CHECK(windows.log[id] == "a");
  }
  rig.refuse = true;
  const auto id = windows.open(wire::Channel::engine, "x");
  windows.settle();
  CHECK(windows.log[id] == "a");
  const auto mute = windows.yamux.open();
  windows.yamux.end_write(mute);
  windows.settle();
  CHECK(rig.served.empty());
  CHECK(rig.server->status().streams == 0);
  CHECK(rig.server->status().sessions == 1);
}

TEST_CASE(
    "link/link_session: closed behind the last byte: delivered, then a hang-up; RST alone: "
    "aborted") {
  for (const bool watch : {true, false}) {
    CAPTURE(watch);
    Rig rig;
    rig.watch = watch;
    Windows windows = rig.connect();
    windows.greet();
    const auto closed = windows.open(wire::Channel::engine, "last");
    windows.yamux.close(closed);
    const auto aborted = windows.open(wire::Channel::engine, "never");
    windows.settle();
    windows.yamux.reset(aborted);
    windows.settle();
    REQUIRE(rig.served.size() == 2);
    CHECK(rig.served[0].data == "last");
    CHECK(rig.served[0].log == (watch ? "dec" : "de"));
    CHECK(rig.served[1].log == "da");
    if (watch) continue;
    // As a socket whose peer has closed.
    rig.served[0].stream->write("x");
    rig.settle();
    CHECK(rig.served[0].log == "dew");
    rig.served[0].stream->watch_hangup(true);
    rig.settle();
    CHECK(rig.served[0].log == "dewc");
  }
}

TEST_CASE("link/link_session: while paused a stream holds its window, and hands it on in pieces") {
  Rig rig;
  rig.start = false;
  rig.watch = false;
  Windows windows = rig.connect();
  windows.greet();
  const auto id = windows.open(wire::Channel::engine);
  const std::string data(std::size_t{1} << 20, 'x');
  windows.yamux.write(id, data);
  windows.yamux.end_write(id);
  windows.settle();
  REQUIRE(rig.served.size() == 1);
  Served& client = rig.served[0];
  CHECK(client.data.empty());
  // The channel's byte was consumed: that much of the window was opened again.
  CHECK(windows.yamux.queued(id) == data.size() - wire::kInitialWindow);
  client.stream->resume(ByteStream::not_started);
  rig.settle();
  windows.settle();
  CHECK(client.data == data);
  CHECK(client.largest <= std::size_t{64} << 10);
  CHECK(client.log.back() == 'e');
  CHECK(std::count(client.log.begin(), client.log.end(), 'e') == 1);
}

TEST_CASE(
    "link/link_session: a hang-up is told at once to who watches for it, though it is paused") {
  Rig rig;
  rig.start = false;
  Windows windows = rig.connect();
  windows.greet();
  const auto id = windows.open(wire::Channel::engine, "unread");
  windows.yamux.close(id);
  windows.settle();
  CHECK(rig.served.at(0).log == "c");
}

TEST_CASE(
    "link/link_session: a stream that is destroyed closes: FIN and RST, or RST with bytes unsent") {
  Rig rig;
  Windows windows = rig.connect();
  windows.greet();
  windows.consume = false;
  const auto done = windows.open(wire::Channel::engine, "x");
  const auto cut = windows.open(wire::Channel::engine, "x");
  windows.settle();
  rig.served.at(0).stream->write("all");
  rig.served.at(1).stream->write(std::string(wire::kInitialWindow + 1, 'y'));
  windows.settle();
  CHECK(rig.served[1].stream->queued() == 1);
  rig.served[0].stream.reset();
  rig.served[1].stream.reset();
  windows.settle();
  CHECK(windows.data[done] == "all");
  CHECK(windows.log[done] == "ec");
  CHECK(windows.log[cut] == "a");
  CHECK(rig.server->status().streams == 0);
}

TEST_CASE("link/link_session: destroyed inside its callbacks") {
  Rig rig;
  Windows windows = rig.connect();
  windows.greet();
  const auto first = windows.open(wire::Channel::engine);
  windows.settle();
  rig.served.at(0).destroy_on_data = true;
  windows.yamux.write(first, std::string(100'000, 'x'));
  windows.settle();
  CHECK(!rig.served[0].stream);
  CHECK(windows.log[first] == "ec");

  rig.start = false;
  const auto held = windows.open(wire::Channel::engine, std::string(200'000, 'x'));
  windows.settle();
  rig.served.at(1).destroy_on_data = true;
  rig.served[1].stream->resume(ByteStream::not_started);
  windows.settle();
  CHECK(!rig.served[1].stream);
  CHECK(rig.served[1].log == "d");
  CHECK(windows.log[held] == "ec");
}

TEST_CASE("link/link_session: the transport's end aborts its streams") {
  Rig rig;
  rig.start = false;
  Windows windows = rig.connect();
  windows.greet();
  windows.open(wire::Channel::engine, "held back");
  windows.open(wire::Channel::control, "x");
  windows.settle();
  windows.close();
  rig.settle();
  CHECK(rig.served.at(0).log == "a");
  CHECK(rig.served.at(1).log == "a");
  CHECK(rig.server->status().sessions == 0);
}

TEST_CASE("link/link_session: a violation of the protocol ends it with a farewell") {
  Rig rig;
  Windows windows = rig.connect();
  windows.greet();
  windows.open(wire::Channel::engine, "x");
  windows.settle();
  windows.send(std::string(12, '\x7f'));
  const std::string last = windows.take();
  CHECK(windows.yamux.receive(last).ok());
  CHECK(windows.farewell);
  CHECK(windows.eof);
  CHECK(rig.served.at(0).log == "da");
  CHECK(rig.server->status().sessions == 0);
}

TEST_CASE("link/link_session: all that a turn has to say goes out in one send") {
  Rig rig;
  Windows windows = rig.connect();
  windows.greet();
  for (int i = 0; i < 50; ++i) windows.open(wire::Channel::engine, "x");
  windows.settle();
  REQUIRE(rig.served.size() == 50);
  windows.packets = 0;
  for (auto& client : rig.served) {
    client.stream->write("one");
    client.stream->write("two");
  }
  windows.settle();
  CHECK(windows.packets == 1);
  for (const auto& [id, data] : windows.data) CHECK(data == "onetwo");
}

TEST_CASE(
    "link/link_session: pings are answered, a silent peer is asked, and given up in the end") {
  LinkServer::Options options;
  options.tick_ms = 20;
  Rig rig(options);
  Windows windows = rig.connect();
  windows.greet();
  windows.yamux.ping(42);
  windows.settle();
  CHECK(windows.pongs == std::vector<std::uint32_t>{42});
  // One that answers stays.
  const auto start = rig.loop.now_ms();
  CHECK(rig.until([&] {
    windows.settle();
    return rig.loop.now_ms() > start + 20 * 3 * LinkSession::kSilentTicks;
  }));
  CHECK(rig.server->status().sessions == 1);
  // One that doesn't is gone, however long its socket stays.
  CHECK(rig.until([&] { return rig.server->status().sessions == 0; }));
}

namespace {

// A frame's header, as the specification has it.
std::string frame(std::uint8_t type, std::uint16_t flags, std::uint32_t stream,
                  std::uint32_t length) {
  std::string out = {0, static_cast<char>(type)};
  out += static_cast<char>(flags >> 8U);
  out += static_cast<char>(flags);
  for (const std::uint32_t value : {stream, length}) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(value >> shift);
  }
  return out;
}

}  // namespace

TEST_CASE("link/link_session: what a peer does by the thousand costs a line, and is counted") {
  constexpr std::uint8_t kData = 0;
  constexpr std::uint8_t kGoAway = 3;
  constexpr std::uint16_t kSyn = 1;
  struct Case {
    const char* name;
    const char* line;
    const char* counted;
    bool refuse;
    std::string (*frames)(std::uint32_t number);
  };
  const std::vector<Case> cases = {
      {"farewells", "link.farewell", "farewells=20000", false,
       [](std::uint32_t) { return frame(kGoAway, 0, 0, 1); }},
      {"unknown channels", "link.unknown_channel", "unknown_channels=20000", false,
       [](std::uint32_t number) { return frame(kData, kSyn, 2 * number + 1, 1) + "\x63"; }},
      {"streams that aren't served", "link.stream_refused", "refused_streams=20000", true,
       [](std::uint32_t number) { return frame(kData, kSyn, 2 * number + 1, 1) + "\x01"; }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const causeway::test::CapturedLog captured;
    Rig rig;
    rig.refuse = c.refuse;
    Windows windows = rig.connect();
    windows.greet();
    for (std::uint32_t number = 0; number < 20'000;) {
      std::string packet;
      for (int i = 0; i < 1'000; ++i) packet += c.frames(number++);
      windows.send(packet);
      windows.take();
    }
    REQUIRE_FALSE(windows.eof);
    windows.close();
    rig.settle();
    const std::string text = captured.text();
    std::size_t lines = 0;
    for (std::size_t at = text.find(c.line); at != std::string::npos;
         at = text.find(c.line, at + 1))
      ++lines;
    CHECK(lines == 1);
    CHECK(captured.has(c.counted));
    CHECK(captured.lines() < 8);
  }
}

TEST_CASE("link/link_session: full windows are given back when the transport ends") {
  Rig rig;
  rig.start = false;
  Windows windows = rig.connect();
  windows.greet();
  // 100 streams that nobody reads, with 250 KiB each.
  const std::string piece(50'000, 'x');
  for (int i = 0; i < 100; ++i) {
    const auto id = windows.open(wire::Channel::engine);
    for (int k = 0; k < 5; ++k) {
      windows.yamux.write(id, piece);
      windows.settle();
    }
  }
  const auto resident = [] {
    const std::string text = *file::read("/proc/self/statm");
    return std::stoul(text.substr(text.find(' ') + 1)) * 4096;
  };
  const std::size_t full = resident();
  windows.close();
  rig.settle();
  CHECK(rig.server->status().streams == 0);
  CHECK(rig.until([&] { return resident() + 20'000'000 < full; }));
}
