#include "distro/membership.h"

#include <cerrno>
#include <utility>

#include "base/text.h"
#include "distro/account_files.h"
#include "distro/group_text.h"

namespace causeway::distro {
namespace {

using Item = handover::DistroReport::Item;
using State = handover::DistroReport::State;
using Kind = Addition::Kind;

constexpr const char* kName = "docker";
constexpr const char* kGroup = "/etc/group";
constexpr const char* kShadow = "/etc/gshadow";

Addition line_addition(const std::string& path, std::string line, bool separated = false) {
  Addition out;
  out.kind = Kind::line;
  out.path = path;
  out.content = std::move(line);
  out.separated = separated;
  return out;
}

Addition member_addition(const std::string& path, const std::string& user, bool separated = false) {
  Addition out;
  out.kind = Kind::member;
  out.path = path;
  out.group = kName;
  out.user = user;
  out.separated = separated;
  return out;
}

bool has_line_of(std::string_view text, std::string_view name) {
  const std::string start = std::string(name) + ":";
  for (const auto line : text::split(text, '\n'))
    if (line.starts_with(start)) return true;
  return false;
}

// The line is ours, whoever was added to it since.
bool is_ours(const Manifest& manifest, const std::string& path, const std::string& name) {
  for (const auto& addition : manifest.additions())
    if (addition.kind == Kind::line && addition.path == path &&
        addition.content.starts_with(name + ":"))
      return true;
  return false;
}

// The number of our own line: those who run know the group by it.
std::optional<unsigned> noted_gid(const Manifest& manifest) {
  for (const auto& addition : manifest.additions()) {
    if (addition.kind != Kind::line || addition.path != kGroup) continue;
    const auto group = find_group(addition.content, kName);
    const auto gid = group ? text::to_u64(group->third) : std::nullopt;
    if (gid && *gid < static_cast<gid_t>(-1)) return static_cast<unsigned>(*gid);
  }
  return std::nullopt;
}

class Ensure {
 public:
  Ensure(const RootFiles& files, Manifest& manifest, const std::optional<Account>& user,
         Repair repair)
      : files_(files), manifest_(manifest), user_(user), repair_(repair) {}

  Membership all() {
    if (auto done = group(); !done) {
      fail("group", kGroup, done.error());
      return std::move(out_);
    }
    if (user_ && user_->uid != 0) {
      if (auto done = member(); !done) fail("member", user_->name, done.error());
    }
    former_members();
    return std::move(out_);
  }

 private:
  using Text = std::optional<std::string>;

  // What is missing in the file is made, or not now.
  Result<Text> make(const Addition& addition, std::string text) {
    if (repair_ == Repair::later) {
      out_.put_off = true;
      return make_error("it was removed as soon as it was added; it is added again in a while");
    }
    if (auto noted = manifest_.add(addition); !noted) return std::move(noted).error();
    return Text(std::move(text));
  }

  Result<bool> edit(const std::string& path, const AccountEdit& what) {
    auto edited = edit_account_file(files_, path, what);
    out_.changed = out_.changed || (edited && *edited);
    return edited;
  }

  // Adds the line that `line_of` gives when there is none of the group.
  Result<bool> ensure_line(const std::string& path,
                           const std::function<Result<std::string>(const std::string&)>& line_of) {
    return edit(path, [&](const std::string& text) -> Result<Text> {
      if (find_group(text, kName)) return Text();
      if (has_line_of(text, kName))
        return make_error(path + ": its line of the group docker is malformed");
      auto line = line_of(text);
      if (!line) return std::move(line).error();
      auto edited = with_line(text, *line);
      return make(line_addition(path, *line, edited.separated), std::move(edited.text));
    });
  }

  // Adds the user where the group has a line without them.
  Result<bool> ensure_member(const std::string& path, const std::string& user) {
    return edit(path, [&](const std::string& text) -> Result<Text> {
      const auto group = find_group(text, kName);
      if (!group || group->has_member(user)) return Text();
      auto edited = with_member(text, kName, user);
      return make(member_addition(path, user, edited->separated), std::move(edited->text));
    });
  }

  Status group() {
    const auto made = ensure_line(kGroup, [&](const std::string& text) -> Result<std::string> {
      const auto passwd = files_.read("/etc/passwd");
      const auto gid = free_gid(text, passwd ? *passwd : "", noted_gid(manifest_));
      if (!gid) return make_error("no number below 1000 is free for a group");
      return std::string(kName) + ":x:" + std::to_string(*gid) + ":";
    });
    if (!made) return made.error();
    const bool ours = is_ours(manifest_, kGroup, kName);
    if (ours) {
      const auto shadow = ensure_line(kShadow, [](const std::string&) {
        return Result<std::string>(std::string(kName) + ":!::");
      });
      if (!shadow && shadow.error().code != ENOENT) return shadow.error();
    }
    const auto text = files_.read(kGroup);
    if (!text) return text.error();
    const auto found = find_group(*text, kName);
    const auto gid = found ? text::to_u64(found->third) : std::nullopt;
    if (!gid || *gid >= static_cast<gid_t>(-1))
      return make_error(std::string(kGroup) + ": the group docker has no number");
    out_.gid = static_cast<gid_t>(*gid);
    out_.items.push_back({"group", kName, ours ? State::added : State::kept, ""});
    return Ok{};
  }

  Status member() {
    bool changed = false;
    if (user_->gid != *out_.gid) {
      const auto added = ensure_member(kGroup, user_->name);
      if (!added) return added.error();
      changed = *added;
      const auto shadow = ensure_member(kShadow, user_->name);
      if (!shadow && shadow.error().code != ENOENT) return shadow.error();
    }
    out_.joined_now = changed;
    const bool ours = manifest_.find(member_addition(kGroup, user_->name)) != nullptr;
    out_.items.push_back({"member", user_->name, ours ? State::added : State::kept, ""});
    return Ok{};
  }

  void former_members() {
    const auto text = files_.read(kGroup);
    const auto group = text ? find_group(*text, kName) : std::nullopt;
    for (const auto& addition : manifest_.additions())
      if (addition.kind == Kind::member && addition.path == kGroup && group &&
          (!user_ || addition.user != user_->name) && group->has_member(addition.user))
        out_.items.push_back({"member", addition.user, State::added, ""});
  }

  void fail(std::string_view what, std::string_view path, const Error& error) {
    out_.locked = out_.locked || error.code == EAGAIN;
    out_.items.push_back({std::string(what), std::string(path), State::failed, error.message});
  }

  const RootFiles& files_;
  Manifest& manifest_;
  const std::optional<Account>& user_;
  const Repair repair_;
  Membership out_;
};

}  // namespace

Membership ensure_membership(const RootFiles& files, Manifest& manifest,
                             const std::optional<Account>& user, Repair repair) {
  return Ensure(files, manifest, user, repair).all();
}

}  // namespace causeway::distro
