#include "settings/settings.h"

#include <doctest/doctest.h>

using namespace causeway;
using namespace causeway::settings;

TEST_CASE("settings/settings: the link's listeners") {
  const auto parsed = parse_settings(R"({"link":{"vsock":"on","tcp":"127.0.0.1:4857"}})");
  REQUIRE(parsed.ok());
  CHECK(parsed->link_vsock == LinkVsock::on);
  CHECK(parsed->link_tcp_port == 4857);
  CHECK(parse_settings(R"({"link":{"vsock":"auto"}})").value() == Settings{});
  CHECK(parse_settings(R"({"link":{"vsock":"off"}})").value().link_vsock == LinkVsock::off);
  CHECK(parse_settings(R"({"link":{"peer_cid":1}})").value().link_peer_cid == 1);
  for (const char* bad :
       {R"({"link":{"vsock":"ON"}})", R"({"link":{"peer_cid":-1}})", R"({"link":{"vsock":true}})",
        R"({"link":{"tcp":4857}})", R"({"link":{"tcp":"4857"}})",
        R"({"link":{"tcp":"0.0.0.0:4857"}})", R"({"link":{"tcp":"127.0.0.1:0"}})",
        R"({"link":{"tcp":"127.0.0.1:65536"}})", R"({"link":{"tcp":"127.0.0.1:"}})",
        R"({"link":{"tcp":"127.0.0.1:80 "}})", R"({"link":{"port":1}})", R"({"link":[]})"}) {
    CAPTURE(bad);
    CHECK(!parse_settings(bad).ok());
  }
}

TEST_CASE("settings/settings: all is optional, nothing else is allowed") {
  CHECK(parse_settings("{}").value() == Settings{});
  const auto full = parse_settings(
      R"({"live_restore":false,"log":{"max_bytes":65536,"files":1},"host_setup":false})");
  REQUIRE(full.ok());
  CHECK(*full == Settings{false, 65536, 1, false});
  for (const char* bad : {"", "[]", R"({"x":1})", R"({"log":{"files":0}})",
                          R"({"log":{"max_bytes":"1m"}})", R"({"live_restore":null})"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_settings(bad).ok());
  }
  CHECK(load_settings("/nowhere/settings.json").value() == Settings{});
}
