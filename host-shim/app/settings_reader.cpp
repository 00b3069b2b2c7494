#include "app/settings_reader.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "wire/hello.h"

namespace causeway::shim::app {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 9> kKnown{
    "pipe",      "distro",          "attach",        "hvsocket", "tcp",
    "tcp_nonce", "start_timeout_s", "client_wait_s", "log_level"};
constexpr std::string_view kPipePrefix = R"(\\.\pipe\)";

// Complains about a key that is there twice, which nlohmann would let pass.
class Duplicates {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    const auto level = static_cast<std::size_t>(depth);
    if (event == Json::parse_event_t::object_start) keys_.resize(level + 1);
    if (event == Json::parse_event_t::key) {
      if (keys_.size() <= level) keys_.resize(level + 1);
      auto& keys = keys_[level];
      const auto& key = parsed.get_ref<const std::string&>();
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) found_ = key;
      keys.push_back(key);
    }
    return true;
  }
  const std::string& found() const { return found_; }

 private:
  std::vector<std::vector<std::string>> keys_;
  std::string found_;
};

Result<Json> parse(std::string_view text) {
  Duplicates duplicates;
  try {
    auto json = Json::parse(
        text.begin(), text.end(),
        [&](int depth, Json::parse_event_t event, Json& parsed) {
          return duplicates(depth, event, parsed);
        },
        true, true);
    if (!duplicates.found().empty())
      return make_error("/" + duplicates.found() + " is there twice");
    if (!json.is_object()) return make_error("it is no JSON object");
    return json;
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: …"
    std::string what = error.what();
    if (const auto at = what.find("] "); at != std::string::npos) what.erase(0, at + 2);
    return make_error(what);
  }
}

// Takes members; the first error is kept.
class Reader {
 public:
  explicit Reader(const Json& object) : object_(object) {}

  void text(const char* key, std::string& out) {
    if (const Json* value = find(key, &Json::is_string, "a string"))
      out = value->get<std::string>();
  }
  void flag(const char* key, bool& out) {
    if (const Json* value = find(key, &Json::is_boolean, "true or false")) out = value->get<bool>();
  }
  void seconds(const char* key, std::uint32_t& out_ms, std::uint64_t most) {
    const Json* value = find(key, &Json::is_number_unsigned, "a number of seconds");
    if (value == nullptr) return;
    const auto seconds = value->get<std::uint64_t>();
    if (seconds < 1 || seconds > most)
      return fail(key, "must be from 1 to " + std::to_string(most));
    out_ms = static_cast<std::uint32_t>(seconds * 1000);
  }
  void texts(const char* key, std::vector<std::string>& out) {
    const Json* value = find(key, &Json::is_array, "a list of strings");
    if (value == nullptr) return;
    out.clear();
    for (const auto& item : *value) {
      if (!item.is_string() || item.get_ref<const std::string&>().empty())
        return fail(std::string(key) + "/" + std::to_string(out.size()),
                    std::string("expected a string, found ") + item.type_name());
      out.push_back(item.get<std::string>());
    }
  }
  void fail(const std::string& key, const std::string& what) {
    if (!error_) error_ = "/" + key + ": " + what;
  }
  bool has(const char* key) const { return object_.contains(key); }
  const std::optional<std::string>& error() const { return error_; }

 private:
  const Json* find(const char* key, bool (Json::*right)() const noexcept, const char* wanted) {
    const auto found = object_.find(key);
    if (found == object_.end()) return nullptr;
    if (((*found).*right)()) return &*found;
    fail(key, std::string("expected ") + wanted + ", found " + found->type_name());
    return nullptr;
  }

  const Json& object_;
  std::optional<std::string> error_;
};

bool is_loopback(const std::string& address) {
  return address.starts_with("127.0.0.1:") && address.size() > 10 && address.size() <= 15 &&
         std::all_of(address.begin() + 10, address.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<Settings> parse_settings(std::string_view text) {
  auto json = parse(text);
  if (!json) return std::move(json).error();
  Settings out;
  Reader in(*json);
  for (const auto& [key, value] : json->items())
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end())
      in.fail(key, "there is no such setting");
  std::string distro;
  std::string level = "info";
  in.text("pipe", out.shim.pipe);
  in.text("distro", distro);
  in.texts("attach", out.shim.attach);
  in.flag("hvsocket", out.shim.hvsocket);
  in.text("tcp", out.shim.tcp);
  in.text("tcp_nonce", out.shim.tcp_nonce);
  in.seconds("start_timeout_s", out.shim.start_timeout_ms, 3600);
  in.seconds("client_wait_s", out.shim.client_wait_ms, 3600);
  in.text("log_level", level);
  if (!out.shim.pipe.starts_with(kPipePrefix) || out.shim.pipe.size() == kPipePrefix.size() ||
      out.shim.pipe.size() > 256 ||
      out.shim.pipe.find('\\', kPipePrefix.size()) != std::string::npos)
    in.fail("pipe", R"(must be a name like \\.\pipe\docker_engine)");
  if (in.has("distro") && in.has("attach"))
    in.fail("distro", "goes without /attach, which names the distro itself");
  if (in.has("distro") && (distro.empty() || distro[0] == '-'))
    in.fail("distro", "is no name of a distro");
  if (!distro.empty()) out.shim.attach[2] = distro;
  if (!out.shim.tcp.empty() && !is_loopback(out.shim.tcp))
    in.fail("tcp", "must be 127.0.0.1 and a port: the link isn't encrypted");
  if (!out.shim.tcp_nonce.empty() && !wire::nonce_from_hex(out.shim.tcp_nonce))
    in.fail("tcp_nonce", "must be 32 hex digits in lower case");
  if (level == "debug") {
    out.log_level = log::Level::debug;
  } else if (level == "warning") {
    out.log_level = log::Level::warning;
  } else if (level == "error") {
    out.log_level = log::Level::error;
  } else if (level != "info") {
    in.fail("log_level", "must be debug, info, warning or error");
  }
  if (in.error()) return make_error(*in.error());
  return out;
}

Result<std::vector<std::string>> parse_enabled(std::string_view text) {
  auto json = parse(text);
  if (!json) return std::move(json).error();
  std::vector<std::string> out;
  Reader in(*json);
  in.texts("enabled", out);
  if (in.error()) return make_error(*in.error());
  return out;
}

std::string enabled_json(const std::vector<std::string>& names) {
  return Json{{"enabled", names}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace causeway::shim::app
