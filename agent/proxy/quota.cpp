#include "proxy/quota.h"

#include <algorithm>

namespace causeway::proxy {

void Quota::add(Holder holder) {
  holders_.emplace(holder, 0);
  divide();
}

void Quota::remove(Holder holder) {
  holders_.erase(holder);
  divide();
}

void Quota::divide() {
  const std::uint64_t holders = std::max<std::uint64_t>(holders_.size(), 1);
  reserve_ = std::min(wanted_, capacity_ / 2 / holders);
  common_used_ = 0;
  for (const auto& [holder, used] : holders_) common_used_ += beyond(used);
}

std::uint64_t Quota::used(Holder holder) const {
  const auto found = holders_.find(holder);
  return found == holders_.end() ? 0 : found->second;
}

std::uint64_t Quota::most() const { return reserve_ + common(); }

bool Quota::has_room(Holder holder, std::uint64_t amount) const {
  const auto found = holders_.find(holder);
  if (found == holders_.end() || amount > capacity_ - used_) return false;
  const std::uint64_t of_common = beyond(found->second + amount) - beyond(found->second);
  return of_common == 0 || common_used_ + of_common <= common();
}

bool Quota::take(Holder holder, std::uint64_t amount) {
  if (!has_room(holder, amount)) return false;
  std::uint64_t& used = holders_.at(holder);
  common_used_ += beyond(used + amount) - beyond(used);
  used += amount;
  used_ += amount;
  return true;
}

void Quota::give_back(Holder holder, std::uint64_t amount) {
  const auto found = holders_.find(holder);
  if (found == holders_.end()) return;
  std::uint64_t& used = found->second;
  amount = std::min(amount, used);
  common_used_ -= beyond(used) - beyond(used - amount);
  used -= amount;
  used_ -= amount;
  given_back_ += amount;
}

bool Charge::set(std::uint64_t amount) {
  if (quota_ != nullptr) {
    if (amount > amount_ && !quota_->take(holder_, amount - amount_)) return false;
    if (amount < amount_) quota_->give_back(holder_, amount_ - amount);
  }
  amount_ = amount;
  return true;
}

}  // namespace causeway::proxy
