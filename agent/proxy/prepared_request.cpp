#include "proxy/prepared_request.h"

#include <algorithm>
#include <utility>

#include "proxy/changed_head.h"

namespace causeway::proxy {
namespace {

// As much as one read of a client gives: the bounds of a session's queues are made for it.
constexpr std::size_t kPiece = std::size_t{64} * 1024;

std::uint64_t new_size(std::uint64_t size, const std::vector<PreparedRequest::Change>& changes) {
  for (const auto& change : changes) size = size + change.text.size() - (change.end - change.begin);
  return size;
}

}  // namespace

PreparedRequest::PreparedRequest(const http::Head& head, CollectedBody body,
                                 std::vector<Change> changes)
    : head_(with_length(head, new_size(body.size(), changes))),
      body_(std::move(body)),
      changes_(std::move(changes)) {}

Result<std::string_view> PreparedRequest::next() {
  piece_.clear();
  while (piece_.size() < kPiece && !sent()) {
    const bool changes_left = change_ < changes_.size();
    if (changes_left && changes_[change_].begin == at_) {
      piece_.append(changes_[change_].text);
      at_ = changes_[change_].end;
      ++change_;
      continue;
    }
    const std::uint64_t until = changes_left ? changes_[change_].begin : body_.size();
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(until - at_, kPiece - piece_.size()));
    if (auto read = body_.read(at_, length, piece_); !read.ok()) return std::move(read).error();
    at_ += length;
  }
  return std::string_view(piece_);
}

}  // namespace causeway::proxy
