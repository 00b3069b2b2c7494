// The parts that a request or an answer in a new form is made of.
#include <dirent.h>

#include <algorithm>

#include "fixture.h"
#include "http/parser.h"
#include "proxy/changed_head.h"
#include "proxy/collected_body.h"
#include "proxy/prepared_request.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

// A parser that has read this head.
http::Parser parsed(http::Kind kind, const std::string& head) {
  http::Parser parser(kind);
  const auto taken = parser.feed(head);
  REQUIRE(taken.ok());
  REQUIRE(parser.head_done());
  return parser;
}

struct BodyDirectory : causeway::test::TempDir {
  std::size_t entries() const {
    std::size_t n = 0;
    DIR* const open = opendir(path.c_str());
    while (readdir(open) != nullptr) ++n;
    closedir(open);
    return n - 2;  // "." and ".."
  }
};

std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

}  // namespace

TEST_CASE("proxy/changed_head: a request's length takes the place of its framing") {
  struct Case {
    const char* name;
    std::string head;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {"in place, the rest to the byte",
       "POST /x?a=%41 HTTP/1.1\r\nhOST:   d  \r\ncontent-LENGTH: 5\r\nX-A: \xc3\xbc\r\n\r\n",
       "POST /x?a=%41 HTTP/1.1\r\nhOST:   d  \r\nContent-Length: 77\r\nX-A: \xc3\xbc\r\n\r\n"},
      {"for chunked", "POST /x HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n",
       "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 77\r\nA: b\r\n\r\n"},
      {"nothing is expected, no trailers come",
       "POST /x HTTP/1.1\r\nExpect: 100-continue\r\nTrailer: T\r\nHost: d\r\n"
       "Transfer-Encoding: chunked\r\n\r\n",
       "POST /x HTTP/1.1\r\nContent-Length: 77\r\nHost: d\r\n\r\n"},
      {"without framing", "POST /x HTTP/1.1\r\nHost: d\r\n\r\n",
       "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 77\r\n\r\n"},
      {"names that look alike stay",
       "POST /x HTTP/1.1\r\nHost: d\r\nX-Content-Length: 1\r\nContent-Length: 1\r\n"
       "Content-Lengths: 2\r\n\r\n",
       "POST /x HTTP/1.1\r\nHost: d\r\nX-Content-Length: 1\r\nContent-Length: 77\r\n"
       "Content-Lengths: 2\r\n\r\n"},
      {"HTTP/1.0", "POST /x HTTP/1.0\r\nContent-Length: 1\r\n\r\n",
       "POST /x HTTP/1.0\r\nContent-Length: 77\r\n\r\n"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const http::Parser parser = parsed(http::Kind::request, c.head);
    CHECK(with_length(parser.head(), 77) == c.expected);
  }
}

TEST_CASE("proxy/changed_head: a request for another target") {
  const http::Parser parser = parsed(
      http::Kind::request, "GET /containers/json?a HTTP/1.1\r\nHost: /containers/json\r\n\r\n");
  CHECK(with_target(parser.head(), "/v1.41/x?y=%20") ==
        "GET /v1.41/x?y=%20 HTTP/1.1\r\nHost: /containers/json\r\n\r\n");
}

TEST_CASE("proxy/changed_head: a response whose length isn't known") {
  const std::string length = "HTTP/1.1 201 Created\r\nA: b\r\nContent-Length: 5\r\nC: d\r\n\r\n";
  const http::Parser parser = parsed(http::Kind::response, length);
  CHECK(with_body_end(parser.head(), BodyEnd::chunked) ==
        "HTTP/1.1 201 Created\r\nA: b\r\nTransfer-Encoding: chunked\r\nC: d\r\n\r\n");
  const http::Parser old =
      parsed(http::Kind::response,
             "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n");
  CHECK(with_body_end(old.head(), BodyEnd::close) ==
        "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n");
  const http::Parser until_close = parsed(http::Kind::response, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
  CHECK(with_body_end(until_close.head(), BodyEnd::chunked) ==
        "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("proxy/collected_body: the same bytes from memory and from a file, from any place") {
  const BodyDirectory directory;
  const std::string bytes = bytes_of(3000);
  for (const std::size_t in_memory : {0, 1, 999, 1000, 2999, 3000, 100000}) {
    CAPTURE(in_memory);
    CollectedBody body(in_memory, directory.path);
    for (std::size_t at = 0; at < bytes.size(); at += 500) {
      REQUIRE(body.append(std::string_view(bytes).substr(at, 500)).ok());
    }
    CHECK(body.size() == bytes.size());
    CHECK(body.in_file() == (in_memory < bytes.size()));
    for (const std::size_t begin : {0, 1, 999, 2999}) {
      std::string out = "before";
      REQUIRE(body.read(begin, bytes.size() - begin, out).ok());
      CHECK(out == "before" + bytes.substr(begin));
    }
    // Nobody else sees the file, and a killed agent leaves none behind.
    CHECK(directory.entries() == 0);
  }
}

TEST_CASE("proxy/collected_body: a directory that isn't there, a file that can't grow") {
  CollectedBody nowhere(10, "/nonexistent/causeway");
  REQUIRE(nowhere.append("0123456789").ok());
  const auto status = nowhere.append("x");
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message ==
        "make a temporary file in /nonexistent/causeway: No such file or directory");

  const BodyDirectory directory;
  const FileSizeLimit limit(1000);
  CollectedBody full(10, directory.path);
  CHECK(full.append(std::string(1000, 'x')).ok());
  const auto more = full.append("x");
  REQUIRE_FALSE(more.ok());
  CHECK(more.error().message.find(directory.path) != std::string::npos);
  CHECK(more.error().message.find("File too large") != std::string::npos);
}

TEST_CASE("proxy/prepared_request: ranges are replaced, all else is the client's") {
  const BodyDirectory directory;
  const std::string text = "0123456789";
  struct Case {
    const char* name;
    std::vector<engine_api::Edit> changes;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {"nothing", {}, "0123456789"},
      {"at the begin", {{0, 2, "abc"}}, "abc23456789"},
      {"at the end", {{8, 10, "abc"}}, "01234567abc"},
      {"all", {{0, 10, "x"}}, "x"},
      {"with nothing", {{3, 5, ""}}, "01256789"},
      {"two side by side", {{3, 5, "a"}, {5, 6, "bcd"}}, "012abcd6789"},
      {"far apart", {{1, 2, "aa"}, {9, 10, "z"}}, "0aa2345678z"},
  };
  const http::Parser parser =
      parsed(http::Kind::request, "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 10\r\n\r\n");
  for (const Case& c : cases) {
    for (const std::size_t in_memory : {0, 100}) {
      CAPTURE(c.name);
      CollectedBody body(in_memory, directory.path);
      REQUIRE(body.append(text).ok());
      PreparedRequest request(parser.head(), std::move(body), c.changes);
      CHECK(request.head() == "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: " +
                                  std::to_string(c.expected.size()) + "\r\n\r\n");
      CHECK_FALSE(request.sent());
      const auto piece = request.next();
      REQUIRE(piece.ok());
      CHECK(*piece == c.expected);
      CHECK(request.sent());
    }
  }
}

TEST_CASE("proxy/prepared_request: a long body comes in pieces") {
  const BodyDirectory directory;
  const std::string text = bytes_of(1'000'000);
  CollectedBody body(1000, directory.path);
  REQUIRE(body.append(text).ok());
  const http::Parser parser =
      parsed(http::Kind::request, "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 1000000\r\n\r\n");
  PreparedRequest request(parser.head(), std::move(body),
                          {{65535, 65537, "across a piece"}, {999'000, 1'000'000, "end"}});
  std::string got;
  std::size_t longest = 0;
  while (!request.sent()) {
    const auto piece = request.next();
    REQUIRE(piece.ok());
    longest = std::max(longest, piece->size());
    got += *piece;
  }
  CHECK(got ==
        text.substr(0, 65535) + "across a piece" + text.substr(65537, 999'000 - 65537) + "end");
  CHECK(longest < 70'000);
}
