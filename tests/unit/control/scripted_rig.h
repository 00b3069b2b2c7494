// A rig with one call of each form of answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rig.h"

namespace causeway::control {

struct ScriptedRig : Rig {
  explicit ScriptedRig(Limits limits = {}, uid_t allowed = ::geteuid()) : Rig(limits, allowed) {
    api.sections.add("text", [this] { return '"' + text + '"'; });
    api.calls.add({"GET", "/v1/hello"}, [](const Request&) {
      return Reply{200, R"({"hello":1})"};
    });
    api.calls.add({"POST", "/v1/things/{name}/do", {{"wait", 0, 1}, {"limit_s", 0, 3600}}},
                  [this](const Request& request) -> Answer {
                    done.push_back(request.name + request.body);
                    if (request.number("wait", 0) == 0) return Reply{204, {}};
                    return api.sections.wait([this] { return result; },
                                             request.number("limit_s", 3600) * 1000,
                                             refusal(504, "too late"));
                  });
    Route lines{"GET", "/v1/lines", {{"name"}, {"tail", 0, 100'000}, {"follow", 0, 1}}};
    lines.lines = true;
    api.calls.add(std::move(lines), [this](const Request& request) -> Answer {
      auto out = std::make_shared<Lines>();
      out->on_gone([this] { ++gone; });
      for (std::uint64_t i = 0; i < request.number("tail", 0); ++i) out->add("{}");
      if (request.number("follow", 0) == 0) out->end();
      followed = out;
      return out;
    });
  }

  std::string text;
  std::vector<std::string> done;
  std::optional<Reply> result;  // of those who wait
  std::weak_ptr<Lines> followed;
  int gone = 0;
};

}  // namespace causeway::control
