// Result<T>: a value, or an error that says what failed and why. A function returns an error or
// logs it, never both; callers prepend their own context, so that the text grows from the inside
// out: "start dockerd: open /data/log/dockerd.log: No space left on device". std::expected is
// C++23; this is the small part of it that the project uses, and it compiles with MinGW too.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace causeway {

struct Error {
  std::string message;  // without a trailing full stop or newline
  // The system's own number where a call of it failed, else 0: errno, and on Windows what
  // GetLastError() or WSAGetLastError() says. To be compared on the system that it came from.
  int code = 0;

  // The same error with `context` in front: "context: message".
  Error with(std::string_view context) && {
    message.insert(0, ": ");
    message.insert(0, context);
    return std::move(*this);
  }
};

// An error from errno (or `code`): "what: No such file or directory".
inline Error errno_error(std::string_view what, int code = errno) {
  return Error{std::string(what) + ": " + std::strerror(code), code};
}
inline Error make_error(std::string message) { return Error{std::move(message), 0}; }

struct Ok {};  // the value of a Result<Ok>: success that carries nothing

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Only when ok().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  // Only when !ok().
  Error& error() & { return *std::get_if<1>(&state_); }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

using Status = Result<Ok>;

}  // namespace causeway
