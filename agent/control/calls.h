// The calls of the control API: each part of the agent adds its own, the sessions look them up.
// What a call means is its handler's; its documentation is in control_api/NAME.openapi.json.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/answer.h"

namespace causeway::control {

// Of the query.
struct Parameter {
  std::string_view name;
  std::uint64_t least = 0;  // numbers; both 0 for free text
  std::uint64_t most = 0;
};

struct Route {
  std::string_view method;
  std::string_view path;  // as in the OpenAPI document; {name} stands for one segment
  std::vector<Parameter> parameters = {};
  bool lines = false;  // a success is answered with Lines
};

struct Call {
  Route route;
  Handler handler;
};

// A request that fits, or the answer that refuses it.
struct Match {
  const Call* call = nullptr;
  Request request;  // without its body

  Reply refusal;      // 400, 404 or 405 when there is no call
  std::string allow;  // of a 405: the methods that this path takes
};

class Calls {
 public:
  // The route's texts outlive this. All calls are added before the first is looked up.
  void add(Route route, Handler handler) {
    calls_.push_back({std::move(route), std::move(handler)});
  }

  Match match(std::string_view method, std::string_view target) const;
  std::span<const Call> all() const { return calls_; }

 private:
  std::vector<Call> calls_;
};

}  // namespace causeway::control
