// A RequestEditor changes requests on their way to the engine, or refuses them: for paths, the
// environment, … The program that wires the agent gives the proxy a list of them; each is asked in
// its turn for the exchanges that it is interested in. What nobody is interested in passes to the
// byte, and is never collected.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine_api/findings.h"
#include "engine_api/request_edits.h"
#include "engine_api/route.h"
#include "paths/identity.h"

namespace causeway::proxy {

class RequestEditor {
 public:
  // What it wants of an exchange.
  struct Interest {
    engine_api::FindingKinds body;  // to be found in the body, which is read to its end for it
    bool filters = false;           // the paths in the filters of a container list
    bool always = false;            // edit() also where it wants to know nothing: to refuse a call
    bool answer = false;            // the answer's paths go through client_path() and client_text()

    bool request() const { return body.any() || filters || always; }
  };

  // Good for the time of a call only.
  struct Request {
    const paths::Identity& identity;
    const engine_api::Route& route;
    const engine_api::Findings& findings;  // at least what this editor wants
  };

  struct Answer {
    int status = 0;       // 0: fine; else the client gets this status, and the engine nothing
    std::string message;  // with this text
    engine_api::RequestEdits edits;
  };
  using Done = std::function<void(Answer)>;

  virtual ~RequestEditor() = default;

  // For the calls that engine_api/route tells apart. Asked when the request's head is there.
  virtual Interest interest(const paths::Identity& identity,
                            const engine_api::Route& route) const = 0;
  // `done` is called once: within this call or later, in a time that the editor bounds. It may come
  // after the one who asked has gone, and does nothing then.
  virtual void edit(const Request& request, Done done) = 0;

  // What `identity` calls an engine path; a path that is none of the editor's comes back as it is.
  virtual std::string client_path(const paths::Identity& identity, std::string_view engine_path) {
    static_cast<void>(identity);
    return std::string(engine_path);
  }
  // The same for each engine path within a message.
  virtual std::string client_text(const paths::Identity& identity, std::string_view text) {
    static_cast<void>(identity);
    return std::string(text);
  }
};

}  // namespace causeway::proxy
