// ResponseRewriter by pairs of files in cases/: answer_*.in.json is the engine's, .out.json what
// the client gets.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "engine_api/response_rewriter.h"
#include "samples.h"

using namespace causeway;
using engine_api::Call;
using engine_api::ResponseRewriter;

namespace {

struct Answer {
  Call call;
  int status;
};

// By the longest beginning of a case's name.
const std::map<std::string, Answer>& answers() {
  static const std::map<std::string, Answer> all = {
      {"answer_inspect", {Call::container_inspect, 200}},
      {"answer_list", {Call::container_list, 200}},
      {"answer_df", {Call::system_df, 200}},
      {"answer_info", {Call::system_info, 200}},
      {"answer_image", {Call::image_inspect, 200}},
      {"answer_volumes", {Call::volume_list, 200}},
      {"answer_volume", {Call::volume_create, 201}},
      {"answer_created", {Call::container_create, 201}},
      {"answer_started", {Call::container_start, 204}},
      {"answer_error", {Call::container_start, 500}},
      {"answer_services", {Call::service_list, 200}},
      {"answer_service", {Call::service_inspect, 200}},
      {"answer_tasks", {Call::task_list, 200}},
      {"answer_task", {Call::task_inspect, 200}},
  };
  return all;
}

const Answer* answer_of(const std::string& name) {
  const Answer* best = nullptr;
  std::size_t length = 0;
  for (const auto& [prefix, answer] : answers()) {
    if (!name.starts_with(prefix) || prefix.size() < length) continue;
    best = &answer;
    length = prefix.size();
  }
  return best;
}

std::string rewrite(const Answer& answer, const std::vector<std::string_view>& pieces) {
  ResponseRewriter rewriter(answer.call, answer.status, samples::unmap, samples::unmap_text);
  std::string out;
  for (const std::string_view piece : pieces) rewriter.feed(std::string(piece), out);
  rewriter.finish(out);
  return out;
}

constexpr Answer kInspect = {Call::container_inspect, 200};

}  // namespace

TEST_CASE("engine_api/response_rewriter: pairs of files, however they are cut") {
  std::size_t count = 0;
  for (const std::string& name : samples::cases()) {
    const Answer* answer = answer_of(name);
    if (answer == nullptr) continue;
    CAPTURE(name);
    ++count;
    const std::string in = samples::read(name + ".in.json");
    const std::string expected = samples::read(name + ".out.json");
    CHECK(rewrite(*answer, {in}) == expected);
    samples::for_each_cut(
        in, [&](const auto& pieces) { REQUIRE(rewrite(*answer, pieces) == expected); });
  }
  CHECK(count >= 18);
}

TEST_CASE("engine_api/response_rewriter: errors of every call are unmapped") {
  const std::string in = R"({"message":"no such file: /mnt/distro/Ubuntu/x"})";
  for (const auto& [name, answer] : answers()) {
    CAPTURE(name);
    CHECK(rewrite({answer.call, 400}, {in}) == R"({"message":"no such file: /x"})");
    CHECK(rewrite({answer.call, 200}, {in}) == in);
  }
}

TEST_CASE("engine_api/response_rewriter: a long string passes as it is, also in pieces") {
  const std::string path = "/mnt/distro/Ubuntu/";
  const auto answer = [&](std::size_t length) {
    return R"({"Mounts":[{"Source":")" + path + std::string(length - path.size(), 'x') +
           R"("},{"Source":"/mnt/distro/Ubuntu/y"}]})";
  };
  const std::string longest = answer(64 * 1024);
  const std::string too_long = answer(64 * 1024 + 1);
  const auto changed = [&](std::string text, std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) text.erase(text.rfind("/mnt/distro/Ubuntu"), 18);
    return text;
  };
  for (const std::size_t piece : {std::size_t{1000000}, std::size_t{40000}, std::size_t{1000},
                                  std::size_t{1}, std::size_t{65536}}) {
    CAPTURE(piece);
    const auto cut = [&](const std::string& text) {
      std::vector<std::string_view> out;
      for (std::size_t at = 0; at < text.size(); at += piece) {
        out.push_back(std::string_view(text).substr(at, piece));
      }
      return out;
    };
    CHECK((rewrite(kInspect, cut(longest)) == changed(longest, 2)));
    CHECK((rewrite(kInspect, cut(too_long)) == changed(too_long, 1)));
  }
}

TEST_CASE("engine_api/response_rewriter: gives out at once what can't change") {
  ResponseRewriter rewriter(Call::container_inspect, 200, samples::unmap, samples::unmap_text);
  std::string out;
  rewriter.feed(R"({"Id":"half of an i)", out);
  CHECK(out == R"({"Id":"half of an i)");
  out.clear();
  rewriter.feed(R"(d","Mounts":[{"Source":"/mnt/dis)", out);
  CHECK(out == R"(d","Mounts":[{"Source":)");
  out.clear();
  rewriter.feed("tro/Ubuntu/x", out);
  CHECK(out == "");
  rewriter.feed("\"}", out);
  CHECK(out == "\"/x\"}");
  out.clear();
  rewriter.feed(R"(,{"Source":"/mnt/distro/Ubuntu/)", out);
  rewriter.finish(out);  // broke off
  CHECK(out == R"(,{"Source":"/mnt/distro/Ubuntu/)");
}

TEST_CASE("engine_api/response_rewriter: what can't be said in JSON doesn't break it") {
  const auto rewrite_to = [](const std::string& path) {
    ResponseRewriter rewriter(
        Call::container_inspect, 200, [&](std::string_view) { return path; }, samples::unmap_text);
    std::string out;
    rewriter.feed(R"({"Mounts":[{"Source":"x"}]})", out);
    rewriter.finish(out);
    return out;
  };
  CHECK(rewrite_to(R"(C:\a"b)") == R"({"Mounts":[{"Source":"C:\\a\"b"}]})");
  CHECK(rewrite_to("\xff") == "{\"Mounts\":[{\"Source\":\"\xef\xbf\xbd\"}]}");
}
