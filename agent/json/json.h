// JSON documents: a small value type, a strict parser, a writer, and a reader for objects with
// known members. nlohmann's parser stands behind it and appears in no header. Strict means: one
// value and nothing behind it, no comments, no key twice in an object, valid UTF-8, at most 64
// levels. Members keep their order and numbers their spelling, so that a document passes through
// unchanged but for what was set.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace causeway::json {

class Json {
 public:
  enum class Kind { null, boolean, number, string, array, object };
  struct Member;

  Json();  // null
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;
  ~Json();  // NOLINT(performance-trivially-destructible): it isn't, Member is incomplete here
  Json(bool value);
  Json(const char* value);
  Json(std::string_view value);
  Json(std::string value);
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) : Json(Number{std::to_string(value)}) {}
  Json(double value);  // null when not finite: JSON has no such number

  static Json array();
  static Json array(std::vector<Json> items);
  static Json object();
  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members);

  // The document in `text`. Errors name line and column, or the JSON pointer (RFC 6901) of a key
  // that is there twice.
  static Result<Json> parse(std::string_view text);

  Kind kind() const;
  bool is_null() const { return kind() == Kind::null; }
  bool is_object() const { return kind() == Kind::object; }
  bool is_array() const { return kind() == Kind::array; }

  // The value, or nothing when this is another kind (or a number that doesn't fit).
  std::optional<bool> as_bool() const;
  std::optional<std::int64_t> as_int() const;
  const std::string* as_string() const;
  std::string string_or(std::string_view otherwise) const;
  std::int64_t int_or(std::int64_t otherwise) const { return as_int().value_or(otherwise); }
  bool bool_or(bool otherwise) const { return as_bool().value_or(otherwise); }

  // Objects. `operator[]` and `at` give null for a missing member and for what isn't an object.
  const Json* find(std::string_view key) const;
  const Json& operator[](std::string_view key) const;
  Json& set(std::string_view key,
            Json value);  // adds or replaces; makes this an object. Returns this
  bool erase(std::string_view key);
  std::span<const Member> members() const;

  // Arrays. Empty for what isn't one.
  std::span<const Json> items() const;
  Json& push(Json value);  // makes this an array. Returns this

  // Compact in one line, or with `indent` blanks a level. Always valid JSON and UTF-8: bytes that
  // aren't UTF-8 become U+FFFD.
  std::string dump(int indent = 0) const;

  bool operator==(const Json& other) const;  // members in any order; numbers by their spelling

 private:
  struct Number {
    std::string text;
    bool operator==(const Number&) const = default;
  };
  explicit Json(Number number);
  friend class JsonBuilder;
  void write(std::string& out, int indent, int level) const;

  std::variant<std::monostate, bool, Number, std::string, std::vector<Json>, std::vector<Member>>
      value_;  // in the order of Kind
};

struct Json::Member {
  std::string key;
  Json value;
};

// Here, because all of these need the whole of Member.
inline Json::Json() = default;
inline Json::Json(const Json&) = default;
inline Json::Json(Json&&) noexcept = default;
inline Json& Json::operator=(const Json&) = default;
inline Json& Json::operator=(Json&&) noexcept = default;
inline Json::~Json() = default;
inline Json::Json(bool value) : value_(value) {}
inline Json::Json(const char* value) : value_(std::string(value)) {}
inline Json::Json(std::string_view value) : value_(std::string(value)) {}
inline Json::Json(std::string value) : value_(std::move(value)) {}
inline Json::Json(Number number) : value_(std::move(number)) {}
inline Json::Kind Json::kind() const { return static_cast<Kind>(value_.index()); }
inline const std::string* Json::as_string() const { return std::get_if<std::string>(&value_); }

const char* kind_name(Json::Kind kind);  // "a string", "an object", for error texts

// Appends `text` as a JSON string with its quotes.
void append_quoted(std::string& out, std::string_view text);

// ObjectReader takes the known members out of an object: a member that is absent leaves its
// variable as it is, one of a wrong kind and one that nobody read are errors that name the JSON
// pointer. The first error is kept, so the calls need no checks in between:
//
//   ObjectReader in(document);
//   in.require("name").read("name", spec.name);
//   in.object("stop", [&](ObjectReader& stop) { stop.read("timeout_s", spec.stop_s, 0, 3600); });
//   if (auto done = in.finish(); !done) return std::move(done).error().with(path);
class ObjectReader {
 public:
  // Members that nobody read, here and in inner objects: an error, or of no interest.
  enum class Unknown { refused, ignored };
  explicit ObjectReader(const Json& value, Unknown unknown = Unknown::refused);

  ObjectReader& require(std::string_view key);  // complains when absent
  // True when the member is there and was taken.
  bool read(std::string_view key, std::string& out);
  bool read(std::string_view key, bool& out);
  bool read(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most);
  bool read(std::string_view key, std::vector<std::string>& out);
  bool read(std::string_view key, std::vector<std::vector<std::string>>& out);
  bool read(std::string_view key, std::map<std::string, std::string>& out);
  // The members of an object in the object, by a reader of its own.
  bool object(std::string_view key, const std::function<void(ObjectReader&)>& read_members);
  // The same for each object of an array.
  bool objects(std::string_view key, const std::function<void(ObjectReader&)>& read_members);
  bool has(std::string_view key) const { return value_.find(key) != nullptr; }

  // Records an error of the caller's own about a member ("" = the object itself).
  void fail(std::string_view key, std::string_view what);
  bool failed() const { return shared_->error.has_value(); }

  // JSON pointers of all members that were asked for so far, also in inner objects: what a document
  // may have.
  const std::vector<std::string>& asked() const { return shared_->asked; }

  // The first error: "/stop/timeout_s: expected a number, found a string".
  Status finish();

 private:
  struct Shared {
    Unknown unknown = Unknown::refused;
    std::optional<Error> error;
    std::vector<std::string> asked;
  };
  ObjectReader(const Json& value, std::string pointer, std::shared_ptr<Shared> shared);
  const Json* take(std::string_view key);
  const Json* take(std::string_view key, Json::Kind kind);
  void expected(std::string_view pointer, std::string_view what, const Json& found);
  bool strings(const Json& value, const std::string& pointer, std::vector<std::string>& out);
  std::string pointer_to(std::string_view key) const;

  const Json& value_;
  std::string pointer_;
  std::shared_ptr<Shared> shared_;
  std::vector<std::string> taken_;
};

}  // namespace causeway::json
