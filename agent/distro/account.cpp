#include "distro/account.h"

#include <limits>
#include <vector>

#include "base/text.h"

namespace causeway::distro {
namespace {

constexpr std::size_t kFields = 7;

std::optional<Account> parse(std::string_view line) {
  const auto fields = text::split(line, ':');
  if (fields.size() != kFields || fields[0].empty()) return std::nullopt;
  const auto uid = text::to_u64(fields[2]);
  const auto gid = text::to_u64(fields[3]);
  constexpr auto kMost = std::numeric_limits<uid_t>::max();
  if (!uid || !gid || *uid >= kMost || *gid >= kMost) return std::nullopt;
  return Account{std::string(fields[0]), static_cast<uid_t>(*uid), static_cast<gid_t>(*gid),
                 std::string(fields[5])};
}

}  // namespace

std::optional<Account> find_account(std::string_view passwd, std::string_view name_or_uid) {
  const auto uid = text::to_u64(name_or_uid);
  std::optional<Account> by_uid;
  for (const auto line : text::split(passwd, '\n')) {
    auto account = parse(line);
    if (!account) continue;
    if (account->name == name_or_uid) return account;
    if (!by_uid && uid && account->uid == *uid) by_uid = std::move(account);
  }
  return by_uid;
}

// WSL reads it with its own parser: sections and keys in any case, values perhaps in quotes, the
// first of two keys counts (microsoft/WSL src/shared/configfile).
std::optional<std::string> default_user(std::string_view wsl_conf) {
  bool in_user = false;
  for (auto line : text::split(wsl_conf, '\n')) {
    line = text::trim(line.substr(0, line.find('#')));
    if (line.starts_with('[') && line.ends_with(']')) {
      in_user = text::iequals(text::trim(line.substr(1, line.size() - 2)), "user");
      continue;
    }
    const auto equals = line.find('=');
    if (!in_user || equals == std::string_view::npos ||
        !text::iequals(text::trim(line.substr(0, equals)), "default"))
      continue;
    auto value = text::trim(line.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (!value.empty()) return std::string(value);
  }
  return std::nullopt;
}

}  // namespace causeway::distro
