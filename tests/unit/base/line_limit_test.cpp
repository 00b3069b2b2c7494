#include "base/line_limit.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

#include "support/captured_log.h"

using namespace causeway;
using log::LineLimit;

TEST_CASE("base/line_limit: some at once, then one from time to time with the count of the rest") {
  LineLimit::Limits limits;
  limits.at_once = 3;
  limits.every_ms = 100;
  LineLimit limit(limits);
  std::uint64_t now = 1'000;
  CHECK(limit.line("a", now).write);
  CHECK_FALSE(limit.line("a", now).last);
  const auto third = limit.line("a", now);
  CHECK(third.write);
  CHECK(third.last);
  for (int i = 0; i < 20'000; ++i) CHECK_FALSE(limit.line("a", now).write);
  CHECK(limit.line("b", now).write);  // another kind isn't hidden
  now += 100;
  const auto later = limit.line("a", now);
  CHECK(later.write);
  CHECK(later.left_out == 20'000);
  CHECK_FALSE(limit.line("a", now).write);
  // After a long rest all is as at the beginning.
  now += 10'000;
  CHECK(limit.line("a", now).left_out == 1);
  CHECK(limit.line("a", now).write);
  CHECK(limit.line("a", now).write);
  CHECK_FALSE(limit.line("a", now).write);
}

TEST_CASE("base/line_limit: kinds that are made up cost neither memory nor lines") {
  LineLimit::Limits limits;
  limits.at_once = 2;
  limits.kinds = 10;
  limits.forget_ms = 1'000;
  LineLimit limit(limits);
  int written = 0;
  for (int i = 0; i < 10'000; ++i)
    written += limit.line("kind " + std::to_string(i), 5'000).write ? 1 : 0;
  CHECK(limit.kinds() == 10);
  CHECK(written == 12);  // one of each, and two of all the others together
  // Those that were silent for long make room.
  CHECK(limit.line("fresh", 6'000).write);
  CHECK(limit.kinds() == 1);
}

TEST_CASE("base/line_limit: any sequence: each line is written or counted, and few are written") {
  std::mt19937 random(7);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    LineLimit::Limits limits;
    limits.at_once = 1 + below(5);
    limits.every_ms = 1 + below(50);
    limits.kinds = 100;
    LineLimit limit(limits);
    std::uint64_t now = below(1'000);
    struct Model {
      std::uint64_t lines = 0;
      std::uint64_t written = 0;
      std::uint64_t told = 0;
      std::uint64_t begun_ms = 0;
    };
    std::map<std::string, Model> model;
    for (int i = 0; i < 300; ++i) {
      now += below(4) == 0 ? below(100) : 0;
      const std::string kind(1, static_cast<char>('a' + below(4)));
      Model& of = model[kind];
      if (of.lines++ == 0) of.begun_ms = now;
      const auto verdict = limit.line(kind, now);
      if (verdict.write) ++of.written;
      of.told += verdict.left_out;
      // What was told is true, and nothing is lost.
      REQUIRE(of.told <= of.lines - of.written);
      if (verdict.write) REQUIRE(of.told == of.lines - of.written);
      REQUIRE(of.written <= limits.at_once + (now - of.begun_ms) / limits.every_ms);
      if (of.lines <= limits.at_once) REQUIRE(verdict.write);
    }
  }
}

TEST_CASE("base/log: a flood of one event by one peer leaves room for the others") {
  const test::CapturedLog captured;
  for (int i = 0; i < 20'000; ++i) log::warning("flood.line", {{"peer", "hostile"}, {"number", i}});
  log::warning("flood.line", {{"peer", "friendly"}});
  log::info("calm.line");
  CHECK(captured.lines() == 100 + 2);
  CHECK(captured.has("number=99 further=counted"));
  CHECK(captured.has("peer=friendly"));
  CHECK(captured.has("calm.line"));
}
