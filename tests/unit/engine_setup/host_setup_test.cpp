#include "engine_setup/host_setup.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace causeway::engine_setup;

TEST_CASE("engine_setup/host_setup: kernel settings are raised, never lowered") {
  const KernelSetting setting{"vm/max_map_count", 262144};
  CHECK(raise(setting, "65530\n") == 262144U);
  CHECK_FALSE(raise(setting, "262144\n").has_value());
  CHECK_FALSE(raise(setting, "1048576\n").has_value());
  CHECK_FALSE(raise(setting, std::nullopt).has_value());  // this kernel has no such setting
  CHECK_FALSE(raise(setting, "1 2\n").has_value());
  CHECK_FALSE(raise(setting, "").has_value());
  CHECK(std::ranges::any_of(kernel_settings(), [](const auto& s) {
    return s.path == "vm/max_map_count" && s.least >= 262144;
  }));
}

TEST_CASE(
    "engine_setup/host_setup: only modules that are neither loaded nor built in are missing") {
  const std::string builtin = "kernel/fs/overlayfs/overlay.ko\nkernel/net/bridge/br_netfilter.ko\n";
  const auto missing =
      missing_modules("xt_MASQUERADE 16384 0 - Live 0x0\nveth 3 0 - Live\n", builtin);
  const auto has = [&](const char* name) { return std::ranges::count(missing, name) == 1; };
  CHECK_FALSE(has("overlay"));
  CHECK_FALSE(has("br_netfilter"));
  CHECK_FALSE(has("xt_MASQUERADE"));
  CHECK_FALSE(has("veth"));
  CHECK(has("iptable_nat"));
  CHECK(missing.size() == kernel_modules().size() - 4);
  std::string all;
  for (const auto module : kernel_modules()) all += std::string(module) + " 1 0\n";
  CHECK(missing_modules(all, "").empty());
}

TEST_CASE("engine_setup/host_setup: the packet filter that works, and where the rules are") {
  const Iptables works{true, true, 0, ""};
  const Iptables busy{true, true, 7, ""};
  const Iptables broken{true, false, 0, "no"};
  const Iptables absent{};
  CHECK(choose_iptables(works, false, absent) == IptablesChoice::as_is);
  CHECK(choose_iptables(works, false, works) == IptablesChoice::as_is);
  CHECK(choose_iptables(busy, false, busy) == IptablesChoice::as_is);
  CHECK(choose_iptables(works, false, busy) == IptablesChoice::legacy);
  CHECK(choose_iptables(works, true, busy) == IptablesChoice::nft);
  CHECK(choose_iptables(broken, false, works) == IptablesChoice::legacy);
  CHECK(choose_iptables(broken, true, works) == IptablesChoice::nft);
  CHECK(choose_iptables(broken, false, broken) == IptablesChoice::none);
  CHECK(choose_iptables(broken, false, absent) == IptablesChoice::none);
  CHECK(count_rules("*nat\n:DOCKER - [0:0]\n-A POSTROUTING -j X\n-A DOCKER -j RETURN\nCOMMIT\n") ==
        2);
  CHECK(count_rules("") == 0);
}

TEST_CASE(
    "engine_setup/host_setup: another dockerd is known by its run-time sockets, not by its API") {
  const std::string unix_sockets =
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0: 00000002 00000000 00010000 0001 01 15163 /run/causeway/docker/libnetwork/1f.sock\n"
      "0: 00000002 00000000 00010000 0001 01 15164 /var/run/docker.sock\n"
      "0: 00000002 00000000 00010000 0001 01 15165 /run/causeway/docker/metrics.sock\n"
      "0: 00000002 00000000 00000000 0002 01 15166\n";
  CHECK(other_engines(unix_sockets, "/run/causeway/docker").empty());
  const auto others = other_engines(
      unix_sockets +
          "0: 00000002 00000000 00010000 0001 01 15170 /var/run/docker/libnetwork/ab12.sock\n"
          "0: 00000002 00000000 00010000 0001 01 15171 /var/run/docker/metrics.sock\n",
      "/run/causeway/docker");
  CHECK(others == std::vector<std::string>{"/var/run/docker"});
  CHECK(other_engines(
            "0: 00000002 00000000 00010000 0001 01 15172 /srv/my  engine/libnetwork/a.sock\n",
            "/x") == std::vector<std::string>{"/srv/my  engine"});
  CHECK(other_engines("", "/x").empty());
}
