// WindowsLink joins the link and what is reached through it.
#pragma once

#include <string>

#include "base/result.h"
#include "control/backend.h"

namespace causeway::cli {

class WindowsLink {
 public:
  // `fresh`: there is no init, so each agent is a life of its own.
  Status start(const std::string& run, bool fresh);
  control::LinkContact contact() const;

 private:
  std::string nonce_;
};

}  // namespace causeway::cli
