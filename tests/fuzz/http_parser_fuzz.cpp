// Fuzz target for the HTTP parser. The first byte says how the rest is read: bit 0 as a response,
// bit 1 as the answer to HEAD, bit 2 with every form of target served. What must hold for any
// input: the result is the same whole and byte by byte, what is passed on is exactly what was
// taken, nothing is taken behind the end, and a target has the form that its head says.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iagent
//     tests/fuzz/http_parser_fuzz.cpp agent/http/*.cpp agent/base/text.cpp -o fuzz
//   mkdir corpus && ./fuzz corpus
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/parser.h"

using causeway::http::Kind;
using causeway::http::Parser;
using causeway::http::TargetForm;

namespace {

struct Outcome {
  bool refused = false;
  bool complete = false;
  std::size_t taken = 0;
  std::string body;
  std::string wire;
  std::string error;
};

// Gives at most `step` bytes at a time.
Outcome read(Parser& parser, std::string_view in, std::size_t step) {
  Outcome out;
  while (!in.empty() && !parser.complete()) {
    const std::string_view piece = in.substr(0, step);
    const auto taken = parser.feed(piece);
    if (!taken.ok()) {
      out.refused = true;
      out.error = taken.error().message;
      return out;
    }
    if (*taken > piece.size() || *taken == 0) std::abort();
    out.taken += *taken;
    out.body += parser.body();
    out.wire += parser.wire();
    in.remove_prefix(*taken);
  }
  out.complete = parser.complete();
  return out;
}

bool form_holds(const causeway::http::Head& head, Kind kind, bool all_forms) {
  const bool connect = head.method == "CONNECT";
  switch (head.form) {
    case TargetForm::none:
      return kind == Kind::response;
    case TargetForm::origin:
      return !connect && head.target.starts_with("/");
    case TargetForm::absolute:
      return all_forms && !connect && head.target.find("://") != std::string_view::npos;
    case TargetForm::authority:
      return all_forms && connect && head.target.find('/') == std::string_view::npos;
    case TargetForm::asterisk:
      return all_forms && head.method == "OPTIONS" && head.target == "*";
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Kind kind = (data[0] & 1U) != 0 ? Kind::response : Kind::request;
  const bool head_request = (data[0] & 2U) != 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  causeway::http::Limits limits;
  limits.head = 4096;  // within reach of the fuzzer
  limits.trailers = 1024;
  const bool all_forms = (data[0] & 4U) != 0;
  limits.forms = {true, all_forms, all_forms, all_forms};
  Parser parser(kind, limits);
  parser.set_head_request(head_request);
  const Outcome whole = read(parser, input, input.size());
  if (parser.head_done() && !form_holds(parser.head(), kind, all_forms)) std::abort();
  if (!whole.refused) {
    if (!input.starts_with(whole.wire)) std::abort();
    if (whole.complete && whole.wire.size() != whole.taken) std::abort();
    if (whole.taken > input.size() || whole.body.size() > whole.taken) std::abort();
  }
  for (const std::size_t step : {input.size(), std::size_t{1}, std::size_t{7}, input.size()}) {
    if (step == 0) break;
    parser.reset();
    parser.set_head_request(head_request);
    const Outcome pieces = read(parser, input, step);
    if (pieces.refused != whole.refused || pieces.error != whole.error) std::abort();
    if (!whole.refused && (pieces.complete != whole.complete || pieces.taken != whole.taken ||
                           pieces.body != whole.body || pieces.wire != whole.wire)) {
      std::abort();
    }
  }
  return 0;
}
