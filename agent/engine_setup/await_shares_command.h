// `causeway await-shares`: ends when the shares that containers need are there, or were waited for
// long enough. The agent bounds that; the limit here is for an agent that died meanwhile.
#pragma once

#include <cstdint>
#include <string>

namespace causeway::engine_setup {

// Made by the agent (daemon/shares_wait.h) when dockerd may start. Below RUN, which is new in each
// boot: it is waited for once in each.
inline constexpr const char* kSharesReady = "/shares.ready";

struct AwaitSharesOptions {
  std::string run = "/run/causeway";
  std::uint64_t timeout_s = 30;
};

int run_await_shares(const AwaitSharesOptions& options);

}  // namespace causeway::engine_setup
