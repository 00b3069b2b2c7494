// Fuzz target for the rewriter of answers. The first byte says which call it is, and whether the
// answer is an error. What must hold for any input: when no path has another name nothing changes;
// the result is the same however the input is cut; JSON stays JSON.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iagent
//     tests/fuzz/response_rewriter_fuzz.cpp agent/engine_api/json_*.cpp
//     agent/engine_api/response_rewriter.cpp agent/base/text.cpp -o fuzz
//   mkdir corpus && ./fuzz corpus
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine_api/response_rewriter.h"

using causeway::engine_api::Call;
using causeway::engine_api::ResponseRewriter;

namespace {

std::string rewrite(Call call, int status, std::string_view in, std::size_t step,
                    const ResponseRewriter::Unmap& unmap) {
  ResponseRewriter rewriter(call, status, unmap, unmap);
  std::string out;
  while (!in.empty()) {
    // A copy, so that a sanitizer sees who looks at a piece that is gone.
    const std::string piece(in.substr(0, step));
    rewriter.feed(piece, out);
    in.remove_prefix(piece.size());
  }
  rewriter.finish(out);
  return out;
}

std::string same(std::string_view path) { return std::string(path); }
std::string other(std::string_view path) {
  return path.starts_with("/") ? "C:\\" + std::string(path.substr(1)) : std::string(path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr Call kCalls[] = {Call::container_inspect, Call::container_list, Call::system_df,
                             Call::volume_list,       Call::service_list,   Call::task_inspect,
                             Call::container_create,  Call::container_start};
  const Call call = kCalls[data[0] % 8];
  const int status = (data[0] & 8U) != 0 ? 500 : 200;
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t all = std::max<std::size_t>(in.size(), 1);
  const std::string whole = rewrite(call, status, in, all, other);
  for (const std::size_t step : {all, std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
    if (rewrite(call, status, in, step, same) != in) std::abort();
    if (rewrite(call, status, in, step, other) != whole) std::abort();
  }
  if (nlohmann::json::accept(in) && !nlohmann::json::accept(whole)) std::abort();
  return 0;
}
