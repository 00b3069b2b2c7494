// Who asks: a property of the listening socket that a client came in by, never of what it says.
#pragma once

#include <string>

namespace causeway::paths {

struct Identity {
  enum class Kind {
    engine,   // the engine's own distro: paths mean what they say
    distro,   // an integrated distro, `name` says which
    windows,  // through the shim
  };
  Kind kind = Kind::engine;
  std::string name = "engine";
};

}  // namespace causeway::paths
