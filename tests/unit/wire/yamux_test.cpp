#include "wire/yamux.h"

#include "pair.h"

using namespace causeway;
using namespace causeway::wire;
using namespace causeway::wire::testing;

namespace {

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 1;
  for (auto& c : out) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

}  // namespace

TEST_CASE("wire/yamux: data goes with the opening, both ways, without a round trip") {
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server);
  const auto id = client.session.open();
  CHECK(id == 1);
  client.session.write(id, "hello");
  CHECK(client.output() == data_frame(1, "hello", kSyn));
  CHECK(server.feed(data_frame(1, "hello", kSyn)) == "");
  CHECK(server.opened == std::vector<Id>{1});
  CHECK(server.data[1] == "hello");
  server.session.write(1, "answer");
  CHECK(server.output() == data_frame(1, "answer", kAck));
  client.feed(data_frame(1, "answer", kAck));
  CHECK(client.data[1] == "answer");
  CHECK(client.drained[1] == 1);
  const auto other = server.session.open();
  CHECK(other == 2);
  settle(client, server);
  CHECK(client.opened == std::vector<Id>{2});
  CHECK(client.session.streams() == 2);
  CHECK(server.session.streams() == 2);
}

TEST_CASE("wire/yamux: a half-close either way") {
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server);
  const auto id = client.session.open();
  Peer* first = &client;
  Peer* second = &server;
  SUBCASE("of the client") {}
  SUBCASE("of the server") { std::swap(first, second); }
  settle(client, server);
  first->session.write(id, "the last");
  first->session.end_write(id);
  first->session.write(id, "ignored");
  settle(client, server);
  CHECK(second->data[id] == "the last");
  CHECK(second->log == "eof 1\n");
  CHECK(first->log.empty());
  second->session.write(id, pattern(600'000));
  settle(client, server);
  CHECK(first->data[id] == pattern(600'000));
  second->session.end_write(id);
  settle(client, server);
  CHECK(first->log == "eof 1\nclosed 1\n");
  CHECK(second->log == "eof 1\nclosed 1\n");
  CHECK(client.session.streams() == 0);
  CHECK(server.session.streams() == 0);
}

TEST_CASE("wire/yamux: closed is told behind all data, aborted at once") {
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server);
  const auto id = client.session.open();
  client.session.write(id, "request");
  settle(client, server);
  const std::string answer = pattern(1'000'000);
  SUBCASE("close: FIN, then RST, behind the data") {
    server.session.write(id, answer);
    server.session.close(id);
    server.session.write(id, "ignored");
    settle(client, server);
    CHECK(client.data[id] == answer);
    CHECK(client.log == "eof 1\nclosed 1\n");
  }
  SUBCASE("close after a half-close: RST") {
    server.session.write(id, answer);
    server.session.end_write(id);
    settle(client, server);
    CHECK(client.log == "eof 1\n");
    server.session.close(id);
    CHECK(server.output() == frame(1, kRst, 1, 0));
    client.feed(frame(1, kRst, 1, 0));
    CHECK(client.log == "eof 1\nclosed 1\n");
  }
  SUBCASE("reset: what waits is dropped") {
    server.session.write(id, answer);
    server.session.reset(id);
    settle(client, server);
    CHECK(client.data[id].empty());
    CHECK(client.log == "aborted 1\n");
  }
  SUBCASE("both close at once") {
    client.session.close(id);
    server.session.close(id);
    settle(client, server);
    CHECK(client.log.empty());
  }
  SUBCASE("the peer goes on sending to a stream that is closed here") {
    server.session.close(id);
    const std::string closing = server.output();
    client.session.write(id, pattern(200'000));
    settle(client, server);  // the server knows nothing of it any more
    client.feed(closing);
    CHECK(client.log == "eof 1\nclosed 1\n");
    CHECK(server.data[id] == "request");
  }
  SUBCASE("a close waits for the peer's window, and drops what comes meanwhile") {
    client.consume = false;
    server.session.write(id, answer);
    server.session.close(id);
    client.session.write(id, pattern(2'000'000));
    settle(client, server);
    CHECK(client.data[id].size() == kInitialWindow);
    CHECK(client.session.queued(id) == 0);  // so the client can come to read
    client.consume = true;
    client.session.consumed(id, kInitialWindow);
    settle(client, server);
    CHECK(client.data[id] == answer);
    CHECK(server.data[id] == "request");
    CHECK(client.log == "eof 1\nclosed 1\n");
  }
  CHECK(server.log.empty());
  CHECK(client.session.streams() == 0);
  CHECK(server.session.streams() == 0);
}

TEST_CASE("wire/yamux: a stream that is reset before its opening was sent never was") {
  Peer client(Yamux::Side::client);
  client.session.reset(client.session.open());
  CHECK(client.output().empty());
  CHECK(client.session.open() == 3);
}

TEST_CASE("wire/yamux: the window bounds what is under way, and opens with consumed()") {
  Yamux::Limits limits;
  SUBCASE("the specification's") {}
  SUBCASE("a larger one, told with the opening") { limits.window = 1 << 20; }
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server, limits);
  server.consume = false;
  const std::string text = pattern(3'000'000);
  const auto id = client.session.open();
  client.session.write(id, text);
  settle(client, server);
  CHECK(server.data[id].size() == limits.window);
  CHECK(client.drained[id] == 0);
  server.session.consumed(id, limits.window / 2 - 1);
  CHECK(server.output().empty());  // not for each byte
  server.session.consumed(id, 1);
  CHECK(server.output() == frame(1, 0, 1, limits.window / 2));
  client.feed(frame(1, 0, 1, limits.window / 2));
  server.consume = true;
  server.session.consumed(id, limits.window / 2);
  settle(client, server);
  CHECK(server.data[id] == text);
  CHECK(client.drained[id] == 1);
}

TEST_CASE("wire/yamux: no window is reopened while all streams together hold too much") {
  Yamux::Limits limits;
  limits.unconsumed = 600'000;
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server, limits);
  server.consume = false;
  std::vector<Id> ids;
  for (int i = 0; i < 4; ++i) {
    ids.push_back(client.session.open());
    client.session.write(ids.back(), pattern(400'000));
  }
  settle(client, server);
  std::size_t held = 0;
  for (const auto& [id, data] : server.data) held += data.size();
  CHECK(held == 4 * kInitialWindow);
  server.session.consumed(ids[0], kInitialWindow);
  settle(client, server);
  CHECK(server.data[ids[0]].size() == kInitialWindow);  // 3 windows are still held
  server.session.consumed(ids[1], kInitialWindow);
  settle(client, server);
  CHECK(server.data[ids[0]].size() == 400'000);  // withheld till then
  CHECK(server.data[ids[1]].size() == 400'000);
  SUBCASE("one that is dropped counts no more") {
    server.session.reset(ids[2]);
    server.session.consumed(ids[3], kInitialWindow);
    settle(client, server);
    CHECK(server.data[ids[3]].size() == 400'000);
  }
}

TEST_CASE("wire/yamux: nor is it with the answer to an opening") {
  Yamux::Limits limits;
  limits.unconsumed = 100'000;
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server, limits);
  server.consume = false;
  const auto a = client.session.open();
  const auto b = client.session.open();
  client.session.write(a, pattern(200'000));
  client.session.write(b, pattern(200'000));
  CHECK(server.feed(client.output(1 << 20)) == "");
  server.session.consumed(a, 200'000);
  CHECK(server.output() == frame(1, kAck, a, 0) + frame(1, kAck, b, 0));
  server.session.consumed(b, 100'000);
  CHECK(server.output() == frame(1, 0, a, 200'000));
}

TEST_CASE("wire/yamux: streams take turns, a frame each") {
  Peer client(Yamux::Side::client);
  const auto large = client.session.open();
  client.session.write(large, pattern(kInitialWindow));
  const auto small = client.session.open();
  client.session.write(small, "ping");
  const std::string out = client.output(kFrameHeader + kFrameLimit);
  CHECK(out.size() == kFrameHeader + kFrameLimit);
  CHECK(out.starts_with(frame(0, kSyn, large, kFrameLimit)));
  CHECK(client.output().starts_with(data_frame(small, "ping", kSyn)));
}

TEST_CASE("wire/yamux: control frames pass data") {
  Peer client(Yamux::Side::client);
  const auto large = client.session.open();
  client.session.write(large, pattern(kInitialWindow));
  client.output(kFrameHeader + kFrameLimit);
  client.session.ping(7);
  CHECK(client.output().starts_with(frame(2, kSyn, 0, 7)));
  Peer server(Yamux::Side::server);
  CHECK(server.feed(frame(2, kSyn, 0, 7)) == "");
  CHECK(server.output() == frame(2, kAck, 0, 7));
  client.feed(frame(2, kAck, 0, 7));
  CHECK(client.log == "pong 7\n");
}

TEST_CASE("wire/yamux: however a conversation is cut, it says the same") {
  // What a client of many habits has sent, and all that the server was told.
  Peer client(Yamux::Side::client);
  std::string recorded;
  const auto a = client.session.open();
  const auto b = client.session.open();
  const auto c = client.session.open();
  client.session.write(a, "first");
  client.session.write(b, pattern(300));
  recorded += client.output();
  client.session.ping(3);
  client.session.end_write(a);
  client.session.write(b, "second");
  client.session.close(b);
  client.session.reset(c);
  recorded += client.output() + client.output();
  client.session.go_away(Yamux::GoAway::normal);
  recorded += client.output();
  const auto replay = [&](const std::vector<std::string_view>& pieces) {
    Peer server(Yamux::Side::server);
    for (const auto piece : pieces) CHECK(server.feed(piece) == "");
    return server.data[a] + "|" + server.data[b] + "|" + server.log + "|" +
           std::to_string(server.opened.size());
  };
  const std::string_view all = recorded;
  const auto whole = replay({all});
  CHECK(whole ==
        "first|" + pattern(300) + "second|" + "aborted 5\neof 1\neof 3\nclosed 3\nfarewell 0\n|3");
  std::vector<std::string_view> single;
  for (std::size_t at = 0; at < all.size(); ++at) single.push_back(all.substr(at, 1));
  CHECK(replay(single) == whole);
  for (std::size_t at = 1; at < all.size(); ++at)
    CHECK(replay({all.substr(0, at), all.substr(at)}) == whole);
}

TEST_CASE("wire/yamux: what no honest peer does ends the session with a farewell") {
  struct Row {
    const char* name;
    std::string bytes;
    std::string error;
  };
  const std::string open = frame(1, kSyn, 1, 0);
  const std::vector<Row> rows = {
      {"another version", std::string("\x01") + open.substr(1),
       "link: the peer speaks version 1 of yamux; this end knows version 0"},
      {"an unknown type", frame(4, 0, 1, 0), "link: a frame of unknown type 4"},
      {"unknown flags", frame(1, 16, 1, 0), "link: a frame with unknown flags 16"},
      {"our numbers", frame(1, kSyn, 2, 0),
       "link: the peer opened stream 2, a number of this end's"},
      {"a number twice", open + open, "link: the peer opened stream 1 again"},
      {"a number that goes back", frame(1, kSyn, 5, 0) + frame(1, kSyn, 3, 0),
       "link: the peer opened stream 3 again"},
      {"data of the session", data_frame(0, "x"), "link: a frame of a stream without a stream"},
      {"a stream that never was", data_frame(1, "x"),
       "link: a frame of the stream 1, which was never opened"},
      {"ours that never was", data_frame(2, "x"),
       "link: a frame of the stream 2, which was never opened"},
      {"a ping of a stream", frame(2, kSyn, 1, 0), "link: a ping of a stream"},
      {"a ping without a sense", frame(2, 0, 0, 0),
       "link: a ping that is neither a question nor an answer"},
      {"a farewell of a stream", frame(3, 0, 1, 0), "link: a farewell of a stream"},
      {"more than the window", open + frame(0, 0, 1, kInitialWindow + 5),
       "link: the peer sent 5 bytes more than the window of a stream"},
      {"a window beyond bounds", open + frame(1, 0, 1, 0xffffffff),
       "link: a window that was opened beyond all bounds"},
      {"data behind the end", open + frame(1, kFin, 1, 0) + data_frame(1, "x"),
       "link: data behind the end of a stream"},
      {"a huge frame for a stream that is gone",
       open + frame(1, kRst, 1, 0) + frame(0, 0, 1, 0xfffffff0),
       "link: a frame that is larger than any window"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    Peer server(Yamux::Side::server);
    CHECK(server.feed(row.bytes) == row.error);
    CHECK(server.output() == frame(3, 0, 0, 1));
    CHECK(server.feed(data_frame(1, "more")) == "");
    CHECK_FALSE(server.session.has_output());
    CHECK(server.session.open() == 0);
    CHECK(server.data[1].empty());
  }
}

TEST_CASE("wire/yamux: floods are bounded") {
  Yamux::Limits limits;
  limits.streams = 10;
  limits.control_frames = 50;
  Peer server(Yamux::Side::server, limits);
  std::string flood;
  SUBCASE("of pings") {
    for (unsigned i = 0; i < 60; ++i) flood += frame(2, kSyn, 0, i);
    CHECK(server.feed(flood) == "link: the peer floods the link with frames that want an answer");
  }
  SUBCASE("of openings: refused beyond the limit") {
    for (unsigned i = 0; i < 12; ++i) flood += frame(1, kSyn, 2 * i + 1, 0);
    CHECK(server.feed(flood) == "");
    CHECK(server.session.streams() == 10);
    CHECK(server.output().starts_with(frame(1, kRst, 21, 0) + frame(1, kRst, 23, 0)));
    flood.clear();
    for (unsigned i = 12; i < 70; ++i) flood += frame(1, kSyn, 2 * i + 1, 0);
    CHECK(server.feed(flood) == "link: the peer floods the link with frames that want an answer");
  }
}

TEST_CASE("wire/yamux: an end that says farewell accepts no more streams") {
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server);
  const auto kept = client.session.open();
  settle(client, server);
  server.session.go_away(Yamux::GoAway::normal);
  const auto late = client.session.open();
  settle(client, server);
  CHECK(client.log == "farewell 0\naborted 3\n");
  CHECK(client.session.open() == 0);
  CHECK(late == 3);
  client.session.write(kept, "still there");
  settle(client, server);
  CHECK(server.data[kept] == "still there");
}

TEST_CASE("wire/yamux: the numbers of streams can be used up") {
  Yamux::Limits limits;
  Yamux::Side side = Yamux::Side::client;
  std::vector<Id> expected;
  SUBCASE("the client's") {
    limits.last_id = 7;
    expected = {1, 3, 5, 7};
  }
  SUBCASE("the server's") {
    side = Yamux::Side::server;
    limits.last_id = 7;
    expected = {2, 4, 6};
  }
  Peer peer(side, limits);
  for (const auto id : expected) {
    CHECK(peer.session.open() == id);
    if (id > 2) peer.session.reset(id);  // no number comes twice
  }
  CHECK(peer.session.open() == 0);
  CHECK(peer.session.streams() == 1);
  peer.session.write(expected[0], "goes on");
  CHECK(peer.output() == data_frame(expected[0], "goes on", kSyn));
}

TEST_CASE("wire/yamux: the last number there is can be used") {
  Peer server(Yamux::Side::server);
  CHECK(server.feed(frame(1, kSyn, 0xffffffff, 0)) == "");
  CHECK(server.opened == std::vector<Id>{0xffffffff});
  CHECK(server.feed(data_frame(0xffffffff, "x")) == "");
  CHECK(server.data[0xffffffff] == "x");
}

TEST_CASE("wire/yamux: openings go out in order, whatever is said of the streams") {
  Yamux::Limits limits;
  limits.window = 4 * kInitialWindow;
  Peer client(Yamux::Side::client, limits);
  const auto a = client.session.open();
  const auto b = client.session.open();
  client.session.consumed(b, 0);
  client.session.consumed(b, 100);  // it has received nothing
  CHECK(client.output() ==
        frame(1, kSyn, a, 3 * kInitialWindow) + frame(1, kSyn, b, 3 * kInitialWindow));
}

TEST_CASE("wire/yamux: flags of a data frame count behind its bytes") {
  const auto told = [](unsigned flags, std::size_t cut) {
    Peer server(Yamux::Side::server);
    const auto all = data_frame(1, "hello", kSyn | flags) + frame(2, kSyn, 0, 9);
    CHECK(server.feed(all.substr(0, cut)) == "");
    CHECK(server.feed(all.substr(cut)) == "");
    CHECK(server.data[1] == "hello");
    return server.log;
  };
  for (std::size_t cut = 0; cut < 2 * kFrameHeader + 5; ++cut) {
    CHECK(told(0, cut).empty());
    CHECK(told(kFin, cut) == "eof 1\n");
    CHECK(told(kFin | kRst, cut) == "eof 1\nclosed 1\n");
    CHECK(told(kRst, cut) == "aborted 1\n");
  }
}

TEST_CASE("wire/yamux: a stream that ends here within a frame's bytes takes the rest along") {
  for (const bool resets : {false, true}) {
    for (std::size_t cut = 0; cut <= 100; ++cut) {
      Peer server(Yamux::Side::server);
      const std::string piece = pattern(100);
      const auto all = data_frame(1, piece, kSyn) + data_frame(3, "the next", kSyn);
      CHECK(server.feed(all.substr(0, kFrameHeader + cut)) == "");
      resets ? server.session.reset(1) : server.session.close(1);
      CHECK(server.feed(all.substr(kFrameHeader + cut)) == "");
      CHECK(server.data[1] == piece.substr(0, cut));
      CHECK(server.data[3] == "the next");
      CHECK(server.log.empty());
    }
  }
}

TEST_CASE("wire/yamux: an opening may bring a larger window") {
  Peer server(Yamux::Side::server);
  CHECK(server.feed(frame(1, kSyn, 1, 1000)) == "");
  server.session.write(1, pattern(kInitialWindow + 2000));
  while (!server.output().empty()) continue;
  CHECK(server.session.queued(1) == 1000);
}

TEST_CASE("wire/yamux: the owner may do anything from within a call") {
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server);
  const auto id = client.session.open();
  client.session.write(id, pattern(100'000));
  SUBCASE("reset while opening") {
    server.opening = [&](Id which) { server.session.reset(which); };
    settle(client, server);
    CHECK(client.log == "aborted 1\n");
    CHECK(server.data[id].empty());
  }
  SUBCASE("reset while data comes") {
    server.arrived = [&](Id which, std::string_view) { server.session.reset(which); };
    settle(client, server);
    CHECK(client.log == "aborted 1\n");
  }
  SUBCASE("close while data comes") {
    server.arrived = [&](Id which, std::string_view) {
      server.session.write(which, "enough");
      server.session.close(which);
    };
    settle(client, server);
    CHECK(client.data[id] == "enough");
    CHECK(client.log == "eof 1\nclosed 1\n");
  }
  SUBCASE("take output while data comes") {
    std::string early;
    server.arrived = [&](Id which, std::string_view) {
      server.session.write(which, "early");
      early += server.output();
    };
    CHECK(server.feed(client.output()) == "");
    CHECK(client.feed(early) == "");
    CHECK(client.data[id] == "earlyearlyearlyearly");
  }
  SUBCASE("reset at the end of the other's writing") {
    client.session.end_write(id);
    server.ended_writing = [&](Id which) { server.session.reset(which); };
    settle(client, server);
    CHECK(client.log == "aborted 1\n");
  }
  SUBCASE("write when drained, for ever so long") {
    int rounds = 20;
    client.empty = [&](Id which) {
      if (--rounds > 0) client.session.write(which, "again");
    };
    settle(client, server);
    CHECK(server.data[id].size() == 100'000 + 19 * 5);
  }
  SUBCASE("reset when drained") {
    client.empty = [&](Id which) { client.session.reset(which); };
    settle(client, server);
    CHECK(server.log == "aborted 1\n");
  }
  if (client.session.streams() + server.session.streams() > 0) {
    client.session.reset(id);
    settle(client, server);
  }
  CHECK(client.session.streams() == 0);
  CHECK(server.session.streams() == 0);
}

TEST_CASE("wire/yamux: a thousand streams at once, each whole") {
  Peer client(Yamux::Side::client);
  Peer server(Yamux::Side::server);
  server.ended_writing = [&](Id id) {
    server.session.write(id, server.data[id]);
    server.session.close(id);
  };
  std::map<Id, std::string> sent;
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto id = client.session.open();
    sent[id] = pattern(i * 7) + std::to_string(i);
    client.session.write(id, sent[id]);
    client.session.end_write(id);
  }
  CHECK(client.session.streams() == 1000);
  settle(client, server);
  CHECK(client.session.streams() == 0);
  CHECK(server.session.streams() == 0);
  for (const auto& [id, text] : sent) CHECK(client.data[id] == text);
  CHECK(client.largest_piece <= kFrameLimit);
}
