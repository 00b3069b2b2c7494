#include "link/distro_starts.h"

#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "wire/distro_start.h"

namespace causeway::link {
class DistroStarts::Question final : private io::ByteStream::Handler {
 public:
  Question(DistroStarts& owner, std::string distro, std::unique_ptr<io::ByteStream> stream)
      : owner_(owner), distro_(std::move(distro)), limit_(owner.loop_), stream_(std::move(stream)) {
    stream_->set_handler(this);
    stream_->write(wire::distro_start_request(distro_));
    limit_.start(owner_.answer_ms_, [this] { done("Windows gave no answer"); });
    stream_->resume(io::ByteStream::not_started);
  }

 private:
  void on_data(std::string_view bytes) override {
    if (over_) return;
    answer_ += bytes;
    if (const auto end = answer_.find('\n'); end != std::string::npos)
      return answered(std::string_view(answer_).substr(0, end));
    if (answer_.size() > wire::kDistroStartLimit) done("Windows gave an answer without an end");
  }
  void on_eof() override { done("Windows gave no answer"); }
  void on_drained() override {}
  // Windows is gone: it is asked again when it is back.
  void on_read_error(const Error&) override { done({}); }
  void on_write_error(const Error&) override { done({}); }

  void answered(std::string_view line) {
    const auto answer = wire::parse_distro_start_answer(line);
    if (!answer) return done("Windows gave an answer that makes no sense");
    if (answer->started) return done({});
    done(answer->reason.empty() ? "Windows gives no reason" : text::printable(answer->reason));
  }

  // An empty reason: there is nothing to tell.
  void done(const std::string& reason) {
    if (std::exchange(over_, true)) return;
    limit_.stop();
    stream_->shutdown_write();
    owner_.ended(distro_, reason);
  }

  DistroStarts& owner_;
  const std::string distro_;
  std::string answer_;
  bool over_ = false;
  io::Timer limit_;
  std::unique_ptr<io::ByteStream> stream_;  // last: stops first
};

DistroStarts::DistroStarts(io::Loop& loop, std::function<std::unique_ptr<io::ByteStream>()> open,
                           std::function<void(const std::string&, const std::string&)> refused,
                           std::uint64_t answer_ms)
    : loop_(loop), open_(std::move(open)), refused_(std::move(refused)), answer_ms_(answer_ms) {}

DistroStarts::~DistroStarts() = default;

void DistroStarts::ask(const std::string& distro) {
  if (questions_.contains(distro)) return;
  auto stream = open_();
  if (!stream) return;
  log::info("link.distro_start", {{"distro", distro}});
  questions_.emplace(distro, std::make_unique<Question>(*this, distro, std::move(stream)));
}

// By a question's own call: it is destroyed in a turn of its own.
void DistroStarts::ended(const std::string& distro, const std::string& reason) {
  loop_.defer(lifetime_.guard([this, distro, reason] {
    questions_.erase(distro);
    if (reason.empty()) return;
    log::warning("link.distro_not_started", {{"distro", distro}, {"reason", reason}});
    refused_(distro, reason);
  }));
}

}  // namespace causeway::link
