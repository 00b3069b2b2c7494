// One change of a text that stays as it is but for such changes.
#pragma once

#include <cstdint>
#include <string>

namespace causeway::engine_api {

struct Edit {
  std::uint64_t begin = 0;  // [begin, end) becomes `text`; nothing in between: `text` is inserted
  std::uint64_t end = 0;
  std::string text;
};

}  // namespace causeway::engine_api
