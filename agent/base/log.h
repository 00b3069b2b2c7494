// One event per line: "info  service.ready service=dockerd after_ms=412". spdlog stands behind it
// and appears in no header. Values are quoted when they hold blanks; control characters are
// escaped, so no value can forge a line. Of one event and subject (its first field) not everything
// is written when it comes in thousands, unless the level is debug: a peer that can cause a line
// can't fill the log. `further=counted` stands in the last line that is written at once,
// `left_out=N` in the next one after it.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace causeway::log {

enum class Level { debug, info, warning, error };

// As a command line names it; what is no level means info.
Level level_named(std::string_view name);

// One key=value of a line.
struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Field(std::string_view k, T v)
      : key(k), value(std::to_string(v)) {}
};
using Fields = std::initializer_list<Field>;

// Lines go to standard error. `program` is printed in each. Call once, before the first line.
void init(std::string_view program, Level least);
bool enabled(Level level);
void write(Level level, std::string_view event, Fields fields);

inline void debug(std::string_view event, Fields fields = {}) {
  if (enabled(Level::debug)) write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) { write(Level::info, event, fields); }
inline void warning(std::string_view event, Fields fields = {}) {
  write(Level::warning, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
  write(Level::error, event, fields);
}

}  // namespace causeway::log
