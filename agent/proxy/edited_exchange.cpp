#include "proxy/edited_exchange.h"

#include <algorithm>
#include <utility>

#include "base/lifetime.h"
#include "base/text.h"
#include "engine_api/request_scanner.h"
#include "proxy/changed_head.h"
#include "proxy/collected_body.h"

namespace causeway::proxy {

// A request on its way to its new form.
struct EditedExchange::Draft {
  Draft(const Limits& limits, Quotas& quotas, Quota::Holder endpoint)
      : body(limits.body_in_memory, limits.body_directory, Charge(quotas.memory, endpoint),
             Charge(quotas.disk, endpoint)),
        of_memory(quotas.memory, endpoint) {}

  std::vector<RequestEditor*> editors;                // who is to be asked
  std::size_t next = 0;                               // of them
  bool filters = false;                               // wanted
  std::optional<engine_api::RequestScanner> scanner;  // of a body that is wanted
  CollectedBody body;
  engine_api::Findings findings;
  Charge of_memory;                // of the findings
  engine_api::RequestEdits edits;  // of those who were asked
  bool within_edit = false;        // within the call of an editor, who may answer at once
  std::optional<RequestEditor::Answer> answer;
  std::function<void(Refusal)> later;
  Lifetime lifetime;
};

EditedExchange::EditedExchange(Exchange& exchange, const paths::Identity& identity,
                               const std::vector<RequestEditor*>& editors, const Limits& limits,
                               Quotas& quotas, Quota::Holder endpoint)
    : exchange_(exchange),
      identity_(identity),
      editors_(editors),
      limits_(limits),
      quotas_(quotas),
      endpoint_(endpoint) {}

EditedExchange::~EditedExchange() = default;

void EditedExchange::begin() {
  const engine_api::Route& route = exchange_.route();
  if (route.call == engine_api::Call::other) return;
  auto draft = std::unique_ptr<Draft>();
  engine_api::FindingKinds kinds;
  std::vector<RequestEditor*> of_answer;
  for (RequestEditor* const editor : editors_) {
    const RequestEditor::Interest interest = editor->interest(identity_, route);
    if (interest.answer) of_answer.push_back(editor);
    if (!interest.request()) continue;
    if (!draft) draft = std::make_unique<Draft>(limits_, quotas_, endpoint_);
    draft->editors.push_back(editor);
    draft->filters |= interest.filters;
    kinds |= interest.body;
  }
  if (!of_answer.empty()) {
    // The way back: who is asked last about a request sees its answer first.
    std::ranges::reverse(of_answer);
    const auto through = [this, of_answer](auto change) {
      return [this, of_answer, change](std::string_view engine) {
        std::string out(engine);
        for (RequestEditor* const editor : of_answer) out = (editor->*change)(identity_, out);
        return out;
      };
    };
    response_ = std::make_unique<RewrittenResponse>(
        route.call, through(&RequestEditor::client_path), through(&RequestEditor::client_text));
  }
  if (!draft) return;
  need_ = Need::editors;
  // Without any body there is nothing in it, and dockerd says what it thinks of that.
  if (kinds.any() && !exchange_.request_complete()) {
    need_ = Need::body;
    draft->scanner.emplace(route.call, kinds);
  }
  draft_ = std::move(draft);
}

void EditedExchange::reset() {
  need_ = Need::nothing;
  draft_.reset();
  head_.clear();
  body_.reset();
  response_.reset();
}

EditedExchange::Refusal EditedExchange::announce(std::uint64_t length) const {
  return length > quotas_.disk.most() ? no_room(length) : Refusal{};
}

// For a body of at least `size` bytes.
EditedExchange::Refusal EditedExchange::no_room(std::uint64_t size) const {
  const std::uint64_t most = quotas_.disk.most();
  if (size > most) {
    return {413, "the request's body is larger than " + text::human_bytes(most) +
                     ", the most that is kept on disk until its paths are mapped"};
  }
  return {503, "there is no room for the request's body: those of other requests take " +
                   text::human_bytes(quotas_.disk.used()) + " on disk and " +
                   text::human_bytes(quotas_.memory.used()) +
                   " of memory until their paths are mapped; try again"};
}

EditedExchange::Refusal EditedExchange::collect(std::string_view content) {
  if (auto scanned = draft_->scanner->feed(content); !scanned.ok()) {
    return {400, std::move(scanned).error().message};
  }
  if (!draft_->of_memory.set(draft_->scanner->held())) return no_room(0);
  const auto kept = draft_->body.append(content);
  if (!kept.ok()) return {500, "the request's body can't be kept: " + kept.error().message};
  return *kept ? Refusal{} : no_room(draft_->body.size() + content.size());
}

std::optional<EditedExchange::Refusal> EditedExchange::ask(std::function<void(Refusal)> later) {
  Draft& draft = *draft_;
  if (draft.scanner) {
    if (auto scanned = draft.scanner->finish(); !scanned.ok()) {
      return Refusal{400, std::move(scanned).error().message};
    }
    draft.findings = draft.scanner->take();
  }
  if (draft.filters) {
    auto filters = engine_api::scan_filters(exchange_.request().target);
    if (!filters.ok()) return Refusal{400, std::move(filters).error().message};
    draft.findings.filters = std::move(*filters);
  }
  draft.later = std::move(later);
  return ask_next();
}

std::optional<EditedExchange::Refusal> EditedExchange::ask_next() {
  Draft& draft = *draft_;
  while (draft.next < draft.editors.size()) {
    RequestEditor& editor = *draft.editors[draft.next++];
    draft.within_edit = true;
    editor.edit({identity_, exchange_.route(), draft.findings},
                draft.lifetime.guard(
                    [this](RequestEditor::Answer answer) { answered(std::move(answer)); }));
    draft.within_edit = false;
    if (!draft.answer) return std::nullopt;
    auto refusal = take(*std::exchange(draft.answer, std::nullopt));
    if (refusal) return refusal;
  }
  return prepare();
}

void EditedExchange::answered(RequestEditor::Answer answer) {
  if (draft_->within_edit) {
    draft_->answer = std::move(answer);
    return;
  }
  // It may be the last that is heard of the draft.
  auto later = std::move(draft_->later);
  std::optional<Refusal> outcome = take(std::move(answer));
  if (!*outcome) outcome = ask_next();
  if (outcome) return later(std::move(*outcome));
  draft_->later = std::move(later);
}

EditedExchange::Refusal EditedExchange::take(RequestEditor::Answer answer) {
  draft_->edits.add(std::move(answer.edits));
  return {answer.status, std::move(answer.message)};
}

// All editors were asked: the request in its new form.
EditedExchange::Refusal EditedExchange::prepare() {
  const auto draft = std::move(draft_);
  need_ = Need::nothing;
  auto of_target = draft->edits.of_target();
  auto of_body = draft->edits.of_body();
  if (!of_target.ok()) return {500, std::move(of_target).error().message};
  if (!of_body.ok()) return {500, std::move(of_body).error().message};
  http::Head request = exchange_.request();
  if (!of_target->empty()) {
    head_ = with_target(request, engine_api::edited(request.target, *of_target));
    request.raw = head_;
  }
  if (draft->scanner) {
    body_ = std::make_unique<PreparedRequest>(request, std::move(draft->body), std::move(*of_body));
  }
  return {};
}

std::string_view EditedExchange::head() const {
  if (body_) return body_->head();
  return head_.empty() ? exchange_.request().raw : std::string_view(head_);
}

Status EditedExchange::pass_answer(std::string_view* in, std::string& out) {
  while (!in->empty() && !exchange_.response_complete() && !exchange_.switched()) {
    const bool had_head = exchange_.response_head_done();
    const auto piece = exchange_.from_engine(*in, Exchange::Form::content);
    if (!piece.ok()) {
      if (response_->begun()) response_->end(false);
      out.append(response_->take());
      return piece.error();
    }
    in->remove_prefix(piece->taken);
    if (had_head) {
      response_->add(piece->wire);
    } else if (exchange_.response_head_done() && !exchange_.response_complete()) {
      response_->begin(exchange_.response(), exchange_.request().version);
    } else if (!exchange_.switched()) {
      out.append(piece->wire);
    }
  }
  // A raw stream would pass paths as they are, for ever.
  if (exchange_.switched()) return make_error("a switch of protocols on a call with paths");
  if (response_->begun() && exchange_.response_complete()) response_->end(true);
  out.append(response_->take());
  return Ok{};
}

std::string EditedExchange::end_answer(bool whole) {
  if (!response_) return {};
  response_->end(whole);
  return response_->take();
}

}  // namespace causeway::proxy
