// What the core of causeway.exe is told when it is made. The rest of settings.json is app/'s.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace causeway::shim {

struct ShimSettings {
  std::string pipe = R"(\\.\pipe\docker_engine)";
  std::string private_pipe = R"(\\.\pipe\causeway_engine)";
  // argv of what holds the distro and tells how to reach the agent. Empty: nothing is started, and
  // `tcp` with `tcp_nonce` is the only way (development).
  std::vector<std::string> attach = {"wsl.exe", "-d",     "docker-desktop",    "-u",
                                     "root",    "--exec", "/usr/bin/causeway", "attach"};
  bool allow_elevated = false;  // else wsl.exe isn't started by a process that is
  bool hvsocket = true;         // false: the stdin and stdout of attach only
  std::string tcp;              // "127.0.0.1:PORT": dialed instead of hvsocket; development
  std::string tcp_nonce;        // 32 hex digits; only used without attach
  std::uint32_t start_timeout_ms = 180'000;  // of attach, until its line: the VM may have to boot
  std::uint32_t dial_timeout_ms = 5'000;     // of the direct transport, until it is connected
  std::uint32_t first_delay_ms = 500;        // before a new try; doubles
  std::uint32_t longest_delay_ms = 30'000;
  std::uint32_t client_wait_ms = 30'000;  // of a client while the link is being made
};

}  // namespace causeway::shim
