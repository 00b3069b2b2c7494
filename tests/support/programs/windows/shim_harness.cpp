// The shim's core without causeway.exe around it, for tests that need its short delays, its events
// and a stop that they can time: settings are the arguments (KEY=VALUE, attach= once per argument
// of it), commands are lines on stdin, and each change of state is a line of JSON on stdout.
//
//   status | resumed | request METHOD PATH [BODY] | stop | session-end     end of stdin: stop

#include <windows.h>
#include <winternl.h>

#include <charconv>
#include <cstdio>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "shim.h"

namespace {

using causeway::shim::Shim;
using causeway::shim::ShimStatus;

std::mutex output;

void print(const nlohmann::json& line) {
  const std::lock_guard lock(output);
  std::printf("%s\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

// Of this process. Wine knows no GetProcessHandleCount, but lists all processes with theirs.
unsigned long handle_count() {
  static std::vector<char> list(1 << 20);  // kept: tests look at how memory grows
  ULONG size = 0;
  if (NtQuerySystemInformation(SystemProcessInformation, list.data(),
                               static_cast<ULONG>(list.size()), &size) != 0)
    return 0;
  for (std::size_t at = 0;;) {
    const auto* process = reinterpret_cast<const SYSTEM_PROCESS_INFORMATION*>(list.data() + at);
    if (HandleToUlong(process->UniqueProcessId) == GetCurrentProcessId())
      return process->HandleCount;
    if (process->NextEntryOffset == 0) return 0;
    at += process->NextEntryOffset;
  }
}

nlohmann::json to_json(const char* event, const ShimStatus& status) {
  nlohmann::json pipes = nlohmann::json::array();
  for (const auto& pipe : status.pipes)
    pipes.push_back({{"name", pipe.name}, {"serving", pipe.serving}, {"reason", pipe.reason}});
  return {{"event", event},
          {"state", status.state},
          {"reason", status.reason},
          {"transport", status.transport},
          {"transport_reason", status.transport_reason},
          {"agent_version", status.agent_version},
          {"vm_id", status.vm_id},
          {"pipes", pipes},
          {"attach",
           {{"pid", status.attach.pid},
            {"starts", status.attach.starts},
            {"last_end", status.attach.last_end},
            {"last_lines", status.attach.last_lines}}},
          {"clients", status.clients},
          {"clients_total", status.clients_total},
          {"refused_total", status.refused_total},
          {"links_total", status.links_total},
          {"streams", status.streams},
          {"handles", handle_count()}};
}

std::uint32_t number(const std::string& text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void request(Shim& shim, const std::string& line) {
  const auto method_end = line.find(' ');
  const auto path_end = line.find(' ', method_end + 1);
  const auto path = line.substr(method_end + 1, path_end - method_end - 1);
  const auto body = path_end == std::string::npos ? "" : line.substr(path_end + 1);
  shim.request(line.substr(0, method_end), path, body, [](auto answer) {
    if (answer)
      print({{"event", "answer"}, {"code", answer->first}, {"body", answer->second}});
    else
      print({{"event", "answer"}, {"error", answer.error().message}});
  });
}

}  // namespace

int main(int argc, char** argv) {
  causeway::shim::ShimSettings settings;
  settings.attach.clear();
  const std::map<std::string, std::string*> texts = {{"pipe", &settings.pipe},
                                                     {"private_pipe", &settings.private_pipe},
                                                     {"tcp", &settings.tcp},
                                                     {"tcp_nonce", &settings.tcp_nonce}};
  const std::map<std::string, std::uint32_t*> numbers = {
      {"start_timeout_ms", &settings.start_timeout_ms},
      {"dial_timeout_ms", &settings.dial_timeout_ms},
      {"first_delay_ms", &settings.first_delay_ms},
      {"longest_delay_ms", &settings.longest_delay_ms},
      {"client_wait_ms", &settings.client_wait_ms}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto key = argument.substr(0, argument.find('='));
    const auto value = argument.substr(key.size() + 1);
    if (key == "attach") {
      settings.attach.push_back(value);
    } else if (const auto text = texts.find(key); text != texts.end()) {
      *text->second = value;
    } else if (const auto count = numbers.find(key); count != numbers.end()) {
      *count->second = number(value);
    } else {
      std::fprintf(stderr, "unknown setting %s\n", key.c_str());
      return 2;
    }
  }

  causeway::shim::ShimCallbacks callbacks;
  callbacks.log = [](causeway::log::Level, std::string_view text) {
    print({{"event", "log"}, {"text", text}});
  };
  callbacks.on_change = [](const ShimStatus& status) { print(to_json("change", status)); };
  callbacks.on_distro_start = [](causeway::shim::link::DistroStart start) {
    print({{"event", "distro_start"}, {"distro", start.distro}});
    const bool known = start.distro == "Ubuntu";
    start.answer(known, known ? "" : "not enabled");
  };
  Shim shim(std::move(settings), std::move(callbacks));
  if (const auto started = shim.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line == "status") print(to_json("status", shim.status()));
    if (line == "resumed") shim.resumed();
    if (line.starts_with("request ")) request(shim, line.substr(8));
    if (line == "stop") break;
    if (line == "session-end") {
      shim.session_ending();
      break;
    }
  }
  shim.stop();
  print({{"event", "stopped"}});
  return 0;
}
