#include "link/link_listener.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace causeway::link {

LinkListener::LinkListener(io::Loop& loop, Endpoint endpoint, Handler handler, Delays delays)
    : loop_(loop),
      endpoint_(std::move(endpoint)),
      handler_(std::move(handler)),
      delays_(delays),
      delay_ms_(delays.first_ms),
      retry_(loop) {
  begin();
}

void LinkListener::begin() {
  auto fd = endpoint_.listen();
  if (!fd) return failed(fd.error());
  reason_.clear();
  since_ms_ = loop_.now_ms();
  listener_ = std::make_unique<io::Listener>(
      loop_, *std::move(fd), [this](UniqueFd peer) { accepted(std::move(peer)); },
      [this](const Error& error) { failed(error); });
  log::info("link.listening", {{"transport", endpoint_.transport}, {"address", endpoint_.address}});
}

// Called by the listener, too: it is destroyed in a turn of its own.
void LinkListener::failed(const Error& error) {
  if (listener_) {
    if (loop_.now_ms() - since_ms_ >= delays_.recovered_ms) delay_ms_ = delays_.first_ms;
    listener_.reset();
  }
  if (reason_ != error.message)
    log::warning("link.not_listening", {{"transport", endpoint_.transport},
                                        {"address", endpoint_.address},
                                        {"reason", error.message}});
  reason_ = error.message;
  retry_.start(delay_ms_, [this] {
    begin();
    if (listener_) handler_.changed();
  });
  delay_ms_ = std::min(delay_ms_ * 2, delays_.longest_ms);
  loop_.defer(lifetime_.guard([this] { handler_.changed(); }));
}

void LinkListener::accepted(UniqueFd fd) {
  if (auto admitted = endpoint_.admit(fd.get()); !admitted)
    return handler_.refused(endpoint_.transport + ": " + admitted.error().message);
  handler_.accepted(std::move(fd));
}

}  // namespace causeway::link
