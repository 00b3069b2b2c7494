#include "containers/container_records.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "json/json.h"
#include "paths/engine_paths.h"

namespace causeway::containers {
namespace {

using json::Json;

// Labels and environment can be long; 8 MiB is beyond what dockerd's own clients send.
constexpr std::size_t kMostRecord = std::size_t{8} << 20;

bool has_option(std::string_view options, std::string_view wanted) {
  const auto all = text::split(options, ',');
  return std::find(all.begin(), all.end(), wanted) != all.end();
}

// A name that comes from a file becomes part of a path.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace

Result<ContainerRecord> parse_record(std::string_view config, std::string_view host_config,
                                     const std::string& docker_root) {
  auto main = Json::parse(config);
  if (!main) return std::move(main).error().with("config.v2.json");
  auto host = Json::parse(host_config);
  if (!host) return std::move(host).error().with("hostconfig.json");
  ContainerRecord out;
  out.id = (*main)["ID"].string_or("");
  if (out.id.empty()) return make_error("config.v2.json: no ID");
  out.name = (*main)["Name"].string_or("");
  if (out.name.starts_with('/')) out.name.erase(0, 1);
  out.restart_policy = (*host)["RestartPolicy"]["Name"].string_or("no");
  if (out.restart_policy.empty()) out.restart_policy = "no";
  out.stopped_by_user = (*main)["HasBeenManuallyStopped"].bool_or(false);
  const Json& state = (*main)["State"];
  out.running = state["Running"].bool_or(false);
  out.exit_code = state["ExitCode"].int_or(0);
  out.error = state["Error"].string_or("");
  for (const auto& [target, mount] : (*main)["MountPoints"].members()) {
    if (mount["Type"].string_or("bind") == "bind") {
      out.sources.push_back(mount["Source"].string_or(""));
    } else if (mount["Driver"].string_or("") == "local") {
      if (auto device = volume_device(docker_root, mount["Name"].string_or("")); !device.empty())
        out.sources.push_back(std::move(device));
    }
  }
  return out;
}

Result<ContainerRecord> read_record(const std::string& docker_root, const std::string& id) {
  if (!is_plain_name(id)) return make_error("no container has the id " + text::printable(id));
  const std::string folder = docker_root + "/containers/" + id;
  auto config = file::read(folder + "/config.v2.json", kMostRecord);
  if (!config) return std::move(config).error();
  auto host = file::read(folder + "/hostconfig.json", kMostRecord);
  if (!host) return std::move(host).error();
  auto record = parse_record(*config, *host, docker_root);
  if (!record) return std::move(record).error().with(folder);
  return record;
}

std::vector<ContainerRecord> read_records(const std::string& docker_root) {
  std::vector<ContainerRecord> out;
  std::error_code error;
  std::filesystem::directory_iterator at(docker_root + "/containers", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error))
    if (auto record = read_record(docker_root, at->path().filename().string()))
      out.push_back(*std::move(record));
  return out;
}

Result<std::string> read_volume_device(const std::string& docker_root, const std::string& volume) {
  if (!is_plain_name(volume)) return std::string();
  auto content = file::read(docker_root + "/volumes/" + volume + "/opts.json");
  if (!content) {
    // Without options there is no such file (moby, volume/local).
    if (content.error().code == ENOENT) return std::string();
    return std::move(content).error();
  }
  auto options = Json::parse(*content);
  if (!options) return std::move(options).error().with("the options of the volume " + volume);
  const std::string how = (*options)["MountOpts"].string_or("");
  if (!has_option(how, "bind") && !has_option(how, "rbind")) return std::string();
  return (*options)["MountDevice"].string_or("");
}

std::string volume_device(const std::string& docker_root, const std::string& volume) {
  auto device = read_volume_device(docker_root, volume);
  return device ? *std::move(device) : std::string();
}

bool starts_by_itself(const ContainerRecord& record) {
  if (record.restart_policy == "always") return true;
  if (record.restart_policy == "unless-stopped") return !record.stopped_by_user;
  // One that ran when the power went counts as failed: dockerd gives it an exit code of its own.
  if (record.restart_policy == "on-failure") return record.running || record.exit_code != 0;
  return false;
}

std::set<std::string> distros_of(const ContainerRecord& record) {
  std::set<std::string> out;
  for (const auto& source : record.sources)
    if (const auto share = paths::split_share_path(source)) out.emplace(share->distro);
  return out;
}

}  // namespace causeway::containers
