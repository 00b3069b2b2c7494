#include "control_api/progress.h"

#include <doctest/doctest.h>

using namespace causeway::control_api;

TEST_CASE("control_api/progress: what is written is read again") {
  const Progress sent{"download", "k3s 1.31", 5, 70};
  CHECK(to_json(sent) ==
        R"({"phase":"download","text":"k3s 1.31","done_bytes":5,"total_bytes":70})");
  auto line = progress_from_json(to_json(sent));
  REQUIRE(line.ok());
  const auto* progress = std::get_if<Progress>(&*line);
  REQUIRE(progress != nullptr);
  CHECK(progress->phase == "download");
  CHECK(progress->text == "k3s 1.31");
  CHECK(progress->done_bytes == 5);
  CHECK(progress->total_bytes == 70);
  CHECK(to_json(Progress{"unpack", "", {}, {}}) == R"({"phase":"unpack","text":""})");

  using How = ProgressEnd::How;
  for (const auto how : {How::done, How::failed, How::cancelled}) {
    line = progress_from_json(to_json(ProgressEnd{how, "why"}));
    REQUIRE(line.ok());
    const auto* end = std::get_if<ProgressEnd>(&*line);
    REQUIRE(end != nullptr);
    CHECK(end->how == how);
    CHECK(end->message == (how == How::failed ? "why" : ""));
  }
}

TEST_CASE("control_api/progress: an unknown key is passed over, nonsense is an error") {
  const auto line = progress_from_json(R"({"phase":"x","later":[1],"done_bytes":-1})");
  REQUIRE(line.ok());
  CHECK(!std::get<Progress>(*line).done_bytes);
  for (const char* bad : {"", "{}", "[]", R"({"text":"x"})", R"({"end":"perhaps"})"})
    CHECK(!progress_from_json(bad).ok());
}
