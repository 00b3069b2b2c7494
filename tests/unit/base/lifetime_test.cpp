#include "base/lifetime.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

using causeway::Lifetime;

TEST_CASE("base/lifetime: guarded work is done while the owner lives, and not afterwards") {
  std::optional<Lifetime> owner(std::in_place);
  int calls = 0;
  const std::function<void(int)> add = owner->guard([&](int n) { calls += n; });
  add(1);
  add(2);
  CHECK(calls == 3);
  owner.reset();
  add(4);
  CHECK(calls == 3);
}

TEST_CASE("base/lifetime: arguments and captures may be of move-only types") {
  const Lifetime owner;
  auto text = std::make_unique<std::string>("a");
  std::string got;
  auto take = owner.guard(
      [&got, mine = std::move(text)](std::unique_ptr<std::string> more) { got = *mine + *more; });
  take(std::make_unique<std::string>("b"));
  CHECK(got == "ab");
}

TEST_CASE("base/lifetime: a watch outlives the owner, also when a callback ends it") {
  auto owner = std::make_unique<Lifetime>();
  const auto alive = owner->watch();
  bool went_on = false;
  owner->guard([&] {
    owner.reset();
    went_on = true;
  })();
  CHECK(went_on);
  CHECK(alive.ended());
}
