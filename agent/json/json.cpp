#include "json/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace causeway::json {
namespace {

constexpr std::size_t kMaxDepth = 64;  // far above any file of ours; bounds the recursion in dump()

// RFC 6901, section 3.
std::string pointer_token(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

// Length of the UTF-8 sequence at the start of `s`, 0 when it is none (RFC 3629, section 4).
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const auto follows = [&](std::size_t i) { return i < s.size() && (byte(i) & 0xc0) == 0x80; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xc2 && byte(0) <= 0xdf) return follows(1) ? 2 : 0;
  if (byte(0) >= 0xe0 && byte(0) <= 0xef) {
    if (!follows(1) || !follows(2)) return 0;
    if (byte(0) == 0xe0 && byte(1) < 0xa0) return 0;
    if (byte(0) == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (byte(0) >= 0xf0 && byte(0) <= 0xf4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (byte(0) == 0xf0 && byte(1) < 0x90) return 0;
    if (byte(0) == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

// Builds a Json from the parser's events. Throws nothing; an error of ours stops the parser.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(std::int64_t value) override { return add(Json(value)); }
  bool number_unsigned(std::uint64_t value) override { return add(Json(value)); }
  bool number_float(double, const std::string& spelling) override {
    Json number;
    number.value_ = Json::Number{spelling};
    return add(std::move(number));
  }
  bool string(std::string& value) override { return add(Json(std::move(value))); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (open_.back()->find(name) != nullptr) {
      error_ = make_error(pointer() + "/" + pointer_token(name) + ": key is there twice");
      return false;
    }
    keys_.back() = std::move(name);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
    std::string_view what = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: …": the tail is for
    // people.
    if (const auto at = what.find("parse error at "); at != std::string_view::npos)
      what.remove_prefix(at + std::string_view("parse error at ").size());
    error_ = make_error(text::printable(what));
    return false;
  }

  Json root;
  std::optional<Error> error_;

 private:
  bool add(Json value) {
    append(std::move(value));
    return true;
  }

  Json* append(Json value) {
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (auto* items = std::get_if<std::vector<Json>>(&open_.back()->value_)) {
      items->push_back(std::move(value));
      return &items->back();
    }
    auto& members = *std::get_if<std::vector<Json::Member>>(&open_.back()->value_);
    members.push_back({std::move(keys_.back()), std::move(value)});
    return &members.back().value;
  }

  bool open(Json value) {
    if (open_.size() >= kMaxDepth) {
      error_ = make_error("nested deeper than " + std::to_string(kMaxDepth) + " levels");
      return false;
    }
    // An ancestor doesn't move while something in it is open: only its last element grows.
    open_.push_back(append(std::move(value)));
    keys_.emplace_back();
    return true;
  }

  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  std::string pointer() const {
    std::string out;
    for (std::size_t i = 0; i + 1 < open_.size(); ++i) {
      out += '/';
      if (open_[i]->is_array()) {
        out += std::to_string(open_[i]->items().size() - 1);
      } else {
        out += pointer_token(open_[i]->members().back().key);
      }
    }
    return out;
  }

  std::vector<Json*> open_;
  std::vector<std::string> keys_;
};

Json::Json(double value) {
  if (!std::isfinite(value)) return;
  std::array<char, 40> out;
  const auto end = std::to_chars(out.data(), out.data() + out.size(), value).ptr;
  value_ = Number{std::string(out.data(), end)};
}

Json Json::array() { return array({}); }

Json Json::array(std::vector<Json> items) {
  Json out;
  out.value_ = std::move(items);
  return out;
}

Json Json::object() {
  Json out;
  out.value_ = std::vector<Member>();
  return out;
}

Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  Json out = object();
  for (const auto& [key, value] : members) out.set(key, value);
  return out;
}

Result<Json> Json::parse(std::string_view text) {
  JsonBuilder builder;
  try {
    if (nlohmann::json::sax_parse(text.begin(), text.end(), &builder))
      return std::move(builder.root);
  } catch (const std::exception& e) {  // out of memory, or a defect of the parser
    return make_error(e.what());
  }
  if (builder.error_) return *builder.error_;
  return make_error("not JSON");
}

std::optional<bool> Json::as_bool() const {
  const auto* value = std::get_if<bool>(&value_);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::int64_t> Json::as_int() const {
  const auto* number = std::get_if<Number>(&value_);
  if (number == nullptr) return std::nullopt;
  std::int64_t value = 0;
  const char* end = number->text.data() + number->text.size();
  const auto parsed = std::from_chars(number->text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

std::string Json::string_or(std::string_view otherwise) const {
  const auto* value = as_string();
  return value == nullptr ? std::string(otherwise) : *value;
}

const Json* Json::find(std::string_view key) const {
  for (const auto& member : members())
    if (member.key == key) return &member.value;
  return nullptr;
}

const Json& Json::operator[](std::string_view key) const {
  static const Json missing;
  const auto* found = find(key);
  return found == nullptr ? missing : *found;
}

Json& Json::set(std::string_view key, Json value) {
  if (!is_object()) value_ = std::vector<Member>();
  auto& members = *std::get_if<std::vector<Member>>(&value_);
  for (auto& member : members) {
    if (member.key != key) continue;
    member.value = std::move(value);
    return *this;
  }
  members.push_back({std::string(key), std::move(value)});
  return *this;
}

bool Json::erase(std::string_view key) {
  auto* members = std::get_if<std::vector<Member>>(&value_);
  return members != nullptr &&
         std::erase_if(*members, [&](const Member& m) { return m.key == key; }) > 0;
}

std::span<const Json::Member> Json::members() const {
  const auto* members = std::get_if<std::vector<Member>>(&value_);
  return members == nullptr ? std::span<const Member>() : std::span<const Member>(*members);
}

std::span<const Json> Json::items() const {
  const auto* items = std::get_if<std::vector<Json>>(&value_);
  return items == nullptr ? std::span<const Json>() : std::span<const Json>(*items);
}

Json& Json::push(Json value) {
  if (!is_array()) value_ = std::vector<Json>();
  std::get_if<std::vector<Json>>(&value_)->push_back(std::move(value));
  return *this;
}

bool Json::operator==(const Json& other) const {
  if (kind() != other.kind()) return false;
  if (!is_object()) {
    if (is_array()) return std::ranges::equal(items(), other.items());
    if (const auto* number = std::get_if<Number>(&value_))
      return *number == *std::get_if<Number>(&other.value_);
    if (const auto* s = as_string()) return *s == *other.as_string();
    return as_bool() == other.as_bool();
  }
  if (members().size() != other.members().size()) return false;
  return std::ranges::all_of(members(), [&](const Member& member) {
    const auto* counterpart = other.find(member.key);
    return counterpart != nullptr && *counterpart == member.value;
  });
}

void append_quoted(std::string& out, std::string_view s) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  while (!s.empty()) {
    const std::size_t length = utf8_length(s);
    const char c = s[0];
    if (length == 0) {
      out += "\xef\xbf\xbd";
    } else if (length > 1) {
      out += s.substr(0, length);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
    s.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

void Json::write(std::string& out, int indent, int level) const {
  const auto line = [&](int depth) {
    if (indent == 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(indent) * static_cast<std::size_t>(depth), ' ');
  };
  bool first = true;
  const auto separate = [&] {
    if (!first) out += ',';
    first = false;
    line(level + 1);
  };
  switch (kind()) {
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean:
      out += *as_bool() ? "true" : "false";
      return;
    case Kind::number:
      out += std::get_if<Number>(&value_)->text;
      return;
    case Kind::string:
      append_quoted(out, *as_string());
      return;
    case Kind::array:
      out += '[';
      for (const auto& item : items()) {
        separate();
        item.write(out, indent, level + 1);
      }
      if (!first) line(level);
      out += ']';
      return;
    case Kind::object:
      out += '{';
      for (const auto& member : members()) {
        separate();
        append_quoted(out, member.key);
        out += indent == 0 ? ":" : ": ";
        member.value.write(out, indent, level + 1);
      }
      if (!first) line(level);
      out += '}';
      return;
  }
}

std::string Json::dump(int indent) const {
  std::string out;
  write(out, indent, 0);
  return out;
}

const char* kind_name(Json::Kind kind) {
  switch (kind) {
    case Json::Kind::null:
      return "null";
    case Json::Kind::boolean:
      return "true or false";
    case Json::Kind::number:
      return "a number";
    case Json::Kind::string:
      return "a string";
    case Json::Kind::array:
      return "an array";
    case Json::Kind::object:
      return "an object";
  }
  return "";
}

ObjectReader::ObjectReader(const Json& value, Unknown unknown)
    : ObjectReader(value, "", std::make_shared<Shared>()) {
  shared_->unknown = unknown;
}

ObjectReader::ObjectReader(const Json& value, std::string pointer, std::shared_ptr<Shared> shared)
    : value_(value), pointer_(std::move(pointer)), shared_(std::move(shared)) {
  if (!value_.is_object()) expected(pointer_, kind_name(Json::Kind::object), value_);
}

std::string ObjectReader::pointer_to(std::string_view key) const {
  return pointer_ + "/" + pointer_token(key);
}

void ObjectReader::fail(std::string_view key, std::string_view what) {
  if (shared_->error) return;
  const std::string where = key.empty() ? pointer_ : pointer_to(key);
  shared_->error = make_error((where.empty() ? "the document" : text::printable(where)) + ": " +
                              std::string(what));
}

void ObjectReader::expected(std::string_view pointer, std::string_view what, const Json& found) {
  if (shared_->error) return;
  shared_->error =
      make_error((pointer.empty() ? "the document" : text::printable(pointer)) + ": expected " +
                 std::string(what) + ", found " + kind_name(found.kind()));
}

const Json* ObjectReader::take(std::string_view key) {
  taken_.emplace_back(key);
  shared_->asked.push_back(pointer_to(key));
  return value_.find(key);
}

const Json* ObjectReader::take(std::string_view key, Json::Kind kind) {
  const auto* found = take(key);
  if (found == nullptr || found->kind() == kind) return found;
  expected(pointer_to(key), kind_name(kind), *found);
  return nullptr;
}

ObjectReader& ObjectReader::require(std::string_view key) {
  if (value_.is_object() && !has(key)) fail(key, "is missing");
  return *this;
}

bool ObjectReader::read(std::string_view key, std::string& out) {
  const auto* found = take(key, Json::Kind::string);
  if (found != nullptr) out = *found->as_string();
  return found != nullptr;
}

bool ObjectReader::read(std::string_view key, bool& out) {
  const auto* found = take(key, Json::Kind::boolean);
  if (found != nullptr) out = *found->as_bool();
  return found != nullptr;
}

bool ObjectReader::read(std::string_view key, std::int64_t& out, std::int64_t least,
                        std::int64_t most) {
  const auto* found = take(key, Json::Kind::number);
  if (found == nullptr) return false;
  const auto value = found->as_int();
  if (!value || *value < least || *value > most) {
    fail(key, "expected a whole number from " + std::to_string(least) + " to " +
                  std::to_string(most) + ", found " + found->dump());
    return false;
  }
  out = *value;
  return true;
}

bool ObjectReader::strings(const Json& value, const std::string& pointer,
                           std::vector<std::string>& out) {
  std::vector<std::string> read;
  for (const auto& item : value.items()) {
    if (item.as_string() == nullptr) {
      expected(pointer + "/" + std::to_string(read.size()), kind_name(Json::Kind::string), item);
      return false;
    }
    read.push_back(*item.as_string());
  }
  out = std::move(read);
  return true;
}

bool ObjectReader::read(std::string_view key, std::vector<std::string>& out) {
  const auto* found = take(key, Json::Kind::array);
  return found != nullptr && strings(*found, pointer_to(key), out);
}

bool ObjectReader::read(std::string_view key, std::vector<std::vector<std::string>>& out) {
  const auto* found = take(key, Json::Kind::array);
  if (found == nullptr) return false;
  std::vector<std::vector<std::string>> read;
  for (const auto& item : found->items()) {
    const std::string pointer = pointer_to(key) + "/" + std::to_string(read.size());
    if (!item.is_array()) {
      expected(pointer, kind_name(Json::Kind::array), item);
      return false;
    }
    if (!strings(item, pointer, read.emplace_back())) return false;
  }
  out = std::move(read);
  return true;
}

bool ObjectReader::read(std::string_view key, std::map<std::string, std::string>& out) {
  const auto* found = take(key, Json::Kind::object);
  if (found == nullptr) return false;
  std::map<std::string, std::string> read;
  for (const auto& member : found->members()) {
    if (member.value.as_string() == nullptr) {
      expected(pointer_to(key) + "/" + pointer_token(member.key), kind_name(Json::Kind::string),
               member.value);
      return false;
    }
    read[member.key] = *member.value.as_string();
  }
  out = std::move(read);
  return true;
}

bool ObjectReader::object(std::string_view key,
                          const std::function<void(ObjectReader&)>& read_members) {
  const auto* found = take(key, Json::Kind::object);
  if (found == nullptr) return false;
  ObjectReader inner(*found, pointer_to(key), shared_);
  read_members(inner);
  return inner.finish().ok();
}

bool ObjectReader::objects(std::string_view key,
                           const std::function<void(ObjectReader&)>& read_members) {
  const auto* found = take(key, Json::Kind::array);
  if (found == nullptr) return false;
  std::size_t index = 0;
  for (const auto& item : found->items()) {
    ObjectReader inner(item, pointer_to(key) + "/" + std::to_string(index++), shared_);
    if (!inner.failed()) read_members(inner);
    if (!inner.finish()) return false;
  }
  return true;
}

Status ObjectReader::finish() {
  if (shared_->unknown == Unknown::refused)
    for (const auto& member : value_.members())
      if (std::ranges::find(taken_, member.key) == taken_.end()) fail(member.key, "unknown key");
  if (shared_->error) return *shared_->error;
  return Ok{};
}

}  // namespace causeway::json
