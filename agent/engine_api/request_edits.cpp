#include "engine_api/request_edits.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "engine_api/json_text.h"

namespace causeway::engine_api {
namespace {

constexpr std::uint64_t kNullLength = 4;

// What is inserted at a place stands in front of what changes from there on.
Result<std::vector<Edit>> ordered(std::vector<Edit> edits) {
  std::stable_sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  for (std::size_t i = 1; i < edits.size(); ++i) {
    if (edits[i].begin < edits[i - 1].end) {
      return make_error("the same part of the request is changed twice, at byte " +
                        std::to_string(edits[i].begin));
    }
  }
  return edits;
}

}  // namespace

RequestEdits::Addition& RequestEdits::addition(const EntryList& list) {
  for (Addition& known : additions_) {
    if (known.name == list.name) return known;
  }
  return additions_.emplace_back(
      Addition{std::string(list.name), list.object, list.state, list.at, list.alone, {}});
}

bool RequestEdits::add(const EntryList& list, std::string_view key, std::string_view text) {
  if (list.state == EntryList::State::nowhere) return false;
  std::string& entries = addition(list).entries;
  if (!entries.empty()) entries += ',';
  if (list.object) {
    append_quoted(entries, key);
    entries += ':';
  }
  append_quoted(entries, text);
  return true;
}

void RequestEdits::add(RequestEdits other) {
  std::move(other.body_.begin(), other.body_.end(), std::back_inserter(body_));
  std::move(other.target_.begin(), other.target_.end(), std::back_inserter(target_));
  for (Addition& more : other.additions_) {
    const auto known = std::find_if(additions_.begin(), additions_.end(),
                                    [&](const auto& a) { return a.name == more.name; });
    if (known == additions_.end()) {
      additions_.push_back(std::move(more));
    } else {
      known->entries.append(",").append(more.entries);
    }
  }
}

Result<std::vector<Edit>> RequestEdits::of_body() const {
  std::vector<Edit> out = body_;
  struct Members {
    std::string text;
    bool alone = false;
  };
  std::map<std::uint64_t, Members> members;  // new ones, by where their object begins
  for (const Addition& added : additions_) {
    const std::string whole = added.object ? '{' + added.entries + '}' : '[' + added.entries + ']';
    switch (added.state) {
      case EntryList::State::nowhere:
        break;
      case EntryList::State::absent: {
        Members& of_object = members[added.at];
        if (!of_object.text.empty()) of_object.text += ',';
        append_quoted(of_object.text, added.name);
        of_object.text.append(":").append(whole);
        of_object.alone = added.alone;
        break;
      }
      case EntryList::State::null:
        out.push_back({added.at, added.at + kNullLength, whole});
        break;
      case EntryList::State::empty:
        out.push_back({added.at, added.at, added.entries});
        break;
      case EntryList::State::filled:
        out.push_back({added.at, added.at, added.entries + ','});
        break;
    }
  }
  for (auto& [at, added] : members) {
    out.push_back({at, at, std::move(added.text) + (added.alone ? "" : ",")});
  }
  return ordered(std::move(out));
}

Result<std::vector<Edit>> RequestEdits::of_target() const { return ordered(target_); }

std::string edited(std::string_view text, const std::vector<Edit>& edits) {
  std::string out;
  std::size_t at = 0;
  for (const Edit& edit : edits) {
    out.append(text.substr(at, edit.begin - at)).append(edit.text);
    at = edit.end;
  }
  return out.append(text.substr(at));
}

}  // namespace causeway::engine_api
