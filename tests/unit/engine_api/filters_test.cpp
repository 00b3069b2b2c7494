#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine_api/filters.h"
#include "engine_api/request_edits.h"

using namespace causeway;

namespace {

// The target that dockerd gets: each path is mapped to /m and itself.
std::string mapped(std::string_view target) {
  const auto found = engine_api::scan_filters(target);
  if (!found.ok()) return "refused: " + found.error().message;
  std::vector<std::string> paths;
  for (const std::string& path : found->paths) {
    paths.push_back(path.starts_with("/same") ? path : "/m" + path);
  }
  const auto edit = engine_api::filters_edit(*found, paths);
  return edit ? engine_api::edited(target, {*edit}) : std::string(target);
}

}  // namespace

TEST_CASE("engine_api/filters: engine paths are added beside the client's") {
  struct Case {
    const char* in;
    const char* out;
  };
  const std::string v = "/v1.41/containers/json?";
  const std::vector<Case> cases = {
      {R"(filters={"volume":["/a"]})",
       "filters=%7B%22volume%22%3A%5B%22%2Fm%2Fa%22%2C%22%2Fa%22%5D%7D"},
      {R"(filters={"volume":{"/a":true}})",
       "filters=%7B%22volume%22%3A%7B%22%2Fm%2Fa%22%3Atrue%2C%22%2Fa%22%3Atrue%7D%7D"},
      {"all=1&filters=%7B%22volume%22%3A%7B%22%2Fa+b%22%3Atrue%7D%7D&limit=%31",
       "all=1&filters=%7B%22volume%22%3A%7B%22%2Fm%2Fa%20b%22%3Atrue%2C%22%2Fa%20b%22%3Atrue%7D%7D&"
       "limit=%31"},
      {"f%69lters=%7B%22volume%22%3A%5B%22%2Fa%22%5D%7D",
       "f%69lters=%7B%22volume%22%3A%5B%22%2Fm%2Fa%22%2C%22%2Fa%22%5D%7D"},
      {R"(filters={"v\u006flume":["\/a"]})",
       "filters=%7B%22v%5Cu006flume%22%3A%5B%22%2Fm%2Fa%22%2C%22%5C%2Fa%22%5D%7D"},
      {R"(filters={"label":["x"],"volume":["v","/a","C:\\x"]})",
       "filters=%7B%22label%22%3A%5B%22x%22%5D%2C%22volume%22%3A%5B%22%2Fm%2Fa%22%2C%22%2FmC%3A%5C%"
       "5Cx"
       "%22%2C%22v%22%2C%22%2Fa%22%2C%22C%3A%5C%5Cx%22%5D%7D"},
      {R"(filters={"volume":[null,"/a"]})",
       "filters=%7B%22volume%22%3A%5B%22%2Fm%2Fa%22%2Cnull%2C%22%2Fa%22%5D%7D"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.in);
    CHECK(mapped(v + c.in) == v + c.out);
  }
}

TEST_CASE("engine_api/filters: everything else stays as it is") {
  for (const char* target : {
           "/containers/json",
           "/containers/json?",
           "/containers/json?all=1",
           "/containers/json?all=1;b=2",
           "/containers/json?filters",
           "/containers/json?filters=",
           "/containers/json?filters={}",
           "/containers/json?Filters={\"volume\":[\"/a\"]}",
           "/containers/json?filters={\"volume\":[\"v\"]}",
           "/containers/json?filters={\"volume\":[\"/same\"]}",
           "/containers/json?filters={\"volume\":[]}",
           "/containers/json?filters={\"volume\":null}",
           "/containers/json?filters={\"Volume\":[\"/a\"]}",
           "/containers/json?filters={\"name\":[\"/a\"]}",
           "/containers/json?filters={\"volume\":\"/a\"}",
           "/containers/json?filters={\"volume\":[1,\"/a\"]}",
           "/containers/json?filters={\"volume\":[\"/a\"]",
           "/containers/json?filters={\"volume\":[\"/a\"]}}",
           "/containers/json?filters={\"volume\":{\"/a\":\"x\"}}",
           "/containers/json?filters=%zz{\"volume\":[\"/a\"]}",
           "/containers/json?filters={\"volume\":[\"/a\"]}%",
           "/containers/json?filters=\"volume\"",
       }) {
    CAPTURE(target);
    CHECK(mapped(target) == target);
  }
}

TEST_CASE("engine_api/filters: what could be read in two ways is refused") {
  for (const char* query : {
           "filters={\"volume\":[\"/a\"]}&filters={}",
           "filters={}&filters={}",
           "filters={}&%66ilters={}",
           "filters={};filters={}",
           "a=1;filters={\"volume\":[\"/a\"]}",
           "filters={\"volume\":[\"/a\"]};a=1",
           "filters={\"volume\":[\"/a\"],\"volume\":[\"/b\"]}",
           "filters={\"volume\":[\"/a\"],\"v\\u006flume\":null}",
       }) {
    CAPTURE(query);
    CHECK(mapped("/containers/json?" + std::string(query)).starts_with("refused: "));
  }
}
