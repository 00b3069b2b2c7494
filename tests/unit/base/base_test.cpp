#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/descriptor_limit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/result.h"
#include "base/scope_exit.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "support/temp_dir.h"

using namespace causeway;

using test::TempDir;

TEST_CASE("base/result: context grows from the inside out") {
  Status failed = Error{"open x: No such file or directory", ENOENT};
  REQUIRE_FALSE(failed.ok());
  const Error outer = std::move(failed).error().with("start dockerd");
  CHECK(outer.message == "start dockerd: open x: No such file or directory");
  CHECK(outer.code == ENOENT);
}

TEST_CASE("base/text: split keeps empty pieces, fields drops them") {
  CHECK(text::split("a,,b", ',').size() == 3);
  CHECK(text::split("", ',').size() == 1);
  CHECK(text::fields("  a \t b ").size() == 2);
  CHECK(text::fields("   ").empty());
}

TEST_CASE("base/text: to_u64 takes a whole decimal number and nothing else") {
  CHECK(text::to_u64("18446744073709551615") == 18446744073709551615ULL);
  for (const char* bad : {"", " 1", "1 ", "-1", "+1", "0x1", "18446744073709551616"}) {
    CAPTURE(bad);
    CHECK_FALSE(text::to_u64(bad).has_value());
  }
}

TEST_CASE("base/text: a person's file is UTF-8, whatever a tool has left it in") {
  using namespace std::string_literals;
  struct Case {
    const char* name;
    std::string content;
    const char* text;  // null: an error
  };
  for (const auto& c : {
           Case{"empty", "", ""},
           Case{"UTF-8", "{\"a\":\"\xC3\xBC\"}", "{\"a\":\"\xC3\xBC\"}"},
           Case{"UTF-8 with a mark", "\xEF\xBB\xBF{}", "{}"},
           Case{"a mark alone", "\xEF\xBB\xBF", ""},
           Case{"UTF-16", "\xFF\xFE{\0}\0\r\0\n\0"s, "{}\r\n"},
           Case{"UTF-16, big endian", "\xFE\xFF\0{\0}"s, "{}"},
           Case{"UTF-16, nothing in it", "\xFF\xFE", ""},
           Case{"each length of UTF-8", "\xFF\xFE\x41\0\xFC\0\xAC\x20\x3D\xD8\x33\xDC"s,
                "A\xC3\xBC\xE2\x82\xAC\xF0\x9F\x90\xB3"},
           Case{"the last character", "\xFE\xFF\xDB\xFF\xDF\xFF", "\xF4\x8F\xBF\xBF"},
           Case{"cut within two bytes", "\xFF\xFE{\0}"s, nullptr},
           Case{"cut within a pair", "\xFF\xFE\x3D\xD8", nullptr},
           Case{"half a pair", "\xFF\xFE\x3D\xD8{\0"s, nullptr},
           Case{"the other half alone", "\xFF\xFE\x33\xDC", nullptr},
           Case{"UTF-32", "\xFF\xFE\0\0{\0\0\0"s, nullptr},
           Case{"UTF-32, big endian", "\0\0\xFE\xFF\0\0\0{"s, nullptr},
           Case{"part of a mark", "\xEF\xBB", "\xEF\xBB"},
       }) {
    CAPTURE(c.name);
    const auto text = text::from_file(c.content);
    REQUIRE(text.ok() == (c.text != nullptr));
    if (text) CHECK(*text == c.text);
  }
}

TEST_CASE("base/text: printable escapes what could steer a terminal") {
  CHECK(text::printable("a\x1b[31m\n") == "a\\x1b[31m\\x0a");
  CHECK(text::printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
}

TEST_CASE("base/text: numbers for people") {
  CHECK(text::human_bytes(312) == "312 B");
  CHECK(text::human_bytes(1536) == "1.5 KiB");
  CHECK(text::human_seconds(45) == "45 s");
  CHECK(text::human_seconds(90000) == "1 d 1 h");
}

TEST_CASE("base/file: write_atomic replaces, keeps the mode, and leaves nothing beside the file") {
  const TempDir scratch;
  const std::string path = scratch.path + "/f";
  REQUIRE(file::write_atomic(path, "one", 0600).ok());
  REQUIRE(file::write_atomic(path, "two", 0600).ok());
  CHECK(*file::read(path) == "two");
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(::access((path + ".new").c_str(), F_OK) != 0);
}

TEST_CASE("base/file: an unwritable place is an error that names it, and the old file stays") {
  const auto failed = file::write_atomic("/proc/nowhere/f", "x");
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message.find("/proc/nowhere/f") != std::string::npos);
}

TEST_CASE("base/file: read is bounded and refuses what is not a file") {
  const TempDir scratch;
  const std::string path = scratch.path + "/f";
  REQUIRE(file::write_atomic(path, std::string(100, 'x')).ok());
  CHECK(file::read(path, 100).ok());
  CHECK_FALSE(file::read(path, 99).ok());
  CHECK_FALSE(file::read(scratch.path).ok());
}

TEST_CASE("base/file: make_directories is idempotent and says when a file is in the way") {
  const TempDir scratch;
  CHECK(file::make_directories(scratch.path + "/a/b/c").ok());
  CHECK(file::make_directories(scratch.path + "/a/b/c").ok());
  REQUIRE(file::write_atomic(scratch.path + "/f", "").ok());
  CHECK_FALSE(file::make_directories(scratch.path + "/f/g").ok());
}

TEST_CASE("base/scope_exit: runs once, unless dismissed") {
  int runs = 0;
  {
    const ScopeExit run([&] { ++runs; });
  }
  CHECK(runs == 1);
  {
    ScopeExit run([&] { ++runs; });
    run.dismiss();
  }
  CHECK(runs == 1);
}

TEST_CASE("base/unique_fd: closes what it owns, once") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  {
    UniqueFd a(ends[0]);
    const UniqueFd b(std::move(a));
    CHECK_FALSE(static_cast<bool>(a));  // NOLINT: moved-from state is part of the contract
    CHECK(b.get() == ends[0]);
  }
  CHECK(::close(ends[0]) != 0);
  ::close(ends[1]);
}

TEST_CASE("base/text: what isn't plain is percent-encoded") {
  CHECK(text::percent_encoded("my-web_1.x~") == "my-web_1.x~");
  CHECK(text::percent_encoded("a/b?c d\xff") == "a%2Fb%3Fc%20d%FF");
  struct Decoded {
    const char* encoded;
    const char* expected;
    bool malformed;
  };
  for (const Decoded& c :
       {Decoded{"", "", false}, Decoded{"a%2Fb+c", "a/b+c", false},
        Decoded{"%41%5a%5A%7e", "AZZ~", false}, Decoded{"%2541", "%41", false},  // once
        Decoded{"a%", "a%", true}, Decoded{"a%4", "a%4", true}, Decoded{"%4g%41", "%4gA", true},
        Decoded{"%%41", "%A", true}, Decoded{"%-1", "%-1", true}}) {
    CAPTURE(c.encoded);
    bool malformed = false;
    CHECK(text::percent_decoded(c.encoded, &malformed) == c.expected);
    CHECK(malformed == c.malformed);
    CHECK(text::percent_decoded(c.encoded) == c.expected);
  }
  CHECK(text::percent_decoded("%00") == std::string(1, '\0'));
}

TEST_CASE("base/log: levels by their names") {
  CHECK(log::level_named("debug") == log::Level::debug);
  CHECK(log::level_named("info") == log::Level::info);
  CHECK(log::level_named("warning") == log::Level::warning);
  CHECK(log::level_named("error") == log::Level::error);
  CHECK(log::level_named("loud") == log::Level::info);
}

TEST_CASE("base/descriptor_limit: it is raised, as far as it goes, and never lowered") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low{before};
  low.rlim_cur = 64;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  const auto raised = raise_descriptor_limit();
  rlimit after{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(raised == after.rlim_cur);
  CHECK(raised >= std::min<std::uint64_t>(before.rlim_max, kDescriptors));
  CHECK(raise_descriptor_limit() == raised);
  rlimit high{after};
  high.rlim_cur = high.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &high) == 0);
  CHECK(raise_descriptor_limit() == high.rlim_cur);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}
