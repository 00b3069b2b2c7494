#include "distro/manifest.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include "handover/message.h"
#include "json/json.h"

namespace causeway::distro {
namespace {

using json::Json;
using json::ObjectReader;
using Kind = Addition::Kind;

constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::array kKinds{Kind::directory, Kind::link,   Kind::file,
                            Kind::line,      Kind::member, Kind::socket};

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::directory:
      return "directory";
    case Kind::link:
      return "link";
    case Kind::file:
      return "file";
    case Kind::line:
      return "line";
    case Kind::member:
      return "member";
    case Kind::socket:
      return "socket";
  }
  return "";
}

Json to_json(const Addition& a) {
  Json out = Json::object({{"kind", name_of(a.kind)}, {"path", a.path}});
  if (!a.content.empty()) out.set("content", a.content);
  if (!a.group.empty()) out.set("group", a.group);
  if (!a.user.empty()) out.set("user", a.user);
  if (a.separated) out.set("separated", true);
  if (!a.home.empty()) out.set("home", a.home).set("uid", a.uid).set("gid", a.gid);
  if (a.inode != 0) out.set("inode", a.inode).set("bound_ns", a.bound_ns);
  return out;
}

void read(ObjectReader& in, Addition& out) {
  std::string kind;
  in.require("kind").require("path");
  in.read("kind", kind);
  in.read("path", out.path);
  in.read("content", out.content);
  in.read("group", out.group);
  in.read("user", out.user);
  in.read("separated", out.separated);
  in.read("home", out.home);
  in.read("uid", out.uid, 0, std::numeric_limits<uid_t>::max());
  in.read("gid", out.gid, 0, std::numeric_limits<gid_t>::max());
  in.read("inode", out.inode, 0, kMost);
  in.read("bound_ns", out.bound_ns, 0, kMost);
  if (out.path.empty() || out.path[0] != '/') in.fail("path", "expected an absolute path");
  if (!out.home.empty() && !out.path.starts_with(out.home + "/"))
    in.fail("home", "the path isn't in it");
  if (out.home.empty() && (out.uid != 0 || out.gid != 0)) in.fail("uid", "there is no home");
  const auto* known =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind k) { return name_of(k) == kind; });
  if (known == kKinds.end()) {
    in.fail("kind", "unknown");
  } else {
    out.kind = *known;
  }
}

}  // namespace

bool Addition::same_thing(const Addition& other) const {
  return kind == other.kind && path == other.path && group == other.group && user == other.user &&
         home == other.home && (kind != Kind::line || content == other.content);
}

Result<Manifest> Manifest::load(const RootFiles& files) {
  Manifest manifest(files);
  const auto text = files.read(kPath);
  if (!text && text.error().code == ENOENT) return manifest;
  if (!text) return text.error();
  const auto json = Json::parse(*text);
  if (!json) return Error(json.error()).with(kPath);
  ObjectReader in(*json);
  std::int64_t version = 0;
  in.require("version").read("version", version, kVersion, kVersion);
  in.require("made").read("made", manifest.made_);
  in.require("additions").objects("additions", [&](ObjectReader& addition) {
    read(addition, manifest.additions_.emplace_back());
  });
  if (auto done = in.finish(); !done) return std::move(done).error().with(kPath);
  return manifest;
}

const Addition* Manifest::find(const Addition& thing) const {
  const auto found = std::find_if(additions_.begin(), additions_.end(),
                                  [&](const Addition& a) { return a.same_thing(thing); });
  return found == additions_.end() ? nullptr : &*found;
}

Status Manifest::add(const std::vector<Addition>& additions) {
  auto all = additions_;
  for (const auto& addition : additions) {
    // It would be found under another name again.
    for (const auto* text : {&addition.path, &addition.content, &addition.home})
      if (!handover::json_can_carry(*text))
        return make_error(addition.path + ": a name that isn't UTF-8");
    const auto known = std::find_if(all.begin(), all.end(),
                                    [&](const Addition& a) { return a.same_thing(addition); });
    if (known == all.end()) {
      all.push_back(addition);
    } else {
      *known = addition;
    }
  }
  if (all == additions_) return Ok{};
  return save(std::move(all));
}

Status Manifest::forget(const std::function<bool(const Addition&)>& which) {
  auto all = additions_;
  if (std::erase_if(all, which) == 0 && !all.empty()) return Ok{};
  return save(std::move(all));
}

// Those above our own are as good as always there; one that isn't is noted to be removed again.
Status Manifest::make_directories() {
  for (const char* directory : {"/var", "/var/lib", kDirectory}) {
    auto made = files_->make_directory(directory, 0755);
    if (!made && made.error().code != EEXIST) return made;
    if (made && directory != std::string_view(kDirectory)) made_.push_back(directory);
  }
  return Ok{};
}

Status Manifest::remove_all() {
  files_->remove_temporary(kPath);
  if (auto done = files_->remove(kPath); !done) return done;
  additions_.clear();
  auto directories = std::exchange(made_, {});
  directories.push_back(kDirectory);
  for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory) {
    auto done = files_->remove_directory(*directory);
    // Whatever else is in it isn't ours: then it stays.
    if (!done && done.error().code != ENOTEMPTY && done.error().code != EEXIST) return done;
  }
  return Ok{};
}

Status Manifest::save(std::vector<Addition> additions) {
  if (additions.empty()) return remove_all();
  if (auto done = make_directories(); !done) return done;
  Json list = Json::array();
  for (const auto& addition : additions) list.push(to_json(addition));
  Json made = Json::array();
  for (const auto& directory : made_) made.push(directory);
  const Json document = Json::object(
      {{"version", kVersion}, {"made", std::move(made)}, {"additions", std::move(list)}});
  if (auto done = files_->put(kPath, document.dump(2) + "\n", 0600); !done) return done;
  additions_ = std::move(additions);
  return Ok{};
}

}  // namespace causeway::distro
