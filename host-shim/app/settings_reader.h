// settings.json of the Windows program, read strictly: what isn't understood is an error that names
// the place, never a guess.
//
//   { "pipe": "\\\\.\\pipe\\docker_engine",    the public pipe
//     "distro": "docker-desktop",              the engine's distro
//     "attach": ["wsl.exe", …],                instead of `distro`: what keeps it running, and
//                                              tells how to reach the agent
//     "hvsocket": true,                        false: over attach's input and output only
//     "tcp": "127.0.0.1:2222",                 development: a link server on this machine
//     "tcp_nonce": "…",
//     "start_timeout_s": 180,
//     "client_wait_s": 30,
//     "log_level": "info" }
#pragma once

#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "shim_settings.h"

namespace causeway::shim::app {

struct Settings {
  ShimSettings shim;
  log::Level log_level = log::Level::info;
};

// An empty file has no settings, and enables nothing.
bool is_empty(std::string_view text);
// Errors: "/pipe: expected a string, found a number"; "line 3, column 7: …" for what is no JSON.
Result<Settings> parse_settings(std::string_view text);

// Which distros the user has enabled: {"enabled": ["Ubuntu"]}.
Result<std::vector<std::string>> parse_enabled(std::string_view text);
std::string enabled_json(const std::vector<std::string>& names);

}  // namespace causeway::shim::app
