#include "wire/hello.h"

#include <algorithm>

namespace causeway::wire {
namespace {

constexpr std::string_view kMagic = "CAUSEWAY";
constexpr std::size_t kVersionEnd = 12;  // magic and version: what every version begins with
constexpr std::size_t kLengthAt = 14;
constexpr std::string_view kHexDigits = "0123456789abcdef";

void put(std::string& out, std::uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>((value >> shift) & 0xff);
}

std::uint32_t get(std::string_view in, std::size_t at, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value = (value << 8) | static_cast<unsigned char>(in[at + i]);
  return value;
}

Nonce nonce_at(std::string_view in, std::size_t at) {
  Nonce out{};
  std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
  return out;
}

// At most `limit` bytes, without half a UTF-8 character at the end.
std::string_view cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

std::string version(std::uint32_t major) { return "version " + std::to_string(major); }

}  // namespace

std::string to_hex(const Nonce& nonce) {
  std::string out;
  for (const auto byte : nonce) {
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 0xf];
  }
  return out;
}

std::optional<Nonce> nonce_from_hex(std::string_view text) {
  Nonce out{};
  if (text.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = kHexDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    out[i / 2] = static_cast<std::uint8_t>((out[i / 2] << 4) | digit);
  }
  return out;
}

std::string encode(const Hello& hello) {
  const auto refusal = cut(hello.refusal, kRefusalLimit);
  std::string out(kMagic);
  put(out, hello.major, 2);
  put(out, hello.minor, 2);
  put(out, static_cast<std::uint8_t>(hello.role), 1);
  put(out, 0, 1);
  put(out, static_cast<std::uint32_t>(refusal.size()), 2);
  put(out, hello.features, 4);
  put(out, 0, 4);
  out.append(hello.nonce.begin(), hello.nonce.end());
  out.append(hello.expected.begin(), hello.expected.end());
  return out.append(refusal);
}

Result<std::optional<Hello>> HelloReader::take(std::string_view& bytes) {
  const auto fill = [&](std::size_t size) {
    const auto more = std::min(size - std::min(size, have_.size()), bytes.size());
    have_.append(bytes.substr(0, more));
    bytes.remove_prefix(more);
    return have_.size() >= size;
  };
  const bool versioned = fill(kVersionEnd);
  const auto seen = std::min(have_.size(), kMagic.size());
  if (have_.compare(0, seen, kMagic, 0, seen) != 0)
    return make_error("the other end does not speak Causeway's protocol");
  if (!versioned) return std::optional<Hello>();
  const auto major = static_cast<std::uint16_t>(get(have_, kMagic.size(), 2));
  if (major != kMajor) {
    foreign_major_ = major;
    return make_error("the other end speaks " + version(major) +
                      " of the link's protocol, this one " + version(kMajor) +
                      ": update the older of the two");
  }
  if (!fill(kHelloSize)) return std::optional<Hello>();
  const std::size_t length = get(have_, kLengthAt, 2);
  if (length > kRefusalLimit) return make_error("a hello with a refusal that is too long");
  if (get(have_, kVersionEnd, 1) != static_cast<std::uint8_t>(peer_))
    return make_error("a hello of the wrong role");
  if (!fill(kHelloSize + length)) return std::optional<Hello>();
  Hello hello;
  hello.major = major;
  hello.minor = static_cast<std::uint16_t>(get(have_, 10, 2));
  hello.role = peer_;
  hello.features = get(have_, 16, 4);
  hello.nonce = nonce_at(have_, 24);
  hello.expected = nonce_at(have_, 40);
  hello.refusal = have_.substr(kHelloSize);
  return std::optional<Hello>(std::move(hello));
}

}  // namespace causeway::wire
