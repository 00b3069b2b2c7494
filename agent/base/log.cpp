#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/text.h"

namespace causeway::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// One thread writes, so the sinks without a lock serve.
std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = std::make_shared<spdlog::logger>(
      "causeway", std::make_shared<spdlog::sinks::stderr_sink_st>());
  return instance;
}

}  // namespace

Level level_named(std::string_view name) {
  if (name == "debug") return Level::debug;
  if (name == "warning") return Level::warning;
  if (name == "error") return Level::error;
  return Level::info;
}

void init(std::string_view program, Level least) {
  logger() = std::make_shared<spdlog::logger>(std::string(program),
                                              std::make_shared<spdlog::sinks::stderr_sink_st>());
  logger()->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %l %v");
  logger()->set_level(to_spdlog(least));
  logger()->flush_on(spdlog::level::debug);
}

bool enabled(Level level) { return logger()->should_log(to_spdlog(level)); }

void write(Level level, std::string_view event, Fields fields) {
  if (!enabled(level)) return;
  std::string line(event);
  for (const auto& field : fields) {
    const std::string value = text::printable(field.value);
    line += ' ';
    line += field.key;
    line += '=';
    if (value.empty() || value.find_first_of(" \"=") != std::string::npos) {
      line += '"';
      for (const char c : value) {
        if (c == '"' || c == '\\') line += '\\';
        line += c;
      }
      line += '"';
    } else {
      line += value;
    }
  }
  logger()->log(to_spdlog(level), line);
}

}  // namespace causeway::log
