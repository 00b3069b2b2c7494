#include "shares/helper_connection.h"

#include <utility>
#include <variant>

#include "base/overloaded.h"

namespace causeway::shares {
namespace {

// It says hello before anything that could take time.
constexpr std::uint64_t kHelloMs = 5000;

}  // namespace

HelperConnection::HelperConnection(io::Loop& loop, UniqueFd connected, Handler& handler)
    : loop_(loop),
      handler_(handler),
      hello_timer_(loop),
      channel_(std::make_unique<handover::Channel>(
          loop, std::move(connected),
          [this](handover::Message message) { on_message(std::move(message)); },
          [this](const Error& why) { close(why); })) {
  hello_timer_.start(kHelloMs, [this] { close(make_error("no hello came")); });
}

HelperConnection::~HelperConnection() {
  auto open = std::exchange(questions_, {});
  for (auto& [ticket, question] : open) question.done(make_error("the helper went away"));
}

void HelperConnection::send(handover::Body body, UniqueFd fd) {
  channel_->send({std::move(body), std::move(fd)});
}

void HelperConnection::refuse(std::string reason, bool remove) {
  hello_timer_.stop();
  channel_->send({handover::Refused{std::move(reason), remove}, {}});
  channel_->close_when_sent();
}

void HelperConnection::close(const Error& why) {
  if (std::exchange(closed_, true)) return;
  handler_.on_closed(*this, why);
}

void HelperConnection::on_message(handover::Message message) {
  if (closed_) return;
  if (!greeted_ && !std::holds_alternative<handover::Hello>(message.body))
    return close(make_error("it said something before hello"));
  std::visit(Overloaded{
                 [&](handover::Hello& hello) {
                   if (std::exchange(greeted_, true))
                     return close(make_error("it said hello twice"));
                   hello_timer_.stop();
                   handler_.on_hello(*this, std::move(hello), std::move(message.fd));
                 },
                 [&](handover::Resolved& resolved) { on_resolved(std::move(resolved)); },
                 [&](handover::FromHelper auto&) {
                   if (!distro_.empty()) handler_.on_message(*this, std::move(message));
                 },
                 [&](handover::FromAgent auto&) {
                   close(make_error("it said '" + std::string(handover::type_name(message.body)) +
                                    "', which only an agent says"));
                 },
             },
             message.body);
}

void HelperConnection::resolve(std::vector<std::string> paths, std::uint64_t timeout_ms,
                               Resolved done) {
  const auto ticket = next_ticket_++;
  const auto expected = paths.size();
  auto messages = handover::resolve_messages(ticket, std::move(paths));
  if (!messages || expected == 0) {
    auto answer =
        messages ? Result<std::vector<handover::Resolution>>(std::vector<handover::Resolution>())
                 : Result<std::vector<handover::Resolution>>(messages.error());
    loop_.defer([answer = std::move(answer), done = std::move(done)] { done(answer); });
    return;
  }
  auto& question = questions_[ticket];
  question.expected = expected;
  question.done = std::move(done);
  question.timer = std::make_unique<io::Timer>(loop_);
  question.timer->start(timeout_ms, [this, ticket] {
    end_question(ticket, make_error("the helper did not answer in time"));
  });
  for (auto& message : *messages) channel_->send(std::move(message));
}

void HelperConnection::on_resolved(handover::Resolved resolved) {
  const auto found = questions_.find(resolved.ticket);
  if (found == questions_.end()) return;  // too late, or never asked
  auto& question = found->second;
  for (auto& result : resolved.results) question.results.push_back(std::move(result));
  if (question.results.size() < question.expected) return;
  if (question.results.size() > question.expected)
    return end_question(resolved.ticket, make_error("the helper answered more than was asked"));
  end_question(resolved.ticket, std::move(question.results));
}

void HelperConnection::end_question(std::int64_t ticket,
                                    Result<std::vector<handover::Resolution>> answer) {
  const auto found = questions_.find(ticket);
  if (found == questions_.end()) return;
  // The timer may be what calls: it lives until the callback is over.
  auto question = std::make_shared<Question>(std::move(found->second));
  questions_.erase(found);
  loop_.defer([question] { question->timer.reset(); });
  question->done(std::move(answer));
}

}  // namespace causeway::shares
