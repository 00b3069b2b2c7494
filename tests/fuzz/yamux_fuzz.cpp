// Fuzz target for the link's yamux. The first byte: bit 0 is the side, bit 1 how bytes are
// consumed. What must hold for any input: whole and byte by byte the same is told; nobody holds
// more than a window of a stream; all that is sent is whole frames of the specification. That an
// honest peer takes them is what yamux_pair_fuzz.cpp looks at.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iagent
//     tests/fuzz/yamux_fuzz.cpp agent/wire/yamux.cpp -o fuzz
//   mkdir corpus && ./fuzz corpus
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "wire/yamux.h"

using causeway::wire::kFrameHeader;
using causeway::wire::kInitialWindow;
using causeway::wire::Yamux;

namespace {

// Answers each stream, closes every third and resets every fifth one in the middle of its data.
class Owner : public Yamux::Handler {
 public:
  Owner(Yamux::Side side, bool consumes) : consumes_(consumes), session(side, {}, *this) {
    session.write(session.open(), "hello");
  }
  void on_open(Yamux::StreamId id) override { told += "o" + std::to_string(id); }
  void on_data(Yamux::StreamId id, std::string_view bytes) override {
    got[id].append(bytes);
    if ((held_[id] += bytes.size()) > kInitialWindow) std::abort();
    if (consumes_) {
      session.consumed(id, bytes.size());
      held_[id] = 0;
    }
    if (got[id].size() < 4) return;
    if (id % 3 == 0) session.close(id);
    if (id % 5 == 0) session.reset(id);
  }
  void on_eof(Yamux::StreamId id) override {
    told += "e" + std::to_string(id);
    session.write(id, got[id]);
    session.end_write(id);
  }
  void on_end(Yamux::StreamId id, Yamux::End how) override {
    told += (how == Yamux::End::closed ? "c" : "a") + std::to_string(id);
  }
  void on_drained(Yamux::StreamId) override {}
  void on_pong(std::uint32_t value) override { told += "p" + std::to_string(value); }
  void on_go_away(Yamux::GoAway) override { told += "g"; }

  std::string told;
  std::map<Yamux::StreamId, std::string> got;

 private:
  const bool consumes_;
  std::map<Yamux::StreamId, std::size_t> held_;

 public:
  Yamux session;
};

// Each frame that goes out is one that the specification knows, and whole.
void check_frames(std::string_view out) {
  while (!out.empty()) {
    if (out.size() < kFrameHeader || out[0] != 0 || static_cast<unsigned char>(out[1]) > 3)
      std::abort();
    std::size_t length = 0;
    for (int i = 8; i < 12; ++i) length = length << 8 | static_cast<unsigned char>(out[i]);
    if (out[1] != 0) length = 0;
    if (out.size() - kFrameHeader < length) std::abort();
    out.remove_prefix(kFrameHeader + length);
  }
}

std::string run(Yamux::Side side, bool consumes, std::string_view in, std::size_t step) {
  Owner owner(side, consumes);
  std::string outcome;
  while (!in.empty() && outcome.empty()) {
    auto done = owner.session.receive(in.substr(0, step));
    if (!done) outcome = done.error().message;
    in.remove_prefix(std::min(step, in.size()));
  }
  static std::string out(256 * 1024, '\0');
  for (int i = 0; owner.session.has_output(); ++i) {
    const auto size = owner.session.take_output(out.data(), out.size());
    check_frames({out.data(), size});
    if (size == 0 && owner.session.has_output()) std::abort();
  }
  for (const auto& [id, data] : owner.got) {
    // Where a stream was ended at its fourth byte depends on the pieces.
    const bool cut = id % 3 == 0 || id % 5 == 0;
    outcome += std::to_string(id) + "=" + (cut ? data.substr(0, 4) : data) + ";";
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto side = (data[0] & 1) != 0 ? Yamux::Side::client : Yamux::Side::server;
  const bool consumes = (data[0] & 2) == 0;
  const auto whole = run(side, consumes, in, in.size() + 1);
  if (run(side, consumes, in, 1) != whole || run(side, consumes, in, 7) != whole) std::abort();
  return 0;
}
