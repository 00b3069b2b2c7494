// Who gets what when not all can have all: Quota against a model that deals out single pieces.
#include "proxy/quota.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <vector>

using namespace causeway::proxy;

namespace {

// Every piece that a holder has is one of its own reserve or one of the common ones; its own are
// used first.
class Pieces {
 public:
  Pieces(std::uint64_t capacity, std::uint64_t reserve) : capacity_(capacity), wanted_(reserve) {}

  void add(Quota::Holder holder) {
    has_[holder] = {};
    deal();
  }
  void remove(Quota::Holder holder) {
    has_.erase(holder);
    deal();
  }
  bool take(Quota::Holder holder, std::uint64_t amount) {
    auto after = has_;
    std::uint64_t common = 0;
    std::uint64_t all = 0;
    for (std::uint64_t i = 0; i < amount; ++i) {
      Has& of = after.at(holder);
      ++(of.own < reserve_ ? of.own : of.common);
    }
    for (const auto& [id, of] : after) {
      common += of.common;
      all += of.own + of.common;
    }
    if (all > capacity_) return false;
    const bool more_common = after.at(holder).common > has_.at(holder).common;
    if (more_common && common > commons()) return false;
    has_ = after;
    return true;
  }
  void give_back(Quota::Holder holder, std::uint64_t amount) {
    for (std::uint64_t i = 0; i < amount; ++i) {
      Has& of = has_.at(holder);
      --(of.common > 0 ? of.common : of.own);
    }
  }
  std::uint64_t used(Quota::Holder holder) const {
    return has_.at(holder).own + has_.at(holder).common;
  }
  std::uint64_t used() const {
    std::uint64_t all = 0;
    for (const auto& [id, of] : has_) all += of.own + of.common;
    return all;
  }
  std::uint64_t reserve() const { return reserve_; }
  std::uint64_t commons() const { return capacity_ - reserve_ * has_.size(); }
  // A holder came when its reserve was in use.
  bool in_debt() const {
    std::uint64_t common = 0;
    for (const auto& [id, of] : has_) common += of.common;
    return common > commons();
  }

 private:
  struct Has {
    std::uint64_t own = 0;
    std::uint64_t common = 0;
  };
  void deal() {
    reserve_ = has_.empty() ? std::min(wanted_, capacity_ / 2)
                            : std::min(wanted_, capacity_ / 2 / has_.size());
    for (auto& [id, of] : has_) {
      const std::uint64_t all = of.own + of.common;
      of.own = std::min(all, reserve_);
      of.common = all - of.own;
    }
  }
  const std::uint64_t capacity_;
  const std::uint64_t wanted_;
  std::uint64_t reserve_ = 0;
  std::map<Quota::Holder, Has> has_;
};

}  // namespace

TEST_CASE("proxy/quota: as the model has it, whoever comes, takes, gives back and goes") {
  std::mt19937 random(20260101);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    const std::uint64_t capacity = 1 + below(60);
    const std::uint64_t reserve = below(12);
    Quota quota(capacity, reserve);
    Pieces model(capacity, reserve);
    std::vector<Quota::Holder> holders;
    for (Quota::Holder next = 1; next < 400; ++next) {
      const auto what = below(20);
      if (holders.empty() || (what == 0 && holders.size() < 8)) {
        holders.push_back(next);
        quota.add(next);
        model.add(next);
      } else if (what == 1) {
        const std::size_t at = below(holders.size());
        const Quota::Holder gone = holders[at];
        const std::uint64_t has = model.used(gone);
        quota.give_back(gone, has);
        model.give_back(gone, has);
        quota.remove(gone);
        model.remove(gone);
        holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(at));
      } else {
        const Quota::Holder holder = holders[below(holders.size())];
        if (what < 14) {
          const std::uint64_t amount = 1 + below(what < 10 ? 1 : 9);
          const bool within = model.used(holder) + amount <= model.reserve() && !model.in_debt();
          const bool expected = model.take(holder, amount);
          REQUIRE(quota.has_room(holder, amount) == expected);
          REQUIRE(quota.take(holder, amount) == expected);
          if (within) REQUIRE(expected);  // nobody can take a reserve away
        } else {
          const std::uint64_t amount = below(model.used(holder) + 1);
          quota.give_back(holder, amount);
          model.give_back(holder, amount);
        }
      }
      REQUIRE(quota.used() == model.used());
      REQUIRE(quota.used() <= capacity);
      REQUIRE(quota.reserve() == model.reserve());
      for (const Quota::Holder holder : holders) {
        REQUIRE(quota.used(holder) == model.used(holder));
        REQUIRE(quota.above_reserve(holder) == (model.used(holder) > model.reserve()));
      }
    }
  }
}

TEST_CASE("proxy/quota: one that takes all that it can get leaves each other its reserve") {
  for (const std::uint64_t others : {1, 3, 12, 100}) {
    CAPTURE(others);
    Quota quota(4096, 64);
    for (Quota::Holder holder = 0; holder <= others; ++holder) quota.add(holder);
    std::uint64_t got = 0;
    while (quota.take(0, 1)) ++got;
    CHECK(got == quota.most());
    for (Quota::Holder holder = 1; holder <= others; ++holder) {
      for (std::uint64_t i = 0; i < quota.reserve(); ++i) REQUIRE(quota.take(holder, 1));
      CHECK_FALSE(quota.take(holder, 1));
    }
    CHECK(quota.used() == 4096);
    CHECK(quota.reserve() > 0);
  }
}

TEST_CASE("proxy/quota: a charge gives back as it goes, and moves") {
  Quota quota(10, 0);
  quota.add(1);
  {
    Charge charge(quota, 1);
    CHECK(charge.set(6));
    CHECK_FALSE(charge.set(11));
    CHECK(charge.amount() == 6);
    CHECK(charge.set(10));
    Charge moved(std::move(charge));
    CHECK(quota.used() == 10);
    CHECK(moved.set(3));
    Charge other(quota, 1);
    CHECK(other.set(7));
    other = std::move(moved);
    CHECK(other.amount() == 3);
  }
  CHECK(quota.used() == 0);
  CHECK(quota.given_back() == 10 + 7);
  Charge free;  // counts nowhere
  CHECK(free.set(1'000'000));
}
