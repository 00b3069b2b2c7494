#include "proxy/mapped_exchange.h"

#include <utility>

#include "proxy/changed_head.h"

namespace causeway::proxy {
namespace {

using engine_api::Call;

bool is_of_swarm(Call call) { return call == Call::service_create || call == Call::service_update; }

}  // namespace

std::unique_ptr<MappedExchange> MappedExchange::of(const Exchange& exchange,
                                                   const paths::Identity& identity,
                                                   PathService& service, const Limits& limits) {
  const Call call = exchange.route().call;
  const bool maps = identity.kind != paths::Identity::Kind::engine &&
                    (engine_api::request_has_paths(call) || engine_api::response_has_paths(call));
  if (!maps && !engine_api::starts_container(call)) return nullptr;
  return std::unique_ptr<MappedExchange>(new MappedExchange(exchange, identity, service, limits));
}

MappedExchange::MappedExchange(const Exchange& exchange, const paths::Identity& identity,
                               PathService& service, const Limits& limits)
    : exchange_(exchange),
      identity_(identity),
      service_(service),
      limits_(limits),
      maps_(identity.kind != paths::Identity::Kind::engine),
      collected_(limits.body_in_memory, limits.body_directory) {
  if (!maps_ || !engine_api::response_has_paths(exchange.route().call)) return;
  response_.emplace(
      exchange.route().call,
      [this](std::string_view path) { return service_.unmap(identity_, path); },
      [this](std::string_view text) { return service_.unmap_text(identity_, text); });
}

MappedExchange::Refusal MappedExchange::begin() {
  const Call call = exchange_.route().call;
  need_ = engine_api::starts_container(call) ? Need::paths : Need::nothing;
  if (!maps_) return {};
  if (call == Call::container_list) {
    auto found = engine_api::scan_filters(exchange_.request().target);
    if (!found.ok()) return {400, std::move(found).error().message};
    filters_ = std::move(*found);
    if (!filters_.paths.empty()) need_ = Need::paths;
  } else if (engine_api::request_has_paths(call) && !exchange_.request_complete()) {
    // Without any body there is no path in it, and dockerd says what it thinks of that.
    need_ = Need::body;
    scanner_.emplace(call);
  }
  return {};
}

MappedExchange::Refusal MappedExchange::collect(std::string_view content) {
  if (auto scanned = scanner_->feed(content); !scanned.ok()) {
    return {400, std::move(scanned).error().message};
  }
  if (auto kept = collected_.append(content); !kept.ok()) {
    return {500, "the request's body can't be kept: " + std::move(kept).error().message};
  }
  return exchange_.request_complete() ? body_complete() : Refusal{};
}

MappedExchange::Refusal MappedExchange::body_complete() {
  if (auto scanned = scanner_->finish(); !scanned.ok()) {
    return {400, std::move(scanned).error().message};
  }
  const Call call = exchange_.route().call;
  values_ = scanner_->values();
  if (!values_.empty() && is_of_swarm(call) && !limits_.swarm_paths) {
    return {400,
            "host paths in services are not mapped: swarm does not run beside live-restore, which "
            "keeps containers running while the engine is updated (the path is " +
                values_.front().source + ")"};
  }
  if (!values_.empty() || engine_api::starts_container(call)) {
    need_ = Need::paths;
    return {};
  }
  need_ = Need::nothing;
  return prepare_body({});
}

void MappedExchange::ask(std::function<void(Refusal)> done) {
  if (!engine_api::starts_container(exchange_.route().call)) return ask_map(std::move(done));
  service_.check(identity_, exchange_.route().id,
                 lifetime_.guard([this, done = std::move(done)](const PathService::Answer& answer) {
                   if (answer.status == 0 && !values_.empty()) return ask_map(done);
                   done(answered({answer.status, answer.message, {}}));
                 }));
}

void MappedExchange::ask_map(std::function<void(Refusal)> done) {
  std::vector<std::string> sources = filters_.paths;
  sources.reserve(sources.size() + values_.size());
  for (const auto& value : values_) sources.push_back(value.source);
  service_.map(identity_, exchange_.route(), std::move(sources),
               lifetime_.guard([this, done = std::move(done)](const PathService::Answer& answer) {
                 done(answered(answer));
               }));
}

MappedExchange::Refusal MappedExchange::answered(const PathService::Answer& answer) {
  need_ = Need::nothing;
  if (answer.status != 0) return {answer.status, answer.message};
  if (answer.paths.size() != filters_.paths.size() + values_.size()) {
    return {500, "the paths of the request could not be mapped: not as many answers as paths"};
  }
  if (!filters_.paths.empty()) {
    const http::Head& request = exchange_.request();
    head_ = with_target(request, engine_api::with_filters(request.target, filters_, answer.paths));
  }
  return scanner_ ? prepare_body(answer.paths) : Refusal{};
}

// What isn't mapped (a volume's name) keeps its bytes.
MappedExchange::Refusal MappedExchange::prepare_body(const std::vector<std::string>& paths) {
  std::vector<PreparedRequest::Change> changes;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto& value = values_[i];
    if (paths[i] == value.source) continue;
    if (auto can = engine_api::can_replace(value, paths[i]); !can.ok()) {
      return {400, std::move(can).error().message};
    }
    changes.push_back({value.begin, value.end, engine_api::replacement(value, paths[i])});
  }
  body_.emplace(exchange_.request(), std::move(collected_), std::move(changes));
  return {};
}

std::string_view MappedExchange::head() const {
  if (body_) return body_->head();
  return head_.empty() ? exchange_.request().raw : std::string_view(head_);
}

}  // namespace causeway::proxy
