// Whom a distro's shells belong to: lines of passwd(5) and of /etc/wsl.conf, as texts. No NSS: the
// helper is one static program for glibc and musl distros.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace causeway::distro {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;  // may be empty
  bool operator==(const Account&) const = default;
};

// By name or by number; a name of digits is looked up as a name first.
std::optional<Account> find_account(std::string_view passwd, std::string_view name_or_uid);

// The default of [user] in /etc/wsl.conf; nothing when it isn't set.
std::optional<std::string> default_user(std::string_view wsl_conf);

}  // namespace causeway::distro
