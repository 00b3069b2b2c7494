// PreparedRequest is a request in the form that the engine gets: a new head, and the client's body
// with some ranges replaced. It is given out piece by piece, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine_api/edit.h"
#include "http/message.h"
#include "proxy/collected_body.h"

namespace causeway::proxy {

class PreparedRequest {
 public:
  // `edits` are in order and apart from each other.
  PreparedRequest(const http::Head& head, CollectedBody body, std::vector<engine_api::Edit> edits);

  const std::string& head() const { return head_; }
  // All of the body was given out.
  bool sent() const { return at_ == body_.size() && next_ == edits_.size(); }
  // The next piece of it, about 64 KiB; good until the next call.
  Result<std::string_view> next();

 private:
  std::string head_;
  CollectedBody body_;
  std::vector<engine_api::Edit> edits_;
  std::uint64_t at_ = 0;  // of the client's body
  std::size_t next_ = 0;  // of the edits
  std::string piece_;
};

}  // namespace causeway::proxy
