// What is found in a request for those who may change it: each finding has its range of bytes, so
// that all else can stay as the client sent it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine_api/filters.h"

namespace causeway::engine_api {

// What a RequestScanner is to look for. What nobody wants is skipped, and is dockerd's to judge.
struct FindingKinds {
  bool paths = false;
  bool environment = false;
  bool labels = false;
  bool hosts = false;

  bool any() const { return paths || environment || labels || hosts; }
  FindingKinds& operator|=(const FindingKinds& other) {
    paths |= other.paths;
    environment |= other.environment;
    labels |= other.labels;
    hosts |= other.hosts;
    return *this;
  }
};

// A string of the body that holds a path of the client.
struct PathValue {
  enum class Kind {
    bind,     // an element of Binds: a path, or a volume's name
    mount,    // a bind mount's Source
    file,     // what dockerd opens or mounts itself: the device of a local volume, a device, a key
    address,  // of a log driver, "unix:///path"
  };
  Kind kind = Kind::bind;
  std::uint64_t begin = 0;  // of the string token in the body, with its quotes: [begin, end)
  std::uint64_t end = 0;
  std::string source;  // decoded: the path, or a volume's name, as the client wrote it
  std::string rest;    // of a bind: ":/dst:ro", which stays behind the new path
  std::string lead{};  // of an address: "unix://", which stays before it
};

// An array of strings (["text"]), or an object whose values are strings ({"key":"text"}).
struct EntryList {
  enum class State {
    nowhere,  // there is no object that could hold it
    absent,   // a member of that name can be added to its object
    null,
    empty,
    filled,
  };
  struct Entry {
    // Of the token of the text in the body, a string with its quotes or `null`: [begin, end)
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::string key;  // of an object's; where two are the same, dockerd takes the last
    std::string text;
  };

  std::string_view name;  // of the member, as dockerd's documentation has it
  bool object = false;
  State state = State::nowhere;
  // Where entries can be added: behind its bracket; absent: behind that of its object; null: where
  // that word begins.
  std::uint64_t at = 0;
  bool alone = false;  // absent: its object has no member
  std::vector<Entry> entries;
};

struct Findings {
  std::vector<PathValue> paths;  // in the order of the body
  EntryList environment{.name = "Env"};
  EntryList labels{.name = "Labels", .object = true};
  EntryList hosts{.name = "ExtraHosts"};
  FilterPaths filters;  // of the target
};

}  // namespace causeway::engine_api
