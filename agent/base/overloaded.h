// One function object of several, for std::visit: a type that none of them takes doesn't compile.
//
//   std::visit(Overloaded{[](const Hello&) {…}, [](const Bye&) {…}}, message);
#pragma once

namespace causeway {

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace causeway
