// RewrittenResponse is an answer whose paths are turned into the client's, sans I/O: the head and
// the content of the engine's answer go in, and what the client gets comes out. Its length isn't
// known before its end, so it comes in chunks, or until close for a client of HTTP/1.0.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine_api/response_rewriter.h"
#include "engine_api/route.h"
#include "http/message.h"

namespace causeway::proxy {

class RewrittenResponse {
 public:
  using Unmap = engine_api::ResponseRewriter::Unmap;

  // `path` gives the client's name of an engine path, `text` a message with such names in it.
  RewrittenResponse(engine_api::Call call, Unmap path, Unmap text);

  // The head of the answer proper, which has a body. `client_version` is the request's: 10 or 11.
  void begin(const http::Head& head, int client_version);
  bool begun() const { return begun_; }
  void add(std::string_view content);
  // The body has ended; else it broke off, and the client will see that, too.
  void end(bool whole);
  // What is ready for the client since the last take().
  std::string take();
  // The client's connection must be closed behind it.
  bool closes() const { return begun_ && !chunked_; }

 private:
  const engine_api::Call call_;
  Unmap path_;
  Unmap text_;
  bool begun_ = false;
  bool chunked_ = false;
  bool complete_ = false;
  std::string head_;                                      // not taken yet
  std::string content_;                                   // the same
  std::optional<engine_api::ResponseRewriter> rewriter_;  // nothing: the content isn't ours to read
};

}  // namespace causeway::proxy
