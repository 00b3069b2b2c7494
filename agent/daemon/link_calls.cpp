#include "daemon/link_calls.h"

#include <utility>

namespace causeway::daemon {

LinkSource link_source(const WindowsLink& link) {
  return {[&link] { return link.status(); }, [&link] { return link.contact(); }};
}

void add_link_calls(control::Api& api, LinkSource source) {
  api.sections.add("link", [status = std::move(source.status)] { return to_json(status()); });
  api.calls.add({"GET", "/v1/link"},
                [contact = std::move(source.contact)](const control::Request&) {
                  return control::Reply{200, to_json(contact())};
                });
}

}  // namespace causeway::daemon
