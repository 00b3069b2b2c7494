// Fuzz target for the scanner of request bodies. The first byte says which call it is. What must
// hold for any input: the result is the same however the input is cut; each range is a string token
// that says what the value says; a body with other paths put in has these paths, and they are all
// there is; and what another JSON parser takes, or refuses, so does the scanner, as far as the two
// agree on what JSON is.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iagent
//     tests/fuzz/request_scanner_fuzz.cpp agent/engine_api/json_*.cpp
//     agent/engine_api/request_scanner.cpp agent/paths/*.cpp agent/base/*.cpp -o fuzz
//   mkdir corpus && ./fuzz corpus
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine_api/json_text.h"
#include "engine_api/request_scanner.h"

using causeway::engine_api::Call;
using causeway::engine_api::PathValue;
using causeway::engine_api::RequestScanner;

namespace {

struct Outcome {
  std::string error;
  std::vector<PathValue> values;
};

Outcome scan(Call call, std::string_view in, std::size_t step) {
  RequestScanner scanner(call);
  while (!in.empty()) {
    // A copy, so that a sanitizer sees who looks at a piece that is gone.
    const std::string piece(in.substr(0, step));
    if (const auto fed = scanner.feed(piece); !fed.ok()) return {fed.error().message, {}};
    in.remove_prefix(piece.size());
  }
  if (const auto end = scanner.finish(); !end.ok()) return {end.error().message, {}};
  return {"", scanner.values()};
}

bool same(const Outcome& a, const Outcome& b) {
  return a.error == b.error &&
         std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
                    [](const PathValue& x, const PathValue& y) {
                      return x.kind == y.kind && x.begin == y.begin && x.end == y.end &&
                             x.source == y.source && x.rest == y.rest;
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr Call kCalls[] = {Call::container_create, Call::volume_create, Call::service_create,
                             Call::container_start_with_config};
  const Call call = kCalls[data[0] % 4];
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = scan(call, in, std::max<std::size_t>(in.size(), 1));
  for (const std::size_t step : {1, 2, 7, 16, 31}) check(same(scan(call, in, step), whole));
  compare_with_other_parser(in, whole.error);

  std::string changed;
  std::uint64_t at = 0;
  for (const PathValue& value : whole.values) {
    check(value.begin >= at && value.end >= value.begin + 2 && value.end <= in.size());
    const std::string_view token = in.substr(value.begin, value.end - value.begin);
    check(token.front() == '"' && token.back() == '"' && !value.source.empty());
    check(causeway::engine_api::unquoted(token.substr(1, token.size() - 2)) ==
          value.source + value.rest);
    changed.append(in.substr(at, value.begin - at));
    changed += causeway::engine_api::replacement(value, "/new \"path\"");
    at = value.end;
  }
  changed.append(in.substr(at));
  if (!whole.error.empty()) return 0;
  const Outcome again = scan(call, changed, std::max<std::size_t>(changed.size(), 1));
  check(again.error.empty() && again.values.size() == whole.values.size());
  for (std::size_t i = 0; i < again.values.size(); ++i) {
    check(again.values[i].source + again.values[i].rest == "/new \"path\"" + whole.values[i].rest);
  }
  return 0;
}
