// EditedExchange is what an exchange has beside Exchange for those who may change its request: the
// body is read to its end and scanned, the editors are asked one after the other, and the engine
// gets the request in its new form; the answer's paths are turned back. When nobody is interested
// everything is as the client and the engine sent it. Sans I/O, but for the file of a long body.
//
//   nothing ── begin() ─┬─▶ body ── collect() … ──▶ editors ── ask() ──▶ nothing
//                       ├── without a body ─────────┘                    │
//                       └── nobody wants the request ────────────────────┘
//
// need() says where it stands. A Refusal ends it: the engine never sees such a request.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "paths/identity.h"
#include "proxy/exchange.h"
#include "proxy/prepared_request.h"
#include "proxy/request_editor.h"
#include "proxy/rewritten_response.h"
#include "proxy/session_limits.h"

namespace causeway::proxy {

class EditedExchange {
 public:
  // The answer that the client gets from us.
  struct Refusal {
    int status = 0;  // 0: none
    std::string message;
    explicit operator bool() const { return status != 0; }
  };
  // What the request still needs before the engine may have it.
  enum class Need { nothing, body, editors };

  // All of these outlive it.
  // `endpoint` holds what is collected.
  EditedExchange(Exchange& exchange, const paths::Identity& identity,
                 const std::vector<RequestEditor*>& editors, const Limits& limits, Quotas& quotas,
                 Quota::Holder endpoint);
  ~EditedExchange();

  // The request's head is there.
  void begin();
  // The exchange is over: nothing is wanted any more, and an editor that still thinks isn't heard.
  void reset();

  Need need() const { return need_; }
  // Whether a body of that length can be collected at all.
  Refusal announce(std::uint64_t length) const;
  // The next piece of the body's content.
  Refusal collect(std::string_view content);
  // After the whole body. The outcome when the editors answer at once; else `later` is called with
  // it, unless reset() comes before. Without a refusal nothing is needed any more.
  std::optional<Refusal> ask(std::function<void(Refusal)> later);

  // For the engine: the head, and the body if it was collected.
  std::string_view head() const;
  bool collected() const { return body_ != nullptr; }
  bool body_sent() const { return !body_ || body_->sent(); }
  Result<std::string_view> next_piece() { return body_->next(); }

  // Whether the answer goes through pass_answer().
  bool changes_answer() const { return response_ != nullptr; }
  // Takes what belongs to the answer from `in`, and appends to `out` what the client gets.
  Status pass_answer(std::string_view* in, std::string& out);
  // The engine has closed within the answer; `whole`: that was its end. For the client:
  std::string end_answer(bool whole);
  // The client's connection must be closed behind the answer.
  bool closes() const { return response_ && response_->closes(); }

 private:
  struct Draft;
  std::optional<Refusal> ask_next();
  void answered(RequestEditor::Answer answer);
  Refusal take(RequestEditor::Answer answer);
  Refusal prepare();
  Refusal no_room(std::uint64_t size) const;

  Exchange& exchange_;
  const paths::Identity& identity_;
  const std::vector<RequestEditor*>& editors_;
  const Limits& limits_;
  Quotas& quotas_;
  const Quota::Holder endpoint_;
  Need need_ = Need::nothing;
  std::unique_ptr<Draft> draft_;  // while something is needed
  std::string head_;              // with another target
  std::unique_ptr<PreparedRequest> body_;
  std::unique_ptr<RewrittenResponse> response_;
};

}  // namespace causeway::proxy
