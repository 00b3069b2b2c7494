// MappedExchange is what an exchange whose call carries paths has beside Exchange: its request is
// read to the end and scanned, the PathService is asked, and the engine gets the request in its new
// form; the answer's paths are turned back. Sans I/O, but for the file of a long body.
//
//   begin() ─┬─▶ body ── collect() … ─┬──▶ paths ── ask() ─┬─▶ nothing
//            ├── a start; a filter ───┘                    │
//            └── paths in the answer only; none in the body┘
//
// need() says where it stands. A Refusal ends it: the engine never sees such a request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "engine_api/filters.h"
#include "engine_api/request_scanner.h"
#include "paths/identity.h"
#include "proxy/collected_body.h"
#include "proxy/exchange.h"
#include "proxy/path_service.h"
#include "proxy/prepared_request.h"
#include "proxy/rewritten_response.h"
#include "proxy/session_limits.h"

namespace causeway::proxy {

class MappedExchange {
 public:
  // Nothing when this exchange is to pass as it is. All of the arguments must outlive it.
  static std::unique_ptr<MappedExchange> of(const Exchange& exchange,
                                            const paths::Identity& identity, PathService& service,
                                            const Limits& limits);

  // The answer that the client gets from us.
  struct Refusal {
    int status = 0;  // 0: none
    std::string message;
    explicit operator bool() const { return status != 0; }
  };
  // What the request still needs before the engine may have it.
  enum class Need {
    begin,
    body,   // to be collected
    paths,  // the service is to be asked
    nothing,
  };
  Need need() const { return need_; }

  Refusal begin();
  // The next piece of the body's content. When the request is complete, need() has changed.
  Refusal collect(std::string_view content);
  // `done` is called when the service has answered, unless this is destroyed before.
  void ask(std::function<void(Refusal)> done);

  // The head for the engine.
  std::string_view head() const;
  // The body for the engine, when it was collected; nothing: it passes as it comes.
  PreparedRequest* body() { return body_ ? &*body_ : nullptr; }
  // None for an identity whose paths are the engine's.
  RewrittenResponse* response() { return response_ ? &*response_ : nullptr; }

 private:
  MappedExchange(const Exchange& exchange, const paths::Identity& identity, PathService& service,
                 const Limits& limits);
  Refusal body_complete();
  void ask_map(std::function<void(Refusal)> done);
  Refusal answered(const PathService::Answer& answer);
  Refusal prepare_body(const std::vector<std::string>& paths);

  const Exchange& exchange_;
  const paths::Identity& identity_;
  PathService& service_;
  const Limits& limits_;
  const bool maps_;
  Need need_ = Need::begin;
  std::optional<engine_api::RequestScanner> scanner_;
  CollectedBody collected_;
  std::vector<engine_api::PathValue> values_;  // of the body
  engine_api::FilterPaths filters_;            // of the target
  std::string head_;                           // with another target
  std::optional<PreparedRequest> body_;
  std::optional<RewrittenResponse> response_;
  Lifetime lifetime_;
};

}  // namespace causeway::proxy
