// What the kernel needs before dockerd starts, as pure decisions: kernel settings that are only
// ever raised, modules that are missing, which iptables works, whether another dockerd shares the
// network. host_setup_command.h looks and carries out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::engine_setup {

// A kernel setting and the least that containers should find: /proc/sys/<path>.
struct KernelSetting {
  std::string_view path;
  std::uint64_t least;
};
std::span<const KernelSetting> kernel_settings();

// What to write, if anything: nothing where the kernel lacks it (`now` empty), has enough, or says
// something that isn't one number.
std::optional<std::uint64_t> raise(const KernelSetting& setting,
                                   const std::optional<std::string>& now);

// Modules that dockerd, containerd and Kubernetes' network use.
std::span<const std::string_view> kernel_modules();

// Those that are neither loaded (/proc/modules) nor part of the kernel (modules.builtin).
std::vector<std::string> missing_modules(std::string_view proc_modules,
                                         std::string_view modules_builtin);

// One of the two ways to program the kernel's packet filter. Rules made by one are invisible to the
// other.
struct Iptables {
  bool present = false;     // its program is there
  bool works = false;       // listing the nat table succeeded
  std::uint64_t rules = 0;  // in all tables
  std::string error;        // what it said when it failed
};
enum class IptablesChoice {
  as_is,   // what PATH has works, and nothing speaks against it
  nft,     // links to iptables-nft are needed
  legacy,  // links to iptables-legacy are needed
  none,    // nothing works: published ports and the bridge network won't
};
// `default_is_legacy`: what "iptables" in PATH is.
IptablesChoice choose_iptables(const Iptables& by_default, bool default_is_legacy,
                               const Iptables& other);

// Rules in the output of iptables-save.
std::uint64_t count_rules(std::string_view iptables_save);

// Where other dockerds keep their run-time state, as far as this network namespace shows: from
// /proc/net/unix, without the one below `own_exec_root`.
std::vector<std::string> other_engines(std::string_view proc_net_unix,
                                       std::string_view own_exec_root);

}  // namespace causeway::engine_setup
