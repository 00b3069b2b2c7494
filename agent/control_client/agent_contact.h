// How the commands reach the agent, and what they tell a person when that fails: what, why, and
// what to do.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "control_client/control_client.h"
#include "io/loop.h"

namespace causeway::control_client {

struct Failure {
  int exit_code = 0;
  std::string text;  // for standard error, with newlines
};

std::string control_socket(const std::string& run);

// Why the agent behind `socket` can't be asked.
Failure explain(const Error& error, const std::string& socket);
// An answer that isn't a success.
Failure explain(const ControlClient::Reply& reply);
// Prints it; returns its exit code.
int report(const Failure& failure);

// Connects; when nobody listens yet, waits for the socket until `deadline_ms` (as steady_ms()
// counts), which gives ETIMEDOUT.
Result<ControlClient> connect_when_there(const std::string& socket, std::uint64_t deadline_ms);

// The same on a loop of the caller's, who watches there what else matters: stopping the loop makes
// this look again. `given_up` is asked after each look that found nobody; its error ends the wait.
Result<ControlClient> connect_when_there(io::Loop& loop, const std::string& socket,
                                         std::uint64_t deadline_ms,
                                         const std::function<Status()>& given_up);

}  // namespace causeway::control_client
