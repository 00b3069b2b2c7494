#include "handover/message.h"

#include <cerrno>
#include <climits>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/text.h"
#include "json/json.h"
#include "paths/unix_path.h"

namespace causeway::handover {
namespace {

using json::Json;
using json::ObjectReader;

constexpr std::int64_t kMaxTicket = std::numeric_limits<std::int64_t>::max();
// Of a datagram's text, for all that isn't the list: type, ticket, brackets.
constexpr std::size_t kFrame = 256;

template <typename T>
struct Tag {};

// The one table of types: names, and which have a descriptor.
constexpr std::string_view name(Tag<Hello>) { return "hello"; }
constexpr std::string_view name(Tag<Mount>) { return "mount"; }
constexpr std::string_view name(Tag<MountsDone>) { return "mounts_done"; }
constexpr std::string_view name(Tag<Unmounted>) { return "unmounted"; }
constexpr std::string_view name(Tag<TableChanged>) { return "table"; }
constexpr std::string_view name(Tag<Socket>) { return "socket"; }
constexpr std::string_view name(Tag<Resolved>) { return "resolved"; }
constexpr std::string_view name(Tag<Report>) { return "report"; }
constexpr std::string_view name(Tag<Removed>) { return "removed"; }
constexpr std::string_view name(Tag<Welcome>) { return "welcome"; }
constexpr std::string_view name(Tag<Refused>) { return "refused"; }
constexpr std::string_view name(Tag<Tools>) { return "tools"; }
constexpr std::string_view name(Tag<Resolve>) { return "resolve"; }
constexpr std::string_view name(Tag<Remove>) { return "remove"; }

template <typename T>
inline constexpr bool kHasDescriptor = std::is_same_v<T, Hello> || std::is_same_v<T, Mount> ||
                                       std::is_same_v<T, Socket> || std::is_same_v<T, Tools>;

Json strings(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const auto& item : list) out.push(item);
  return out;
}

Json table_json(const paths::MountTable& table) {
  Json drives = Json::array();
  for (const auto& drive : table.drives)
    drives.push(Json::object({{"point", drive.point},
                              {"letter", std::string(1, drive.letter)},
                              {"below", drive.below}}));
  return Json::object({{"wsl", table.wsl}, {"drives", std::move(drives)}});
}

Json result_json(const Resolution& result) {
  return result.error.empty() ? Json::object({{"path", result.path}})
                              : Json::object({{"error", result.error}});
}

// The members of each type but "type".
void put(Json& out, const Hello& m) {
  out.set("protocol", kProtocol).set("version", m.version).set("distro", m.distro);
  out.set("helper_version", m.helper_version).set("table", table_json(m.table));
}
void put(Json& out, const Mount& m) {
  out.set("point", m.point).set("device", m.device).set("root", m.root).set("fs_type", m.fs_type);
}
void put(Json&, const MountsDone&) {}
void put(Json& out, const Unmounted& m) { out.set("point", m.point); }
void put(Json& out, const TableChanged& m) { out.set("table", table_json(m.table)); }
void put(Json& out, const Socket& m) { out.set("path", m.path); }
void put(Json& out, const Resolved& m) {
  Json results = Json::array();
  for (const auto& result : m.results) results.push(result_json(result));
  out.set("ticket", m.ticket).set("results", std::move(results));
}
void put(Json& out, const Report& m) { out.set("report", to_json(m.report)); }
void put(Json&, const Removed&) {}
void put(Json& out, const Welcome& m) { out.set("version", m.version); }
void put(Json& out, const Refused& m) {
  out.set("reason", m.reason).set("remove", m.remove).set("version", m.version);
}
void put(Json&, const Tools&) {}
void put(Json& out, const Resolve& m) {
  out.set("ticket", m.ticket).set("paths", strings(m.paths));
}
void put(Json&, const Remove&) {}

// A path as the kernel has it in mountinfo, or as clean() makes it.
void read_path(ObjectReader& in, std::string_view key, std::string& out) {
  if (!in.require(key).read(key, out)) return;
  if (out.find('\0') != std::string::npos || out.empty() || out[0] != '/' ||
      paths::clean(out) != out)
    in.fail(key, "expected a clean absolute path");
}

void read_table(ObjectReader& in, paths::MountTable& out) {
  in.require("table").object("table", [&](ObjectReader& table) {
    table.require("wsl").require("drives").read("wsl", out.wsl);
    if (!out.wsl.empty()) read_path(table, "wsl", out.wsl);
    table.objects("drives", [&](ObjectReader& drive) {
      auto& made = out.drives.emplace_back();
      std::string letter;
      read_path(drive, "point", made.point);
      drive.require("letter").read("letter", letter);
      if (letter.size() == 1 && letter[0] >= 'a' && letter[0] <= 'z') {
        made.letter = letter[0];
      } else {
        drive.fail("letter", "expected a letter");
      }
      drive.require("below").read("below", made.below);
      if (!made.below.empty()) read_path(drive, "below", made.below);
    });
  });
}

void read_result(ObjectReader& in, Resolution& out) {
  if (in.has("error")) {
    in.read("error", out.error);
    if (out.error.empty()) in.fail("error", "is empty");
  } else {
    read_path(in, "path", out.path);
  }
}

void get(ObjectReader& in, Hello& m) {
  std::string protocol;
  in.require("protocol").read("protocol", protocol);
  if (protocol != kProtocol) in.fail("protocol", "expected " + std::string(kProtocol));
  in.require("version").read("version", m.version, 1, 1'000'000);
  in.require("distro").read("distro", m.distro);
  in.require("helper_version").read("helper_version", m.helper_version);
  if (m.version == kVersion) read_table(in, m.table);
}
void get(ObjectReader& in, Mount& m) {
  read_path(in, "point", m.point);
  in.require("device").read("device", m.device);
  in.require("root").read("root", m.root);
  in.require("fs_type").read("fs_type", m.fs_type);
}
void get(ObjectReader&, MountsDone&) {}
void get(ObjectReader& in, Unmounted& m) { read_path(in, "point", m.point); }
void get(ObjectReader& in, TableChanged& m) { read_table(in, m.table); }
void get(ObjectReader& in, Socket& m) { read_path(in, "path", m.path); }
void get(ObjectReader& in, Resolved& m) {
  in.require("ticket").read("ticket", m.ticket, 0, kMaxTicket);
  in.require("results").objects(
      "results", [&](ObjectReader& result) { read_result(result, m.results.emplace_back()); });
}
void get(ObjectReader& in, Report& m) {
  in.require("report").object("report",
                              [&](ObjectReader& report) { read_report(report, m.report); });
}
void get(ObjectReader&, Removed&) {}
void get(ObjectReader& in, Welcome& m) {
  in.require("version").read("version", m.version, 1, 1'000'000);
}
void get(ObjectReader& in, Refused& m) {
  in.require("reason").read("reason", m.reason);
  in.require("remove").read("remove", m.remove);
  in.require("version").read("version", m.version, 1, 1'000'000);
}
void get(ObjectReader&, Tools&) {}
void get(ObjectReader& in, Resolve& m) {
  in.require("ticket").read("ticket", m.ticket, 0, kMaxTicket);
  in.require("paths").read("paths", m.paths);
  for (const auto& path : m.paths)
    if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos)
      in.fail("paths", "expected absolute paths");
}
void get(ObjectReader&, Remove&) {}

// The alternative of `Body` whose name is `type`, read from `in`.
template <std::size_t I = 0>
bool get_typed(std::string_view type, ObjectReader& in, Body& out) {
  if constexpr (I == std::variant_size_v<Body>) {
    return false;
  } else {
    using T = std::variant_alternative_t<I, Body>;
    if (name(Tag<T>{}) != type) return get_typed<I + 1>(type, in, out);
    get(in, out.emplace<T>());
    return true;
  }
}

// Puts `items` into as few messages of type T as fit; at least one.
template <typename T, typename Item, typename Size>
std::vector<Message> packed(std::int64_t ticket, std::vector<Item> items,
                            std::vector<Item> T::*list, Size size_of) {
  std::vector<Message> out;
  T part{ticket, {}};
  std::size_t size = kFrame;
  auto flush = [&] {
    out.push_back(Message{std::exchange(part, T{ticket, {}}), UniqueFd()});
    size = kFrame;
  };
  for (auto& item : items) {
    const std::size_t more = size_of(item) + 1;
    if (size + more > kMaxDatagram) flush();
    size += more;
    (part.*list).push_back(std::move(item));
  }
  if (out.empty() || !(part.*list).empty()) flush();
  return out;
}

}  // namespace

std::string_view type_name(const Body& body) {
  return std::visit([]<typename T>(const T&) { return name(Tag<T>{}); }, body);
}

bool has_descriptor(const Body& body) {
  return std::visit([]<typename T>(const T&) { return kHasDescriptor<T>; }, body);
}

bool json_can_carry(std::string_view text) {
  std::string quoted;
  json::append_quoted(quoted, text);
  const auto back = Json::parse(quoted);
  return back.ok() && *back->as_string() == text;
}

Result<std::string> encode(const Body& body) {
  Json document = Json::object({{"type", type_name(body)}});
  std::visit([&](const auto& message) { put(document, message); }, body);
  std::string text = document.dump();
  if (text.size() > kMaxDatagram)
    return make_error("the message " + std::string(type_name(body)) + " has " +
                      std::to_string(text.size()) + " bytes, more than " +
                      std::to_string(kMaxDatagram));
  return text;
}

Result<Body> decode(std::string_view datagram) {
  if (datagram.size() > kMaxDatagram) return make_error("a message that is too large");
  const auto document = Json::parse(datagram);
  if (!document) return Error(document.error()).with("a message that is no JSON");
  ObjectReader in(*document, ObjectReader::Unknown::ignored);
  std::string type;
  in.require("type").read("type", type);
  Body out;
  if (!in.failed() && !get_typed(type, in, out))
    return Error{"a message of type " + text::printable(type) + ", which isn't known", EOPNOTSUPP};
  if (auto done = in.finish(); !done) return std::move(done).error().with("a message");
  return out;
}

Result<std::vector<Message>> resolve_messages(std::int64_t ticket, std::vector<std::string> paths) {
  for (const auto& path : paths)
    if (path.size() >= PATH_MAX)
      return make_error("a path of " + std::to_string(path.size()) + " bytes: longer than " +
                        std::to_string(PATH_MAX - 1));
  return packed<Resolve>(ticket, std::move(paths), &Resolve::paths,
                         [](const std::string& path) { return Json(path).dump().size(); });
}

std::vector<Message> resolved_messages(std::int64_t ticket, std::vector<Resolution> results) {
  return packed<Resolved>(
      ticket, std::move(results), &Resolved::results,
      [](const Resolution& result) { return result_json(result).dump().size(); });
}

}  // namespace causeway::handover
