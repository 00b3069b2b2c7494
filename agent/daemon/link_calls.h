// The link to Windows in the control API: the section `link`, and what Windows must know before it
// connects.
#pragma once

#include <functional>

#include "control/api.h"
#include "control_api/link.h"
#include "daemon/windows_link.h"

namespace causeway::daemon {

struct LinkSource {
  std::function<control_api::LinkStatus()> status;
  std::function<control_api::LinkContact()> contact;
};
LinkSource link_source(const WindowsLink& link);

void add_link_calls(control::Api& api, LinkSource source);

}  // namespace causeway::daemon
