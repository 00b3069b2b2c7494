#include "control/long_call.h"

#include <cerrno>
#include <utility>

namespace causeway::control {
namespace {

constexpr std::string_view kCancelOnClose = "cancel_on_close";

int status_of(const Error& error) {
  switch (error.code) {
    case EINVAL:
      return 400;
    case ENOENT:
      return 404;
    default:
      return 409;
  }
}

bool same(const Request& a, const Request& b) {
  return a.name == b.name && a.query == b.query && a.body == b.body;
}

}  // namespace

struct LongCall::State : std::enable_shared_from_this<LongCall::State> {
  explicit State(Begin begin_work) : begin(std::move(begin_work)) {}

  Answer post(Request request);
  Answer cancel_by_request();
  void cancel();
  void gone(std::uint64_t run, const Lines* follower, bool cancels);
  void progress(const control_api::Progress& progress);
  void end(const control_api::ProgressEnd& how);
  template <typename Tell>
  void tell(Tell tell);

  const Begin begin;
  std::uint64_t number = 0;  // of the newest run
  bool running = false;
  bool cancelling = false;
  Request what;                      // it was asked to do
  std::function<void()> cancel_run;  // while it runs
  std::string newest;                // line of progress
  std::vector<std::weak_ptr<Lines>> followers;
};

Answer LongCall::State::post(Request request) {
  const bool cancels = request.number(kCancelOnClose, 0) == 1;
  request.query.erase(std::string(kCancelOnClose));
  if (running && cancelling) return refusal(409, "the one that runs is being cancelled");
  if (running && !same(request, what)) return refusal(409, "another one runs");
  auto lines = std::make_shared<Lines>();
  if (!newest.empty()) lines->set_newest(newest);
  followers.push_back(lines);
  if (!running) {
    running = true;
    what = request;
    auto begun = begin(request, Run(weak_from_this(), ++number));
    if (!begun) {
      running = false;
      followers.clear();
      return refusal(status_of(begun.error()), begun.error().message);
    }
    if (running) cancel_run = *std::move(begun);
  }
  lines->on_gone([state = weak_from_this(), run = number, follower = lines.get(), cancels] {
    if (const auto self = state.lock()) self->gone(run, follower, cancels);
  });
  return lines;
}

Answer LongCall::State::cancel_by_request() {
  if (!running) return refusal(404, "none runs");
  cancel();
  return Reply{204, {}};
}

void LongCall::State::cancel() {
  if (std::exchange(cancelling, true)) return;
  const auto call = std::exchange(cancel_run, nullptr);
  if (call) call();
}

void LongCall::State::gone(std::uint64_t run, const Lines* follower, bool cancels) {
  if (!running || run != number) return;
  std::erase_if(followers, [&](const auto& entry) {
    const auto there = entry.lock();
    return there == nullptr || there.get() == follower;
  });
  if (cancels && followers.empty()) cancel();
}

template <typename Tell>
void LongCall::State::tell(Tell tell) {
  for (const auto& follower : std::vector(followers))
    if (const auto lines = follower.lock()) tell(*lines);
}

void LongCall::State::progress(const control_api::Progress& progress) {
  newest = to_json(progress);
  tell([this](Lines& lines) { lines.set_newest(newest); });
}

void LongCall::State::end(const control_api::ProgressEnd& how) {
  running = false;
  cancelling = false;
  cancel_run = nullptr;
  newest.clear();
  tell([line = to_json(how)](Lines& lines) {
    lines.add(line);
    lines.end();
  });
  followers.clear();
}

void LongCall::Run::progress(const control_api::Progress& progress) const {
  if (const auto state = state_.lock(); state && state->running && state->number == number_)
    state->progress(progress);
}

void LongCall::Run::done() const { end({}); }
void LongCall::Run::failed(std::string_view reason) const {
  end({control_api::ProgressEnd::How::failed, std::string(reason)});
}
void LongCall::Run::cancelled() const { end({control_api::ProgressEnd::How::cancelled, {}}); }

void LongCall::Run::end(const control_api::ProgressEnd& how) const {
  if (const auto state = state_.lock(); state && state->running && state->number == number_)
    state->end(how);
}

void LongCall::add(Calls& calls, std::string_view path, std::vector<Parameter> parameters,
                   Begin begin) {
  const auto state = std::make_shared<State>(std::move(begin));
  parameters.push_back({kCancelOnClose, 0, 1});
  Route post{"POST", path, std::move(parameters)};
  post.lines = true;
  calls.add(std::move(post), [state](const Request& request) { return state->post(request); });
  calls.add({"DELETE", path}, [state](const Request&) { return state->cancel_by_request(); });
}

}  // namespace causeway::control
