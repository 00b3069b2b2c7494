// Fuzz target for the scanner of request bodies and for the edits by its findings. The first byte
// says which call it is, and by its bit 2 that all kinds are wanted. What must hold for any input:
// the result is the same however the input is cut; each range is a string token that says what the
// finding says; a body with other paths and with an entry more in each list has these, and they are
// all there is; and what another JSON parser takes, or refuses, so does the scanner, as far as the
// two agree on what JSON is.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iagent
//     tests/fuzz/request_scanner_fuzz.cpp agent/engine_api/{json_*,filters,path_edits}.cpp
//     agent/engine_api/request_{edits,scanner}.cpp agent/paths/*.cpp agent/base/text.cpp -o fuzz
//   mkdir corpus && ./fuzz corpus
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine_api/json_text.h"
#include "engine_api/path_edits.h"
#include "engine_api/request_edits.h"
#include "engine_api/request_scanner.h"

using causeway::engine_api::Call;
using causeway::engine_api::EntryList;
using causeway::engine_api::FindingKinds;
using causeway::engine_api::Findings;
using causeway::engine_api::PathValue;
using causeway::engine_api::RequestEdits;
using causeway::engine_api::RequestScanner;

namespace {

struct Outcome {
  std::string error;
  Findings found;
};

Outcome scan(Call call, std::string_view in, std::size_t step, FindingKinds kinds) {
  RequestScanner scanner(call, kinds);
  while (!in.empty()) {
    // A copy, so that a sanitizer sees who looks at a piece that is gone.
    const std::string piece(in.substr(0, step));
    if (const auto fed = scanner.feed(piece); !fed.ok()) return {fed.error().message, {}};
    in.remove_prefix(piece.size());
  }
  if (const auto end = scanner.finish(); !end.ok()) return {end.error().message, {}};
  return {"", scanner.take()};
}

bool same(const EntryList& a, const EntryList& b) {
  return a.state == b.state && a.at == b.at && a.alone == b.alone &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const EntryList::Entry& x, const EntryList::Entry& y) {
                      return x.begin == y.begin && x.end == y.end && x.key == y.key &&
                             x.text == y.text;
                    });
}

bool same(const Outcome& a, const Outcome& b) {
  const auto& x = a.found;
  const auto& y = b.found;
  return a.error == b.error && same(x.environment, y.environment) && same(x.labels, y.labels) &&
         same(x.hosts, y.hosts) &&
         std::equal(x.paths.begin(), x.paths.end(), y.paths.begin(), y.paths.end(),
                    [](const PathValue& p, const PathValue& q) {
                      return p.kind == q.kind && p.begin == q.begin && p.end == q.end &&
                             p.source == q.source && p.rest == q.rest;
                    });
}

void check(bool holds) {
  if (!holds) std::abort();
}

// The other parser, nlohmann's, also wants whole UTF-8 and surrogates in pairs; it takes a byte
// order mark, and NUL for the end.
void compare_with_other_parser(std::string_view in, const std::string& error) {
  const bool accepted = nlohmann::json::accept(in);
  const bool ascii = std::all_of(in.begin(), in.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80 && c != '\0';
  });
  const bool syntax = error.find("not valid JSON") != std::string::npos ||
                      error.find("ends within") != std::string::npos;
  const bool odd = in.starts_with("\xef\xbb\xbf") || in.find('\0') != std::string_view::npos;
  if (accepted && !odd) check(!syntax || error.find("levels") != std::string::npos);
  if (error.empty() && ascii && in.find("\\u") == std::string_view::npos) {
    check(accepted || in.find_first_not_of(" \t\r\n") == std::string_view::npos);
  }
}

constexpr std::string_view kKey = "added \"key\"";
constexpr std::string_view kText = "added = \"text\"";

// Whether `text` is what the token says.
bool says(std::string_view token, const std::string& text) {
  if (token == "null") return text.empty();
  return token.size() >= 2 && token.front() == '"' && token.back() == '"' &&
         causeway::engine_api::unquoted(token.substr(1, token.size() - 2)) == text;
}

void check_list(std::string_view in, const EntryList& list, RequestEdits& edits) {
  std::uint64_t at = list.at;
  for (const EntryList::Entry& entry : list.entries) {
    check(entry.begin >= at && entry.end > entry.begin && entry.end <= in.size());
    check(says(in.substr(entry.begin, entry.end - entry.begin), entry.text));
    at = entry.end;
  }
  check(list.entries.empty() || list.state == EntryList::State::filled);
  check(edits.add(list, list.object ? kKey : "", kText) ==
        (list.state != EntryList::State::nowhere));
}

// `after` is `before` with one entry in front.
void check_added(const EntryList& before, const EntryList& after) {
  if (before.state == EntryList::State::nowhere) {
    check(after.state == EntryList::State::nowhere);
    return;
  }
  check(after.entries.size() == before.entries.size() + 1 && after.entries[0].text == kText);
  check(after.entries[0].key == (before.object ? kKey : ""));
  for (std::size_t i = 0; i < before.entries.size(); ++i) {
    check(after.entries[i + 1].key == before.entries[i].key);
    check(after.entries[i + 1].text == before.entries[i].text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr Call kCalls[] = {Call::container_create, Call::volume_create, Call::service_create,
                             Call::container_start_with_config};
  const Call call = kCalls[data[0] % 4];
  const bool all = (data[0] & 4U) != 0;
  const FindingKinds kinds{.paths = true, .environment = all, .labels = all, .hosts = all};
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = scan(call, in, std::max<std::size_t>(in.size(), 1), kinds);
  for (const std::size_t step : {1, 2, 7, 16, 31}) check(same(scan(call, in, step, kinds), whole));
  compare_with_other_parser(in, whole.error);
  if (!whole.error.empty()) return 0;

  RequestEdits edits;
  std::uint64_t at = 0;
  for (const PathValue& value : whole.found.paths) {
    check(value.begin >= at && value.end >= value.begin + 2 && value.end <= in.size());
    check(!value.source.empty());
    check(says(in.substr(value.begin, value.end - value.begin),
               value.lead + value.source + value.rest));
    edits.change_body(
        {value.begin, value.end, causeway::engine_api::replacement(value, "/new \"path\"")});
    at = value.end;
  }
  check_list(in, whole.found.environment, edits);
  check_list(in, whole.found.labels, edits);
  check_list(in, whole.found.hosts, edits);
  const auto ordered = edits.of_body();
  check(ordered.ok());
  const std::string changed = causeway::engine_api::edited(in, *ordered);
  const Outcome again = scan(call, changed, std::max<std::size_t>(changed.size(), 1), kinds);
  check(again.error.empty() && again.found.paths.size() == whole.found.paths.size());
  for (std::size_t i = 0; i < again.found.paths.size(); ++i) {
    check(again.found.paths[i].source + again.found.paths[i].rest ==
          "/new \"path\"" + whole.found.paths[i].rest);
  }
  check_added(whole.found.environment, again.found.environment);
  check_added(whole.found.labels, again.found.labels);
  check_added(whole.found.hosts, again.found.hosts);
  return 0;
}
