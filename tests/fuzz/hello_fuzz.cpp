// Fuzz target for the link's hello. What must hold for any input: whole and byte by byte the
// outcome is the same, nothing behind the hello is taken, and what was read encodes to what was
// sent (but for reserved bytes, which are not read).
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iagent
//     tests/fuzz/hello_fuzz.cpp agent/wire/hello.cpp -o fuzz
//   mkdir corpus && ./fuzz corpus
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/hello.h"

using causeway::wire::encode;
using causeway::wire::HelloReader;
using causeway::wire::kHelloSize;
using causeway::wire::Role;

namespace {

std::string run(std::string_view in, std::size_t step) {
  HelloReader reader(Role::shim);
  std::size_t taken = 0;
  while (taken < in.size()) {
    auto piece = in.substr(taken, step);
    const auto before = piece.size();
    auto got = reader.take(piece);
    taken += before - piece.size();
    if (!got) return "refused: " + got.error().message;
    if (!*got) {
      if (!piece.empty()) std::abort();
      continue;
    }
    const auto again = encode(**got);
    if (again.size() != taken ||
        again.compare(24, std::string::npos, in.substr(24, taken - 24)) != 0)
      std::abort();
    return "hello of " + std::to_string(taken);
  }
  return "incomplete";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  if (run(in, in.size() + 1) != run(in, 1) || run(in, 5) != run(in, 1)) std::abort();
  return 0;
}
