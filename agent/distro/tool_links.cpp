#include "distro/tool_links.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <utility>

#include "distro/directories.h"
#include "distro/undo.h"

namespace causeway::distro {
namespace {

using Item = handover::DistroReport::Item;
using State = handover::DistroReport::State;
using Kind = Addition::Kind;

// More are not ours: the tools are a dozen files.
constexpr std::size_t kMaxLinks = 256;

struct Folder {
  const char* what;
  const char* from;  // below kToolsPath
  const char* to;
};
// What the docker CLI (cli-plugins/manager), bash-completion, zsh and fish search by default and no
// package writes into.
constexpr std::array kFolders{
    Folder{"link", "bin", "/usr/local/bin"},
    Folder{"plugin", "cli-plugins", "/usr/local/lib/docker/cli-plugins"},
    Folder{"completion", "completions/bash", "/usr/local/share/bash-completion/completions"},
    Folder{"completion", "completions/zsh", "/usr/local/share/zsh/site-functions"},
    Folder{"completion", "completions/fish", "/usr/local/share/fish/vendor_completions.d"},
};

struct Wanted {
  const Folder* folder;
  Addition link;
};

std::vector<Wanted> wanted_links(const RootFiles& files) {
  std::vector<Wanted> out;
  for (const auto& folder : kFolders) {
    const std::string from = std::string(kToolsPath) + "/" + folder.from;
    const auto names = files.list(from);
    if (!names) continue;  // no such tools
    for (const auto& name : *names) {
      const auto there = files.look(from + "/" + name);
      if (name[0] == '.' || !there || !*there || S_ISDIR((*there)->st_mode)) continue;
      if (out.size() == kMaxLinks) return out;
      Addition link;
      link.kind = Kind::link;
      link.path = std::string(folder.to) + "/" + name;
      link.content = from + "/" + name;
      out.push_back({&folder, std::move(link)});
    }
  }
  return out;
}

class Ensure {
 public:
  Ensure(const RootFiles& files, Manifest& manifest) : files_(files), manifest_(manifest) {}

  std::vector<Item> all() {
    const auto wanted = wanted_links(files_);
    remove_stale(wanted);
    for (const auto& one : wanted) plan(one);
    make();
    return std::move(items_);
  }

 private:
  void remove_stale(const std::vector<Wanted>& wanted) {
    std::set<std::string> paths;
    for (const auto& one : wanted) paths.insert(one.link.path);
    for (const auto& error : undo_all(files_, manifest_, [&](const Addition& a) {
           return a.kind == Kind::link && !paths.contains(a.path);
         }))
      items_.push_back({"link", "", State::failed, error.message});
  }

  // What there is to do for one link, or what is to be said of it.
  void plan(const Wanted& wanted) {
    const auto& link = wanted.link;
    const auto report = [&](State state, std::string reason = "") {
      items_.push_back({wanted.folder->what, link.path, state, std::move(reason)});
    };
    const auto there = files_.look(link.path);
    if (!there) return report(State::failed, there.error().message);
    if (!*there) {
      auto directories = missing_directories(files_, wanted.folder->to);
      if (!directories) return report(State::failed, directories.error().message);
      for (auto& directory : *directories) additions_.push_back(std::move(directory));
      additions_.push_back(link);
      to_make_.push_back(&wanted);
      return;
    }
    const auto target =
        S_ISLNK((*there)->st_mode) ? files_.read_link(link.path) : Result<std::string>("");
    // A link to our tools is ours, also when its note was lost.
    if (target && *target == link.content) {
      additions_.push_back(link);
      return report(State::added);
    }
    const auto* noted = manifest_.find(link);
    if (noted != nullptr && target && *target == noted->content) {
      additions_.push_back(link);
      to_replace_.push_back(&wanted);
      return;
    }
    report(State::left_alone, "it isn't ours");
  }

  void make() {
    if (auto noted = manifest_.add(additions_); !noted) {
      for (const auto* list : {&to_make_, &to_replace_})
        for (const auto* one : *list) report(*one, noted);
      return;
    }
    for (const auto& addition : additions_)
      if (addition.kind == Kind::directory) (void)files_.make_directory(addition.path, 0755).ok();
    for (const auto* one : to_make_)
      report(*one, files_.make_link(one->link.path, one->link.content));
    for (const auto* one : to_replace_)
      report(*one, files_.replace_link(one->link.path, one->link.content));
  }

  void report(const Wanted& wanted, const Status& done) {
    items_.push_back({wanted.folder->what, wanted.link.path, done ? State::added : State::failed,
                      done ? "" : done.error().message});
  }

  const RootFiles& files_;
  Manifest& manifest_;
  std::vector<Addition> additions_;
  std::vector<const Wanted*> to_make_;
  std::vector<const Wanted*> to_replace_;
  std::vector<Item> items_;
};

}  // namespace

std::vector<Item> ensure_links(const RootFiles& files, Manifest& manifest) {
  return Ensure(files, manifest).all();
}

std::vector<std::string> link_directories() {
  std::vector<std::string> out;
  out.reserve(kFolders.size());
  for (const auto& folder : kFolders) out.emplace_back(folder.to);
  return out;
}

}  // namespace causeway::distro
