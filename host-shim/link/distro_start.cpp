#include "link/distro_start.h"

#include <utility>

#include "link/link_client.h"
#include "windows/completion_port.h"
#include "wire/distro_start.h"

namespace causeway::shim::link {
namespace {

class Conversation : public LinkChannel::Handler,
                     public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(CompletionPort& port, std::unique_ptr<LinkChannel> stream,
               std::function<void(DistroStart)> decide)
      : port_(port), decide_(std::move(decide)), stream_(std::move(stream)) {}

  void begin() {
    self_ = shared_from_this();
    stream_->set_handler(this);
  }

 private:
  void on_data(std::string_view bytes) override {
    stream_->consumed(bytes.size());
    if (asked_) return;
    line_ += bytes;
    const auto end = line_.find('\n');
    if (end != std::string::npos) return ask(line_.substr(0, end));
    if (line_.size() > wire::kDistroStartLimit) answer(false, "the line is too long");
  }
  void on_eof() override {
    if (!asked_) answer(false, "the line has no end");
  }
  void on_drained() override {}
  void on_closed() override { self_.reset(); }
  void on_aborted(const std::string&) override { self_.reset(); }

  void ask(const std::string& line) {
    asked_ = true;
    auto distro = wire::parse_distro_start_request(line);
    if (!distro) return answer(false, distro.error().message);
    if (!decide_) return answer(false, "this causeway.exe starts no distros");
    DistroStart start;
    start.distro = *std::move(distro);
    start.answer = [&port = port_, weak = weak_from_this()](bool started, std::string reason) {
      port.post([weak, started, reason = std::move(reason)] {
        if (const auto self = weak.lock()) self->answer(started, reason);
      });
    };
    decide_(std::move(start));
  }

  void answer(bool started, std::string reason) {
    const auto keep = std::move(self_);
    if (!keep) return;
    asked_ = true;
    stream_->set_handler(nullptr);
    stream_->write(wire::distro_start_answer({started, std::move(reason)}));
    stream_->close();
  }

  CompletionPort& port_;
  const std::function<void(DistroStart)> decide_;
  std::string line_;
  bool asked_ = false;
  std::shared_ptr<Conversation> self_;  // until it is answered or the stream is gone
  std::unique_ptr<LinkChannel> stream_;
};

}  // namespace

void serve_distro_start(CompletionPort& port, std::unique_ptr<LinkChannel> stream,
                        const std::function<void(DistroStart)>& decide) {
  std::make_shared<Conversation>(port, std::move(stream), decide)->begin();
}

}  // namespace causeway::shim::link
