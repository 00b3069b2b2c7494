#include "control/answer.h"

#include <utility>

#include "base/text.h"
#include "control/session.h"
#include "control_api/errors.h"

namespace causeway::control {

std::string Request::text(std::string_view parameter) const {
  const auto found = query.find(parameter);
  return found == query.end() ? "" : found->second;
}

std::uint64_t Request::number(std::string_view parameter, std::uint64_t otherwise) const {
  const auto found = query.find(parameter);
  return found == query.end() ? otherwise : text::to_u64(found->second).value_or(otherwise);
}

Reply refusal(int status, std::string_view message) {
  return {status, control_api::error_json(message)};
}

void Later::reply(Reply reply) {
  if (reply_) return;
  reply_ = std::move(reply);
  if (session_ != nullptr) session_->replied();
}

void Lines::add(std::string line) {
  push({std::move(line)});
  while (limit_ && bytes_ > *limit_) {
    bytes_ -= queue_.front().text.size();
    queue_.pop_front();
    ++dropped_;
  }
  tell();
}

void Lines::add_kept(std::string line) {
  if (limit_) *limit_ += line.size() + 1;
  push({std::move(line)});
  tell();
}

void Lines::set_newest(std::string line) {
  if (!ended_ && !queue_.empty() && queue_.back().newest) {
    bytes_ -= queue_.back().text.size();
    queue_.pop_back();
  }
  push({std::move(line), true});
  tell();
}

void Lines::end() {
  ended_ = true;
  tell();
}

void Lines::push(Line line) {
  if (ended_) return;
  line.text += '\n';
  bytes_ += line.text.size();
  queue_.push_back(std::move(line));
}

std::string Lines::take(std::size_t bytes) {
  std::string out;
  if (dropped_ > 0) out += dropped_line_(std::exchange(dropped_, 0)) + '\n';
  while (!queue_.empty() && out.size() < bytes) {
    out += queue_.front().text;
    bytes_ -= queue_.front().text.size();
    queue_.pop_front();
  }
  return out;
}

void Lines::tell() {
  if (session_ != nullptr) session_->lines_changed();
}

}  // namespace causeway::control
