#include "proxy/rewritten_response.h"

#include <utility>

#include "http/writer.h"
#include "proxy/changed_head.h"

namespace causeway::proxy {

RewrittenResponse::RewrittenResponse(engine_api::Call call, Unmap path, Unmap text)
    : call_(call), path_(std::move(path)), text_(std::move(text)) {}

void RewrittenResponse::begin(const http::Head& head, int client_version) {
  begun_ = true;
  chunked_ = client_version >= 11 && head.version >= 11;
  head_ = with_body_end(head, chunked_ ? BodyEnd::chunked : BodyEnd::close);
  // dockerd compresses nothing; what stands before it might.
  if (!head.find("content-encoding")) rewriter_.emplace(call_, head.status, path_, text_);
}

void RewrittenResponse::add(std::string_view content) {
  if (rewriter_) {
    rewriter_->feed(content, content_);
  } else {
    content_.append(content);
  }
}

void RewrittenResponse::end(bool whole) {
  if (rewriter_) rewriter_->finish(content_);
  complete_ = whole;
}

std::string RewrittenResponse::take() {
  std::string out = std::exchange(head_, {});
  const std::string content = std::exchange(content_, {});
  if (!chunked_) return out.append(content);
  if (!content.empty()) out.append(http::chunk(content));
  if (std::exchange(complete_, false)) out.append(http::chunk({}));
  return out;
}

}  // namespace causeway::proxy
