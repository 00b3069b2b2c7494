#include "control_api/status.h"

#include "json/json.h"

namespace causeway::control_api {
namespace {

// A line for each section, for both directions.
template <typename ProductStatus, typename Visit>
void visit_sections(ProductStatus& status, Visit visit) {
  visit("engine", status.engine);
  visit("agent", status.agent);
  visit("services", status.services);
  visit("sockets", status.sockets);
  visit("distros", status.distros);
  visit("wanted", status.wanted);
  visit("link", status.link);
  visit("notes", status.notes);
}

}  // namespace

std::string to_json(const ProductStatus& status) {
  std::string out;
  visit_sections(status, [&](std::string_view name, const auto& section) {
    out += out.empty() ? '{' : ',';
    json::append_quoted(out, name);
    out += ':' + to_json(section);
  });
  return out += '}';
}

Result<ProductStatus> status_from_json(std::string_view text) {
  auto json = json::Json::parse(text);
  if (!json) return std::move(json).error();
  ProductStatus out;
  Status done = Ok{};
  visit_sections(out, [&](std::string_view name, auto& section) {
    if (done) done = read((*json)[name], section);
  });
  if (!done) return std::move(done).error();
  return out;
}

}  // namespace causeway::control_api
