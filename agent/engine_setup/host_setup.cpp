#include "engine_setup/host_setup.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"

namespace causeway::engine_setup {
namespace {

constexpr std::array kSettings = {
    // Elasticsearch and its kin refuse to start below it; Docker Desktop's virtual machine sets it.
    KernelSetting{"vm/max_map_count", 262144},
    // Shared by all containers of a user id, and nearly all run as root: file watchers of a few
    // development servers use up the kernel's defaults.
    KernelSetting{"fs/inotify/max_user_watches", 1048576},
    KernelSetting{"fs/inotify/max_user_instances", 8192},
    KernelSetting{"fs/inotify/max_queued_events", 65536},
    // Databases with asynchronous I/O.
    KernelSetting{"fs/aio-max-nr", 1048576},
    KernelSetting{"fs/file-max", 1048576},
    // The most that services.d asks for with "nofile".
    KernelSetting{"fs/nr_open", 1048576},
    // Listening sockets with many clients: the agent's own ask for 1024.
    KernelSetting{"net/core/somaxconn", 1024},
};

constexpr std::array<std::string_view, 18> kModules = {
    "overlay",      "br_netfilter",  "bridge",       "veth",      "ip_tables",  "iptable_filter",
    "iptable_nat",  "nf_nat",        "nf_conntrack", "nf_tables", "nft_compat", "xt_addrtype",
    "xt_conntrack", "xt_MASQUERADE", "xt_comment",   "xt_mark",   "xt_nat",     "vsock",
};

// "kernel/net/bridge/br_netfilter.ko" and "br_netfilter 32768 0 - Live" to "br_netfilter". Dashes
// and underscores are the same in module names.
std::string module_name(std::string_view s) {
  s = s.substr(s.rfind('/') + 1);
  std::string out(s.substr(0, s.find_first_of(" .")));
  std::ranges::replace(out, '-', '_');
  return out;
}

}  // namespace

std::span<const KernelSetting> kernel_settings() { return kSettings; }
std::span<const std::string_view> kernel_modules() { return kModules; }

std::optional<std::uint64_t> raise(const KernelSetting& setting,
                                   const std::optional<std::string>& now) {
  if (!now) return std::nullopt;
  const auto value = text::to_u64(text::trim(*now));
  if (!value || *value >= setting.least) return std::nullopt;
  return setting.least;
}

std::vector<std::string> missing_modules(std::string_view proc_modules,
                                         std::string_view modules_builtin) {
  std::set<std::string> there;
  for (const auto list : {proc_modules, modules_builtin})
    for (const auto line : text::split(list, '\n')) there.insert(module_name(line));
  std::vector<std::string> out;
  for (const auto module : kModules)
    if (!there.contains(module_name(module))) out.emplace_back(module);
  return out;
}

IptablesChoice choose_iptables(const Iptables& by_default, bool default_is_legacy,
                               const Iptables& other) {
  const auto other_choice = default_is_legacy ? IptablesChoice::nft : IptablesChoice::legacy;
  if (!by_default.works) return other.works ? other_choice : IptablesChoice::none;
  // Rules that only the other sees would filter behind dockerd's back: go where the rules are.
  if (other.works && other.rules > by_default.rules) return other_choice;
  return IptablesChoice::as_is;
}

std::uint64_t count_rules(std::string_view iptables_save) {
  const auto lines = text::split(iptables_save, '\n');
  return static_cast<std::uint64_t>(
      std::ranges::count_if(lines, [](std::string_view line) { return line.starts_with("-A "); }));
}

std::vector<std::string> other_engines(std::string_view proc_net_unix,
                                       std::string_view own_exec_root) {
  // dockerd binds EXEC_ROOT/libnetwork/<id>.sock and EXEC_ROOT/metrics.sock in its network
  // namespace; the list shows sockets of all mount namespaces that share it. Its API socket would
  // say less: the agent itself listens on /var/run/docker.sock in other distros.
  std::set<std::string> roots;
  for (const auto line : text::split(proc_net_unix, '\n')) {
    // Seven fields, then the path, in which blanks may be.
    const auto fields = text::fields(line);
    if (fields.size() < 8) continue;
    const std::string_view path =
        line.substr(static_cast<std::size_t>(fields[7].data() - line.data()));
    const auto below = path.find("/libnetwork/");
    if (below != std::string_view::npos && path.ends_with(".sock"))
      roots.emplace(path.substr(0, below));
    if (path.ends_with("/docker/metrics.sock")) roots.emplace(path.substr(0, path.rfind('/')));
  }
  std::vector<std::string> out;
  for (const auto& root : roots)
    if (root != own_exec_root) out.push_back(root);
  return out;
}

}  // namespace causeway::engine_setup
