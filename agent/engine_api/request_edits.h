// RequestEdits is what somebody wants changed in a request, by what was found in it. Those of
// several are added up: entries that two of them add to one list stand side by side in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine_api/edit.h"
#include "engine_api/findings.h"

namespace causeway::engine_api {

class RequestEdits {
 public:
  void change_body(Edit edit) { body_.push_back(std::move(edit)); }
  void change_target(Edit edit) { target_.push_back(std::move(edit)); }
  // An entry more of `list`, which is one of the body's; in front of those of the client, so that
  // where dockerd takes the last of two (Env, Labels) the client's own counts. False: it's nowhere.
  bool add(const EntryList& list, std::string_view text) { return add(list, {}, text); }
  bool add(const EntryList& list, std::string_view key, std::string_view text);
  void add(RequestEdits other);

  // In order and apart from each other. An error when two want the same bytes.
  Result<std::vector<Edit>> of_body() const;
  Result<std::vector<Edit>> of_target() const;

 private:
  struct Addition {
    std::string name;
    bool object = false;
    EntryList::State state = EntryList::State::nowhere;
    std::uint64_t at = 0;
    bool alone = false;
    std::string entries;  // as JSON, with commas between them
  };
  Addition& addition(const EntryList& list);

  std::vector<Edit> body_;
  std::vector<Edit> target_;
  std::vector<Addition> additions_;  // one for each list
};

// `text` with `edits`, which are in order, carried out.
std::string edited(std::string_view text, const std::vector<Edit>& edits);

}  // namespace causeway::engine_api
