#include "shares/share_record.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "json/json.h"
#include "paths/path_mapper.h"

namespace causeway::shares {
namespace {

using json::Json;
using json::ObjectReader;

Json table_json(const paths::MountTable& table) {
  Json drives = Json::array();
  for (const auto& drive : table.drives)
    drives.push(Json::object({{"point", drive.point},
                              {"letter", std::string(1, drive.letter)},
                              {"below", drive.below}}));
  return Json::object({{"wsl", table.wsl}, {"drives", std::move(drives)}});
}

Status read_drive(const Json& item, paths::Drive& drive) {
  std::string letter;
  ObjectReader in(item);
  in.require("point").read("point", drive.point);
  in.require("letter").read("letter", letter);
  in.require("below").read("below", drive.below);
  if (!in.failed() && (letter.size() != 1 || letter[0] < 'a' || letter[0] > 'z'))
    in.fail("letter", "expected one of a to z");
  if (auto done = in.finish(); !done) return done;
  drive.letter = letter[0];
  return Ok{};
}

Status read_mount(const Json& item, SharedMounts& mounts) {
  std::string point;
  SharedMount mount;
  ObjectReader in(item);
  in.require("point").read("point", point);
  in.require("device").read("device", mount.device);
  in.require("root").read("root", mount.root);
  if (!in.failed() && !point.starts_with('/')) in.fail("point", "expected an absolute path");
  if (auto done = in.finish(); !done) return done;
  mounts.insert_or_assign(std::move(point), std::move(mount));
  return Ok{};
}

Status read_record(const Json& item, ShareRecords& records) {
  if (!item.is_object()) return make_error("expected an object");
  std::string name;
  ShareRecord record;
  const Json& table = item["table"];
  for (const auto& drive : table["drives"].items())
    if (auto done = read_drive(drive, record.table.drives.emplace_back()); !done)
      return std::move(done).error().with("drives");
  for (const auto& mount : item["mounts"].items())
    if (auto done = read_mount(mount, record.mounts); !done)
      return std::move(done).error().with("mounts");
  record.table.wsl = table["wsl"].string_or("");
  record.socket = item["socket"].string_or("");
  name = item["name"].string_or("");
  if (!paths::valid_distro_name(name)) return make_error("name: not a distro's");
  records.insert_or_assign(std::move(name), std::move(record));
  return Ok{};
}

}  // namespace

std::string to_json(const ShareRecords& records) {
  Json distros = Json::array();
  for (const auto& [name, record] : records) {
    Json mounts = Json::array();
    for (const auto& [point, mount] : record.mounts)
      mounts.push(Json::object({{"point", point}, {"device", mount.device}, {"root", mount.root}}));
    distros.push(Json::object({{"name", name},
                               {"socket", record.socket},
                               {"table", table_json(record.table)},
                               {"mounts", std::move(mounts)}}));
  }
  return Json::object({{"distros", std::move(distros)}}).dump() + "\n";
}

Result<ShareRecords> parse_share_records(std::string_view text) {
  const auto document = Json::parse(text);
  if (!document) return document.error();
  const Json* distros = document->find("distros");
  if (distros == nullptr || !distros->is_array()) return make_error("no list of distros");
  ShareRecords out;
  for (const auto& item : distros->items())
    if (auto done = read_record(item, out); !done) return std::move(done).error();
  return out;
}

SlotNames::SlotNames(std::string_view distro) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : distro) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "d.%016llx.", static_cast<unsigned long long>(hash));
  const std::string prefix = text.data();
  pid = prefix + "pid";
  sock = prefix + "sock";
  api = prefix + "api";
}

}  // namespace causeway::shares
