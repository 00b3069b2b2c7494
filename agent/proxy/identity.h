// The identity of a listener under the name that the proxy's own code uses.
#pragma once

#include "paths/identity.h"

namespace causeway::proxy {

using paths::Identity;

}  // namespace causeway::proxy
