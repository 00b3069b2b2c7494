#include "engine_api/filters.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "engine_api/json_text.h"
#include "engine_api/json_tokenizer.h"

namespace causeway::engine_api {
namespace {

using Token = JsonTokenizer::Token;

// As Go's url.QueryUnescape; nothing for a bad escape, for which dockerd refuses the request.
std::optional<std::string> unescaped(std::string_view s) {
  std::string blanks(s);
  std::replace(blanks.begin(), blanks.end(), '+', ' ');
  bool malformed = false;
  std::string out = text::percent_decoded(blanks, &malformed);
  return malformed ? std::nullopt : std::optional(std::move(out));
}

bool looks_like_path(std::string_view s) {
  if (s.empty()) return false;
  if (s[0] == '/' || s[0] == '\\') return true;
  const char letter = static_cast<char>(s[0] | 0x20);
  return s.size() > 1 && s[1] == ':' && letter >= 'a' && letter <= 'z';
}

// Reads the values of "volume" into `found`. False when dockerd would read none, since the JSON is
// broken or of another form.
Result<bool> read_volumes(FilterPaths& found) {
  JsonTokenizer tokens(found.json.size());
  tokens.give(found.json);
  if (tokens.next() != Token::object_begin) return false;
  bool seen = false;
  Token token = Token::more;
  while ((token = tokens.next()) == Token::key) {
    if (unquoted(tokens.text()) != "volume") {
      tokens.skip();
      if (tokens.next() != Token::skipped) return false;
      continue;
    }
    if (seen) return make_error("the filters of this request name volume twice");
    seen = true;
    token = tokens.next();
    if (token == Token::null) continue;
    found.object = token == Token::object_begin;
    if (!found.object && token != Token::array_begin) return false;
    found.insert_at = static_cast<std::size_t>(tokens.end());
    const Token value = found.object ? Token::key : Token::string;
    for (token = tokens.next(); token == value || token == Token::null; token = tokens.next()) {
      if (token == Token::null) continue;
      std::string text = unquoted(tokens.text());
      if (looks_like_path(text)) found.paths.push_back(std::move(text));
      if (found.object && (token = tokens.next()) != Token::scalar && token != Token::null) {
        return false;
      }
    }
    if (token != (found.object ? Token::object_end : Token::array_end)) return false;
  }
  return token == Token::object_end && tokens.next() == Token::more && tokens.finish();
}

}  // namespace

Result<FilterPaths> scan_filters(std::string_view target) {
  const std::size_t question = target.find('?');
  if (question == std::string_view::npos) return FilterPaths{};
  FilterPaths found;
  std::size_t times = 0;
  bool semicolon = false;
  for (std::size_t at = question + 1; at <= target.size();) {
    const std::size_t end = std::min(target.find_first_of("&;", at), target.size());
    semicolon = semicolon || (end < target.size() && target[end] == ';');
    const std::string_view pair = target.substr(at, end - at);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto key = unescaped(pair.substr(0, equals));
    if (key == "filters") {
      ++times;
      found.begin = std::min(at + equals + 1, end);
      found.end = end;
    }
    at = end + 1;
  }
  if (times == 0) return FilterPaths{};
  if (times > 1) return make_error("this request has the parameter filters twice");
  if (semicolon) return make_error("this request has filters and a semicolon in its query");
  auto json = unescaped(target.substr(found.begin, found.end - found.begin));
  if (!json) return FilterPaths{};
  found.json = std::move(*json);
  const auto read = read_volumes(found);
  if (!read.ok()) return read.error();
  if (!*read || found.paths.empty()) return FilterPaths{};
  return found;
}

std::string with_filters(std::string_view target, const FilterPaths& found,
                         const std::vector<std::string>& mapped) {
  std::set<std::string_view> known(found.paths.begin(), found.paths.end());
  std::string added;
  for (const std::string& path : mapped) {
    if (!known.insert(path).second) continue;
    append_quoted(added, path);
    added += found.object ? ":true," : ",";  // there is at least one behind it
  }
  if (added.empty()) return std::string(target);
  std::string out(target.substr(0, found.begin));
  out += text::percent_encoded(found.json.substr(0, found.insert_at) + added +
                               found.json.substr(found.insert_at));
  return out.append(target.substr(found.end));
}

}  // namespace causeway::engine_api
