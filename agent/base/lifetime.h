// Lifetime tells work that was put off whether its owner still lives. It is a member of the owner,
// and ends with it: what comes back later (a deferred task, an answer of another part) then does
// nothing instead of touching what is gone. For one thread.
//
//   loop_.defer(lifetime_.guard([this] { deliver(); }));
//
// The owner declares it last, so that it ends first: nothing guarded runs while other members go.
#pragma once

#include <concepts>
#include <memory>
#include <utility>

namespace causeway {

class Lifetime {
 public:
  // Outlives the owner, and knows whether it has ended: for a function whose callbacks may destroy
  // the object that it runs in.
  class Watch {
   public:
    bool ended() const { return token_.expired(); }

   private:
    friend class Lifetime;
    explicit Watch(const std::shared_ptr<const char>& token) : token_(token) {}
    std::weak_ptr<const char> token_;
  };

  template <typename F>
  struct Guarded {
    template <typename... A>
    void operator()(A&&... arguments) {
      if (!alive.ended()) f(std::forward<A>(arguments)...);
    }
    template <typename... A>
    requires std::invocable<const F&, A...>
    void operator()(A&&... arguments) const {
      if (!alive.ended()) f(std::forward<A>(arguments)...);
    }
    Watch alive;
    F f;
  };

  Lifetime() = default;
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;

  Watch watch() const { return Watch(token_); }

  // `f`, to be called whenever: it does nothing once the owner has ended. Takes what `f` takes and
  // gives nothing back. Copyable when `f` is; const when `f` can be called as const.
  template <typename F>
  auto guard(F f) const {
    return Guarded<F>{watch(), std::move(f)};
  }

 private:
  std::shared_ptr<const char> token_ = std::make_shared<const char>('\0');
};

}  // namespace causeway
