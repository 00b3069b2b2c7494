// Quota divides what is scarce (places, bytes) among holders who must not hurt each other. Each has
// a reserve that nobody else can take; the rest is common: first come, first served. Pure.
//
//   capacity = reserve of each holder … | common
//
// So whoever fills all that he can get leaves the others what they need.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

namespace causeway::proxy {

class Quota {
 public:
  using Holder = std::uint64_t;

  // `reserve` for each holder; but all reserves together are at most half of the capacity.
  Quota(std::uint64_t capacity, std::uint64_t reserve) : capacity_(capacity), wanted_(reserve) {}

  void add(Holder holder);
  // It has given back all.
  void remove(Holder holder);

  // All of it or nothing. Below its reserve a holder gets what it asks for, unless a holder was
  // added whose reserve the others already had in use.
  bool take(Holder holder, std::uint64_t amount);
  void give_back(Holder holder, std::uint64_t amount);
  bool has_room(Holder holder, std::uint64_t amount) const;

  std::uint64_t used() const { return used_; }
  std::uint64_t used(Holder holder) const;
  std::uint64_t reserve() const { return reserve_; }
  bool above_reserve(Holder holder) const { return used(holder) > reserve_; }
  bool half_used() const { return used_ > capacity_ / 2; }
  // The most that one holder can ever have, as things are.
  std::uint64_t most() const;
  // Since the beginning.
  std::uint64_t given_back() const { return given_back_; }

 private:
  std::uint64_t common() const { return capacity_ - reserve_ * holders_.size(); }
  std::uint64_t beyond(std::uint64_t used) const { return used > reserve_ ? used - reserve_ : 0; }
  void divide();

  const std::uint64_t capacity_;
  const std::uint64_t wanted_;
  std::uint64_t reserve_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t common_used_ = 0;
  std::uint64_t given_back_ = 0;
  std::map<Holder, std::uint64_t> holders_;  // what each has
};

// Charge is what one of a holder's sessions has taken; it gives it back as it goes.
class Charge {
 public:
  Charge() = default;
  Charge(Quota& quota, Quota::Holder holder) : quota_(&quota), holder_(holder) {}
  ~Charge() { set(0); }
  Charge(Charge&& other) noexcept
      : quota_(other.quota_), holder_(other.holder_), amount_(std::exchange(other.amount_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(quota_, other.quota_);
    std::swap(holder_, other.holder_);
    std::swap(amount_, other.amount_);
    return *this;
  }

  std::uint64_t amount() const { return amount_; }
  // From now on this much. False: there is no room, and it stays as it was.
  bool set(std::uint64_t amount);

 private:
  Quota* quota_ = nullptr;  // none: nothing is counted
  Quota::Holder holder_ = 0;
  std::uint64_t amount_ = 0;
};

}  // namespace causeway::proxy
