// The paths and methods of the control API as a table, and requests matched against it. Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "control/backend.h"

namespace causeway::control {

enum class Call {
  status,
  version,
  logs,
  events,
  act,
  distros,
  enable_distro,
  disable_distro,
  link,
  clock
};

struct Parameter {
  std::string_view name;
  std::uint64_t least;  // numbers; both 0 for free text
  std::uint64_t most;
};

struct Route {
  std::string_view method;
  std::string_view path;  // as in openapi.json; {name} stands for one segment
  Call call;
  control_api::Action action;             // of Call::act
  std::span<const Parameter> parameters;  // of the query
};

std::span<const Route> routes();

// A request that fits, or the answer that refuses it.
struct Match {
  const Route* route = nullptr;
  std::string name;  // what {name} stands for, decoded
  std::map<std::string, std::string, std::less<>> query;
  std::uint64_t number(std::string_view parameter, std::uint64_t otherwise) const;

  int refusal = 0;      // 400, 404 or 405 when there is no route
  std::string message;  // of the refusal
  std::string allow;    // of a 405: the methods that this path takes
};
Match match(std::string_view method, std::string_view target);

}  // namespace causeway::control
