#include "engine_api/route.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace causeway;
using engine_api::Call;

TEST_CASE("engine_api/route: finds the calls as dockerd does") {
  struct Case {
    const char* method;
    const char* target;
    Call call;
    const char* id;
    const char* version;
  };
  const std::vector<Case> cases = {
      {"POST", "/containers/abc/attach", Call::container_attach, "abc", ""},
      {"POST", "/v1.41/containers/abc/attach?stream=1", Call::container_attach, "abc", "1.41"},
      {"POST", "/v1.41/%63ontainers/a%2Db/%61ttach", Call::container_attach, "a-b", "1.41"},
      {"POST", "/%76%31.41/containers/abc/attach", Call::container_attach, "abc", "1.41"},
      {"GET", "/containers/abc/attach", Call::other, "", ""},
      {"POST", "/containers/abc/attach/ws", Call::other, "", ""},
      {"GET", "/v1.24/containers/abc/attach/ws?x", Call::container_attach_ws, "abc", "1.24"},
      {"POST", "/exec/e/start", Call::exec_start, "e", ""},
      {"POST", "/v1.41/exec/e/start", Call::exec_start, "e", "1.41"},
      {"POST", "/exec/e/resize", Call::other, "", ""},
      {"POST", "/session", Call::session, "", ""},
      {"POST", "/v1.41/grpc", Call::grpc, "", "1.41"},
      {"GET", "/session", Call::other, "", ""},
      {"POST", "/sessions", Call::other, "", ""},
      {"POST", "/session/", Call::other, "", ""},
      {"POST", "/v1.41/a/b/c/d/e/f/g", Call::other, "", "1.41"},
      {"POST", "//session", Call::other, "", ""},
      {"GET", "/containers/abc/attach/ws/x", Call::other, "", ""},
      {"GET", "/v1.41/containers/abc/attach/ws/x", Call::other, "", "1.41"},
      {"POST", "session", Call::other, "", ""},
      {"POST", "/v1.41", Call::other, "", "1.41"},
      {"POST", "/vx/session", Call::other, "", ""},
      {"POST", "/", Call::other, "", ""},
      {"GET", "/_ping", Call::other, "", ""},
      {"HEAD", "/session", Call::other, "", ""},
      {"POST", "/?/containers/abc/attach", Call::other, "", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.target);
    const auto found = engine_api::route(c.method, c.target);
    CHECK(found.call == c.call);
    CHECK(found.id == c.id);
    CHECK(found.version == c.version);
    CHECK(engine_api::hijackable(found.call) == (c.call != Call::other));
    CHECK_FALSE(engine_api::request_has_paths(found.call));
    CHECK_FALSE(engine_api::response_has_paths(found.call));
  }
}

TEST_CASE("engine_api/route: decoding leaves bad escapes, and the query") {
  CHECK(engine_api::decoded_path("/a%2fb%2Fc") == "/a/b/c");
  CHECK(engine_api::decoded_path("/%zz%4") == "/%zz%4");
  CHECK(engine_api::decoded_path("/%4") == "/%4");
  CHECK(engine_api::decoded_path("/%41") == "/A");
  CHECK(engine_api::decoded_path("/%2541") == "/%41");  // once only
  CHECK(engine_api::decoded_path("/a+b?%41") == "/a+b");
  CHECK(engine_api::decoded_path("") == "");
}

TEST_CASE("engine_api/route: finds the calls with paths, in doubt too") {
  struct Case {
    const char* method;
    const char* target;
    Call call;
    const char* id;
    const char* version;
  };
  const std::vector<Case> cases = {
      {"POST", "/containers/create", Call::container_create, "", ""},
      {"POST", "/v1.41/containers/create?name=x", Call::container_create, "", "1.41"},
      {"POST", "/containers/%63reate", Call::container_create, "", ""},
      {"POST", "/v1.41/%63%6Fntainers%2Fcreate", Call::container_create, "", "1.41"},
      {"POST", "/%761.41/containers/create", Call::container_create, "", "1.41"},
      {"POST", "/v1.41//containers/create", Call::container_create, "", "1.41"},
      {"POST", "//v1.41/containers/create", Call::container_create, "", "1.41"},
      {"POST", "/containers//create", Call::container_create, "", ""},
      {"POST", "/containers/create/", Call::container_create, "", ""},
      {"POST", "/containers/./create", Call::container_create, "", ""},
      {"POST", "/x/../containers/create", Call::container_create, "", ""},
      {"POST", "/../containers/create", Call::container_create, "", ""},
      {"POST", "/containers/x/%2e%2E/create", Call::container_create, "", ""},
      {"POST", "/v1.41/../containers/create", Call::container_create, "", ""},
      {"GET", "/containers/create", Call::other, "", ""},
      {"PUT", "/containers/create", Call::other, "", ""},
      {"post", "/containers/create", Call::other, "", ""},
      {"POST", "/Containers/create", Call::other, "", ""},
      {"POST", "/containers/create/x", Call::other, "", ""},
      {"POST", "/containers/creates", Call::other, "", ""},
      {"POST", "/v1.41/v1.41/containers/create", Call::other, "", "1.41"},
      {"POST", "/containers/%2563reate", Call::other, "", ""},

      {"GET", "/containers/json?all=1", Call::container_list, "", ""},
      {"GET", "/v1.24/containers/json", Call::container_list, "", "1.24"},
      {"GET", "/v1.24/containers//json", Call::container_list, "", "1.24"},
      {"POST", "/containers/json", Call::other, "", ""},
      {"HEAD", "/containers/json", Call::other, "", ""},
      {"GET", "/containers/abc/json", Call::container_inspect, "abc", ""},
      {"GET", "/v1.41/containers/a%2Fb/json?size=1", Call::container_inspect, "a/b", "1.41"},
      {"GET", "/containers/a/b/c/d/e/f/json", Call::container_inspect, "a/b/c/d/e/f", ""},
      {"GET", "/containers/json/json", Call::container_inspect, "json", ""},
      {"GET", "/containers/abc/xjson", Call::other, "", ""},
      {"GET", "/containers/abc/logs", Call::other, "", ""},
      {"GET", "/images/abc/json", Call::image_inspect, "abc", ""},
      {"GET", "/images/a/b:c/json", Call::image_inspect, "a/b:c", ""},
      {"GET", "/images/json", Call::other, "", ""},
      {"GET", "/images/abc/get", Call::other, "", ""},
      {"POST", "/images/abc/json", Call::other, "", ""},
      {"GET", "/info", Call::system_info, "", ""},
      {"GET", "/v1.41/info", Call::system_info, "", "1.41"},
      {"GET", "/info/x", Call::other, "", ""},
      {"POST", "/info", Call::other, "", ""},

      {"POST", "/containers/abc/start", Call::container_start, "abc", ""},
      {"POST", "/v1.24/containers/abc/start", Call::container_start, "abc", "1.24"},
      {"POST", "/v1.100/containers/abc/start", Call::container_start, "abc", "1.100"},
      {"POST", "/v2/containers/abc/start", Call::container_start, "abc", "2"},
      {"POST", "/v1.23/containers/abc/start", Call::container_start_with_config, "abc", "1.23"},
      {"POST", "/v1.023/containers/abc/start", Call::container_start_with_config, "abc", "1.023"},
      {"POST", "/v1/containers/abc/start", Call::container_start_with_config, "abc", "1"},
      {"POST", "/v1..41/containers/abc/start", Call::container_start_with_config, "abc", "1..41"},
      {"POST", "/v.41/containers/abc/start", Call::container_start_with_config, "abc", ".41"},
      {"POST", "/v1.23.99/containers/a/start", Call::container_start_with_config, "a", "1.23.99"},
      {"POST", "/containers/abc//start", Call::container_start, "abc", ""},
      {"POST", "/containers/a/b/start", Call::container_start, "a/b", ""},
      {"POST", "/containers/start", Call::other, "", ""},
      {"POST", "/exec/abc/start", Call::exec_start, "abc", ""},
      {"POST", "/containers/abc/restart?t=1", Call::container_restart, "abc", ""},
      {"GET", "/containers/abc/restart", Call::other, "", ""},

      {"POST", "/volumes/create", Call::volume_create, "", ""},
      {"POST", "/volumes/prune", Call::other, "", ""},
      {"GET", "/volumes", Call::volume_list, "", ""},
      {"GET", "/v1.41/volumes/", Call::volume_list, "", "1.41"},
      {"GET", "/volumes/v%20w", Call::volume_inspect, "v w", ""},
      {"GET", "/volumes/a/b", Call::volume_inspect, "a/b", ""},
      {"GET", "/system/df?type=volume", Call::system_df, "", ""},
      {"POST", "/system/df", Call::other, "", ""},
      {"GET", "/system/df/x", Call::other, "", ""},

      {"POST", "/services/create", Call::service_create, "", ""},
      {"POST", "/services/abc/update?version=1", Call::service_update, "abc", ""},
      {"POST", "/services/abc", Call::other, "", ""},
      {"GET", "/services", Call::service_list, "", ""},
      {"GET", "/services/abc", Call::service_inspect, "abc", ""},
      {"GET", "/services/abc/logs", Call::other, "", ""},
      {"GET", "/tasks", Call::task_list, "", ""},
      {"GET", "/tasks/abc", Call::task_inspect, "abc", ""},
      {"GET", "/tasks/abc/logs", Call::other, "", ""},

      {"GET", "", Call::other, "", ""},
      {"GET", "/", Call::other, "", ""},
      {"GET", "//", Call::other, "", ""},
      {"GET", "/v1.41/", Call::other, "", "1.41"},
      {"GET", "/v1.41/_ping", Call::other, "", "1.41"},
      {"POST", "*", Call::other, "", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.method);
    CAPTURE(c.target);
    const auto found = engine_api::route(c.method, c.target);
    CHECK(found.call == c.call);
    CHECK(found.id == c.id);
    CHECK(found.version == c.version);
  }
}

TEST_CASE("engine_api/route: says which calls have what") {
  CHECK(engine_api::request_has_paths(Call::container_create));
  CHECK(engine_api::request_has_paths(Call::container_start_with_config));
  CHECK(engine_api::request_has_paths(Call::volume_create));
  CHECK(engine_api::request_has_paths(Call::service_create));
  CHECK(engine_api::request_has_paths(Call::service_update));
  CHECK_FALSE(engine_api::request_has_paths(Call::container_start));
  CHECK_FALSE(engine_api::request_has_paths(Call::container_list));
  CHECK(engine_api::response_has_paths(Call::container_start));
  CHECK(engine_api::response_has_paths(Call::system_df));
  CHECK_FALSE(engine_api::response_has_paths(Call::exec_start));
  CHECK_FALSE(engine_api::hijackable(Call::container_create));
  CHECK(engine_api::starts_container(Call::container_start));
  CHECK(engine_api::starts_container(Call::container_start_with_config));
  CHECK(engine_api::starts_container(Call::container_restart));
  CHECK_FALSE(engine_api::starts_container(Call::container_create));
}
