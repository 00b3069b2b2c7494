#include "engine_api/json_tokenizer.h"

#include <bit>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace causeway::engine_api {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) {
  const auto folded = static_cast<unsigned char>(c) | 0x20U;
  return is_digit(c) || (folded >= 'a' && folded <= 'f');
}
bool is_plain(char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; }

// The first byte in [p, end) that doesn't simply belong to a string. Sixteen bytes at a time, and
// the position from a mask: most strings are shorter than that, and a loop over bytes of
// unforeseeable length costs more than all else here.
const char* skip_plain(const char* p, const char* end) {
#ifdef __SSE2__
  while (end - p >= 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i stop = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
        _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(0x1f)), _mm_set1_epi8(0x1f)));
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(stop)); mask != 0) {
      return p + std::countr_zero(mask);
    }
    p += 16;
  }
#endif
  while (p != end && is_plain(*p)) ++p;
  return p;
}

}  // namespace

void JsonTokenizer::give(std::string_view piece) {
  begin_of_piece_ += in_.size();
  in_ = piece;
  at_ = 0;
  text_at_ = 0;
}

void JsonTokenizer::skip() {
  quiet_ = true;
  const bool begun = phase_ == Phase::first_key || phase_ == Phase::first_element;
  quiet_depth_ = begun ? depth_ - 1 : depth_;
}

bool JsonTokenizer::finish() {
  // A number at the top has no end but this.
  if (phase_ == Phase::number && depth_ == 0 && whole(number_)) phase_ = Phase::done;
  return phase_ == Phase::done;
}

std::string JsonTokenizer::error() const {
  return std::string(why_) + " at byte " + std::to_string(begin_of_piece_ + at_);
}

JsonTokenizer::Token JsonTokenizer::fail(const char* why) {
  phase_ = Phase::failed;
  why_ = why;
  return Token::error;
}

JsonTokenizer::Token JsonTokenizer::ended(Token token) {
  phase_ = depth_ == 0 ? Phase::done : Phase::after_value;
  if (!quiet_) return token;
  if (depth_ != quiet_depth_) return Token::more;
  quiet_ = false;
  return Token::skipped;
}

JsonTokenizer::Token JsonTokenizer::push(bool object) {
  if (depth_ == kDeepest) return fail("more than 10000 levels");
  ++depth_;
  const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
  if (object) {
    stack_[depth_ / 64] |= bit;
  } else {
    stack_[depth_ / 64] &= ~bit;
  }
  phase_ = object ? Phase::first_key : Phase::first_element;
  if (quiet_) return Token::more;
  return object ? Token::object_begin : Token::array_begin;
}

JsonTokenizer::Token JsonTokenizer::pop(bool object) {
  --depth_;
  return ended(object ? Token::object_end : Token::array_end);
}

void JsonTokenizer::begin_string(bool key) {
  phase_ = Phase::string;
  key_ = key;
  if (quiet_) return;
  begin_ = begin_of_piece_ + at_;
  text_at_ = at_ + 1;
  escaped_ = false;
  too_long_ = false;
  kept_.clear();
}

JsonTokenizer::Read JsonTokenizer::read_string(const char*& p, const char* end) {
  while (p != end) {
    switch (phase_) {
      case Phase::escape:
        if (*p == 'u') {
          phase_ = Phase::hex;
          hex_left_ = 4;
        } else if (std::string_view("\"\\/bfnrt").find(*p) != std::string_view::npos) {
          phase_ = Phase::string;
        } else {
          return Read::bad;
        }
        break;
      case Phase::hex:
        if (!is_hex(*p)) return Read::bad;
        if (--hex_left_ == 0) phase_ = Phase::string;
        break;
      default:
        p = skip_plain(p, end);
        if (p == end) return Read::some;
        if (*p == '"') {
          ++p;
          return Read::all;
        }
        if (*p != '\\') return Read::bad;
        escaped_ = true;
        phase_ = Phase::escape;
    }
    ++p;
  }
  return Read::some;
}

void JsonTokenizer::keep(std::string_view part) {
  if (kept_.size() + part.size() > longest_text_) too_long_ = true;
  if (!too_long_) kept_.append(part);
}

JsonTokenizer::Token JsonTokenizer::end_string() {
  if (!quiet_) {
    const std::string_view part = in_.substr(text_at_, at_ - 1 - text_at_);
    if (begin_ >= begin_of_piece_) {
      too_long_ = part.size() > longest_text_;
      text_ = part;
    } else {
      keep(part);
      text_ = kept_;
    }
    if (too_long_) text_ = {};
  }
  if (!key_) return ended(Token::string);
  phase_ = Phase::colon;
  return quiet_ ? Token::more : Token::key;
}

bool JsonTokenizer::begin_scalar(char c) {
  scalar_ = Token::scalar;
  phase_ = Phase::literal;
  switch (c) {
    case 't':
      literal_ = "rue";
      return true;
    case 'f':
      literal_ = "alse";
      return true;
    case 'n':
      literal_ = "ull";
      scalar_ = Token::null;
      return true;
    default:
      break;
  }
  phase_ = Phase::number;
  number_ = c == '-' ? Number::minus : c == '0' ? Number::zero : Number::digits;
  return c == '-' || is_digit(c);
}

JsonTokenizer::Read JsonTokenizer::read_number(const char*& p, const char* end) {
  for (; p != end; ++p) {
    const char c = *p;
    switch (number_) {
      case Number::minus:
        if (!is_digit(c)) return Read::bad;
        number_ = c == '0' ? Number::zero : Number::digits;
        continue;
      case Number::zero:
      case Number::digits:
        if (number_ == Number::digits && is_digit(c)) continue;
        if (c == '.') {
          number_ = Number::dot;
          continue;
        }
        break;
      case Number::dot:
        if (!is_digit(c)) return Read::bad;
        number_ = Number::fraction;
        continue;
      case Number::fraction:
        if (is_digit(c)) continue;
        break;
      case Number::e:
        number_ = Number::exponent;
        if (c == '+' || c == '-') {
          number_ = Number::e_sign;
        } else if (!is_digit(c)) {
          return Read::bad;
        }
        continue;
      case Number::e_sign:
        if (!is_digit(c)) return Read::bad;
        number_ = Number::exponent;
        continue;
      case Number::exponent:
        if (is_digit(c)) continue;
        return Read::all;
    }
    if (c != 'e' && c != 'E') return Read::all;
    number_ = Number::e;
  }
  return Read::some;
}

JsonTokenizer::Read JsonTokenizer::read_literal(const char*& p, const char* end) {
  while (p != end && !literal_.empty()) {
    if (*p != literal_[0]) return Read::bad;
    ++p;
    literal_.remove_prefix(1);
  }
  return literal_.empty() ? Read::all : Read::some;
}

JsonTokenizer::Token JsonTokenizer::structure(char c) {
  switch (phase_) {
    case Phase::first_element:
      if (c == ']') return pop(false);
      [[fallthrough]];
    case Phase::value:
      if (c == '"') {
        begin_string(false);
      } else if (c == '{' || c == '[') {
        return push(c == '{');
      } else if (!begin_scalar(c)) {
        return fail("no value where there should be one");
      }
      return Token::more;
    case Phase::first_key:
      if (c == '}') return pop(true);
      [[fallthrough]];
    case Phase::key:
      if (c != '"') return fail("no key where there should be one");
      begin_string(true);
      return Token::more;
    case Phase::colon:
      if (c != ':') return fail("no colon behind a key");
      phase_ = Phase::value;
      return Token::more;
    case Phase::after_value: {
      const bool object = in_object();
      if (c == ',') {
        phase_ = object ? Phase::key : Phase::value;
        return Token::more;
      }
      if (c == (object ? '}' : ']')) return pop(object);
      return fail("no comma and no end behind a value");
    }
    default:
      return fail("something stands behind the JSON value");
  }
}

JsonTokenizer::Token JsonTokenizer::next() {
  // at_ is brought up to date where something looks at it: the loop runs over bytes, not over
  // memory.
  const char* p = in_.data() + at_;
  const char* const end = in_.data() + in_.size();
  const auto here = [&] { return static_cast<std::size_t>(p - in_.data()); };
  Token token = Token::more;
  while (p != end && token == Token::more) {
    Read read = Read::some;
    const char* wrong = "";
    switch (phase_) {
      case Phase::failed:
        return Token::error;
      case Phase::string:
      case Phase::escape:
      case Phase::hex:
        read = read_string(p, end);
        wrong = "a string that is none";
        if (read == Read::all) {
          at_ = here();
          token = end_string();
        } else if (read == Read::some && !quiet_) {
          keep(in_.substr(text_at_));
        }
        break;
      case Phase::number:
        read = read_number(p, end);
        wrong = "a number that is none";
        if (read == Read::all) token = ended(scalar_);
        break;
      case Phase::literal:
        read = read_literal(p, end);
        wrong = "a word that means nothing";
        if (read == Read::all) token = ended(scalar_);
        break;
      default:
        if (!is_space(*p)) {
          at_ = here();
          token = structure(*p);
          if (token == Token::error) return token;
        }
        ++p;
    }
    if (read == Read::bad) {
      at_ = here();
      return fail(wrong);
    }
  }
  at_ = here();
  return phase_ == Phase::failed ? Token::error : token;
}

}  // namespace causeway::engine_api
