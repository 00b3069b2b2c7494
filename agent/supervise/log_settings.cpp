#include "supervise/log_settings.h"

namespace causeway::supervise {

void read_log_limits(json::ObjectReader& file, LogLimits& out) {
  file.object("log", [&](json::ObjectReader& log) {
    auto max_bytes = static_cast<std::int64_t>(out.max_bytes);
    auto files = static_cast<std::int64_t>(out.files);
    log.read("max_bytes", max_bytes, std::int64_t{64} * 1024, 1LL << 40);
    log.read("files", files, 1, 100);
    out.max_bytes = static_cast<std::uint64_t>(max_bytes);
    out.files = static_cast<unsigned>(files);
  });
}

}  // namespace causeway::supervise
