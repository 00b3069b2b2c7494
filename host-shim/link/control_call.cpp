#include "link/control_call.h"

#include <algorithm>
#include <charconv>

namespace causeway::shim::link {
namespace {

constexpr std::size_t kAnswerLimit = std::size_t{1024} * 1024;
constexpr std::uint64_t kTimeoutMs = 30'000;

// The value of a header field of the head, without blanks; nothing: it isn't there.
std::optional<std::string_view> field(std::string_view head, std::string_view name) {
  for (auto at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at)) {
    at += 2;
    const auto line = head.substr(at, head.find("\r\n", at) - at);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    const bool same = std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
      return a == (b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b);
    });
    if (!same) continue;
    auto value = line.substr(name.size() + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    return value;
  }
  return std::nullopt;
}

template <typename Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

class ControlCall : public LinkChannel::Handler, public std::enable_shared_from_this<ControlCall> {
 public:
  ControlCall(CompletionPort& port, std::unique_ptr<LinkChannel> stream, ControlAnswer answer)
      : answer_(std::move(answer)), deadline_(port), stream_(std::move(stream)) {}

  void begin(const std::string& request) {
    self_ = shared_from_this();
    stream_->set_handler(this);
    stream_->write(request);
    deadline_.start(kTimeoutMs, [this] { finish(make_error("the agent doesn't answer")); });
  }

 private:
  void on_data(std::string_view bytes) override {
    stream_->consumed(bytes.size());
    have_ += bytes;
    look(false);
  }
  void on_eof() override { look(true); }
  void on_drained() override {}
  void on_closed() override { look(true); }
  void on_aborted(const std::string& reason) override { finish(make_error(reason)); }

  void look(bool ended) {
    auto answer = parse_control_answer(have_, ended);
    if (!answer) return finish(std::move(answer).error());
    if (*answer) return finish(**std::move(answer));
    if (have_.size() > kAnswerLimit) finish(make_error("the agent's answer is too long"));
  }

  void finish(Result<std::pair<int, std::string>> result) {
    const auto keep = std::move(self_);
    if (!keep) return;
    deadline_.stop();
    stream_->set_handler(nullptr);
    stream_->close();
    if (answer_) answer_(std::move(result));
  }

  ControlAnswer answer_;
  std::string have_;
  std::shared_ptr<ControlCall> self_;  // until it is answered
  Timer deadline_;
  std::unique_ptr<LinkChannel> stream_;
};

}  // namespace

Result<std::optional<std::pair<int, std::string>>> parse_control_answer(std::string_view bytes,
                                                                        bool ended) {
  constexpr std::string_view kVersion = "HTTP/1.";
  using Answer = std::optional<std::pair<int, std::string>>;
  const auto cut_off = make_error("the agent's answer was cut off");
  const auto split = bytes.find("\r\n\r\n");
  if (split == std::string_view::npos) {
    if (ended) return cut_off;
    return Answer();
  }
  const auto head = bytes.substr(0, split);
  const auto body = bytes.substr(split + 4);
  const auto code = head.size() >= 12 ? whole_number<int>(head.substr(9, 3)) : std::nullopt;
  if (!head.starts_with(kVersion) || !code) return make_error("the agent's answer is not HTTP/1");
  const auto length_text = field(head, "content-length");
  const auto length = length_text ? whole_number<std::size_t>(*length_text) : std::size_t{0};
  if (!length || field(head, "transfer-encoding"))
    return make_error("the agent's answer has no length");
  if (body.size() < *length) {
    if (ended) return cut_off;
    return Answer();
  }
  return Answer(std::pair(*code, std::string(body.substr(0, *length))));
}

void call_control(CompletionPort& port, std::unique_ptr<LinkChannel> stream,
                  const std::string& method, const std::string& path, const std::string& body,
                  ControlAnswer answer) {
  std::string request =
      method + " " + path + " HTTP/1.1\r\nHost: causeway\r\nConnection: close\r\n";
  if (!body.empty())
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  request += "\r\n" + body;
  std::make_shared<ControlCall>(port, std::move(stream), std::move(answer))->begin(request);
}

}  // namespace causeway::shim::link
