#include "settings/settings.h"

#include <doctest/doctest.h>

#include <optional>

#include "json/json.h"

using namespace causeway;

namespace {

// Reads `content` by one section's reader; nothing when the file can't be used.
template <class T>
std::optional<T> read(void (*reader)(json::ObjectReader&, T&), std::string_view content) {
  const auto document = json::Json::parse(content);
  if (!document) return std::nullopt;
  json::ObjectReader in(*document);
  T out;
  reader(in, out);
  if (!in.finish()) return std::nullopt;
  return out;
}

}  // namespace

TEST_CASE("settings/settings: the link's listeners") {
  const auto link = [](std::string_view content) { return read(link::read_settings, content); };
  const auto parsed = link(R"({"link":{"vsock":"on","tcp":"127.0.0.1:4857"}})");
  REQUIRE(parsed.has_value());
  CHECK(parsed->vsock == link::Vsock::on);
  CHECK(parsed->tcp_port == 4857);
  CHECK(link("{}") == link::Settings{});
  CHECK(link(R"({"link":{"vsock":"auto"}})") == link::Settings{});
  CHECK(link(R"({"link":{"vsock":"off"}})").value().vsock == link::Vsock::off);
  CHECK(link(R"({"link":{"peer_cid":1}})").value().peer_cid == 1);
  for (const char* bad :
       {R"({"link":{"vsock":"ON"}})", R"({"link":{"peer_cid":-1}})", R"({"link":{"vsock":true}})",
        R"({"link":{"tcp":4857}})", R"({"link":{"tcp":"4857"}})",
        R"({"link":{"tcp":"0.0.0.0:4857"}})", R"({"link":{"tcp":"127.0.0.1:0"}})",
        R"({"link":{"tcp":"127.0.0.1:65536"}})", R"({"link":{"tcp":"127.0.0.1:"}})",
        R"({"link":{"tcp":"127.0.0.1:80 "}})", R"({"link":{"port":1}})", R"({"link":[]})"}) {
    CAPTURE(bad);
    CHECK_FALSE(link(bad).has_value());
  }
}

TEST_CASE("settings/settings: the engine, the kernel, the log files") {
  CHECK(read(engine_setup::read_engine_settings, "{}") == engine_setup::EngineSettings{true});
  CHECK(read(engine_setup::read_engine_settings, R"({"live_restore":false})") ==
        engine_setup::EngineSettings{false});
  CHECK_FALSE(read(engine_setup::read_engine_settings, R"({"live_restore":null})").has_value());
  CHECK(read(engine_setup::read_host_settings, R"({"host_setup":false})") ==
        engine_setup::HostSettings{false});
  const auto log = [](std::string_view content) {
    return read(supervise::read_log_limits, content);
  };
  CHECK(log("{}") == supervise::LogLimits{});
  CHECK(log(R"({"log":{"max_bytes":65536,"files":1}})") == supervise::LogLimits{65536, 1});
  CHECK(log(R"({"log":{"files":7}})") == supervise::LogLimits{10 * 1024 * 1024, 7});
  for (const char* bad : {R"({"log":{"files":0}})", R"({"log":{"files":101}})",
                          R"({"log":{"max_bytes":"1m"}})", R"({"log":{"max_bytes":65535}})"}) {
    CAPTURE(bad);
    CHECK_FALSE(log(bad).has_value());
  }
}
