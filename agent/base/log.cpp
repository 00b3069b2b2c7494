#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>

#include "base/line_limit.h"
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

LineLimit& line_limit() {
  static LineLimit instance;
  return instance;
}

std::uint64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

// By the event, and by whom it is of: the first field names the distro, the service, the transport.
// So one who floods the log hides nobody else's lines.
std::string kind_of(std::string_view event, Fields fields) {
  std::string kind(event);
  if (fields.size() > 0) kind.append(1, ' ').append(fields.begin()->value);
  return kind;
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
  // Who asks for all of it, gets it.
  LineLimit::Verdict verdict{true};
  if (!enabled(Level::debug)) verdict = line_limit().line(kind_of(event, fields), now_ms());
  if (!verdict.write) return;
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
  if (verdict.left_out > 0) line += " left_out=" + std::to_string(verdict.left_out);
  if (verdict.last) line += " further=counted";
  logger()->log(to_spdlog(level), line);
}

}  // namespace causeway::log
