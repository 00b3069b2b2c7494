#include "proxy/prepared_request.h"

#include <algorithm>
#include <utility>

#include "proxy/changed_head.h"

namespace causeway::proxy {
namespace {

// As much as one read of a client gives: the bounds of a session's queues are made for it.
constexpr std::size_t kPiece = std::size_t{64} * 1024;

std::uint64_t new_size(std::uint64_t size, const std::vector<engine_api::Edit>& edits) {
  for (const auto& edit : edits) size = size + edit.text.size() - (edit.end - edit.begin);
  return size;
}

}  // namespace

PreparedRequest::PreparedRequest(const http::Head& head, CollectedBody body,
                                 std::vector<engine_api::Edit> edits)
    : head_(with_length(head, new_size(body.size(), edits))),
      body_(std::move(body)),
      edits_(std::move(edits)) {}

Result<std::string_view> PreparedRequest::next() {
  piece_.clear();
  while (piece_.size() < kPiece && !sent()) {
    const bool edits_left = next_ < edits_.size();
    if (edits_left && edits_[next_].begin == at_) {
      piece_.append(edits_[next_].text);
      at_ = edits_[next_].end;
      ++next_;
      continue;
    }
    const std::uint64_t until = edits_left ? edits_[next_].begin : body_.size();
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(until - at_, kPiece - piece_.size()));
    if (auto read = body_.read(at_, length, piece_); !read.ok()) return std::move(read).error();
    at_ += length;
  }
  return std::string_view(piece_);
}

}  // namespace causeway::proxy
