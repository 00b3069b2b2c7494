// JsonTokenizer reads one JSON value from pieces of any size, sans I/O and in bounded memory, and
// tells its tokens with their position in the bytes. Its grammar is that of Go's encoding/json (RFC
// 8259; at most 10,000 levels deep), so that it takes what dockerd takes and refuses what dockerd
// refuses.
//
// What nobody wants to know of is skipped: checked, but neither told nor kept, at full speed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace causeway::engine_api {

class JsonTokenizer {
 public:
  enum class Token : std::uint8_t {
    more,  // the piece is used up
    object_begin,
    object_end,
    array_begin,
    array_end,
    key,
    string,
    null,
    scalar,   // a number, true or false
    skipped,  // the whole value that skip() was called for
    error,    // final
  };

  // Texts longer than `longest_text` bytes, as they stand between the quotes, aren't kept.
  explicit JsonTokenizer(std::size_t longest_text) : longest_text_(longest_text) {}

  // The next piece, when next() has said `more` (or at the start). It lives until the piece after
  // it.
  void give(std::string_view piece);
  Token next();
  // Right behind key: the value that follows is skipped. Right behind object_begin or array_begin:
  // what is left of that value. The next token is then `skipped` (or more, or error).
  void skip();
  // Nothing comes behind the pieces given. False: the value isn't complete, or was no JSON.
  bool finish();

  // Nothing but white space was read.
  bool empty() const { return depth_ == 0 && phase_ == Phase::value; }
  // Of the last key or string: the range of its token in all bytes given, with the quotes.
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return begin_of_piece_ + at_; }
  // What stands between its quotes; good until next(). Empty when it was too long.
  std::string_view text() const { return text_; }
  bool escaped() const { return escaped_; }
  bool too_long() const { return too_long_; }

  // Where the piece given last begins in all bytes given.
  std::uint64_t begin_of_piece() const { return begin_of_piece_; }
  // After `more`: the piece ended within a string that is a value and isn't skipped.
  bool within_string() const { return in_string() && !key_ && !quiet_; }
  // The part of a string's text that was kept of earlier pieces: of one that isn't complete or that
  // turned out to be too long.
  std::string_view kept() const { return kept_; }

  // After Token::error: what is wrong, and where.
  std::string error() const;

 private:
  enum class Phase : std::uint8_t {
    value,
    first_element,  // or the array's end
    first_key,      // or the object's end
    key,
    colon,
    after_value,
    string,
    escape,
    hex,
    number,
    literal,
    done,
    failed,
  };
  // Where in a number: what may follow differs (RFC 8259, section 6).
  enum class Number : std::uint8_t { minus, zero, digits, dot, fraction, e, e_sign, exponent };

  static constexpr std::size_t kDeepest = 10000;  // Go's maxNestingDepth

  bool in_string() const {
    return phase_ == Phase::string || phase_ == Phase::escape || phase_ == Phase::hex;
  }
  bool in_object() const { return ((stack_[depth_ / 64] >> (depth_ % 64)) & 1U) != 0; }
  Token fail(const char* why);
  Token push(bool object);
  Token pop(bool object);
  // For a value that ended: the token to tell; `more` when it lies within one that is skipped.
  Token ended(Token token);
  void begin_string(bool key);
  bool begin_scalar(char c);
  // Each reads on in the piece; why_ says what is wrong when it isn't so.
  enum class Read : std::uint8_t { some, all, bad };
  Read read_string(const char*& p, const char* end);
  Read read_number(const char*& p, const char* end);
  Read read_literal(const char*& p, const char* end);
  void keep(std::string_view part);
  Token end_string();
  // What a byte between the tokens begins or ends.
  Token structure(char c);
  static bool whole(Number n) {
    return n == Number::zero || n == Number::digits || n == Number::fraction ||
           n == Number::exponent;
  }

  std::size_t longest_text_;
  std::string_view in_;
  std::size_t at_ = 0;
  std::uint64_t begin_of_piece_ = 0;

  Phase phase_ = Phase::value;
  Number number_ = Number::minus;
  bool key_ = false;    // the string is one
  bool quiet_ = false;  // skipping, until a value ends at quiet_depth_
  bool escaped_ = false;
  bool too_long_ = false;
  std::uint8_t hex_left_ = 0;
  std::size_t quiet_depth_ = 0;
  std::string_view literal_;  // what is left of it
  Token scalar_ = Token::scalar;

  std::uint64_t begin_ = 0;
  std::size_t text_at_ = 0;  // where in this piece the string's text begins or goes on
  std::string_view text_;
  std::string kept_;
  const char* why_ = "";

  std::size_t depth_ = 0;
  // A bit for each level: whether it is an object.
  std::array<std::uint64_t, kDeepest / 64 + 1> stack_{};
};

}  // namespace causeway::engine_api
