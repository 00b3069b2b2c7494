// RequestScanner finds the paths in a request's JSON body while it streams by: the byte range of
// each string that holds a path of the client, so that the proxy can put the engine's path there
// and leave every other byte as it is. Sans I/O, bounded memory whatever the size of the body.
//
// It reads as dockerd does (Go's encoding/json): keys match without regard to case, with U+017F for
// s and U+212A for k, after unescaping; keys of driver options, a Go map, match exactly. What
// dockerd could read in another way than we do is an error, and dockerd must then not see the
// request: a key on the way to a path given twice, a wrong type on that way, anything behind the
// JSON value, what is no JSON at all.
//
//   container_create              HostConfig.Binds[], HostConfig.Mounts[]; Binds and Mounts at the
//   top container_start_with_config   the same, or no body volume_create DriverOpts.device of the
//   local driver, with o=bind service_create, …_update      TaskTemplate.ContainerSpec.Mounts[]
//
// A mount counts when its Type is "bind" (its Source), or "volume" with the local driver and o=bind
// (VolumeOptions.DriverConfig.Options.device). Dockerd up to 26 takes HostConfig's members at the
// top level too, when there is no HostConfig, and before API 1.24 it takes them with a start (moby,
// runconfig/config_unix.go; both measured with 20.10). No body at all is left to dockerd's
// judgement.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine_api/route.h"

namespace causeway::engine_api {

struct PathValue {
  enum class Kind { bind, mount, device };
  Kind kind = Kind::bind;
  std::uint64_t begin = 0;  // of the string token in the body, with its quotes: [begin, end)
  std::uint64_t end = 0;
  std::string source;  // decoded: the path, or a volume's name, as the client wrote it
  std::string rest;    // of a bind: ":/dst:ro", which stays behind the new path
};

class RequestScanner {
 public:
  // A path is at most 4 KiB long for Linux; a string of escapes may be six times that.
  static constexpr std::size_t kLongestValue = std::size_t{64} * 1024;
  static constexpr std::size_t kMostValues = 4096;
  // All of them together: what one request may make us hold.
  static constexpr std::size_t kMostBytes = std::size_t{4} * 1024 * 1024;

  explicit RequestScanner(Call call);
  ~RequestScanner();
  RequestScanner(RequestScanner&&) noexcept;
  RequestScanner& operator=(RequestScanner&&) noexcept;

  // The next bytes of the body. An error is for the client's 400, and final.
  Status feed(std::string_view body);
  // The body is complete.
  Status finish();
  // After finish(): those that count, in the order of the body.
  std::vector<PathValue> values() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The JSON string token that stands for the value once `engine_path` is its source. When that is
// the source itself, leave the body's own bytes. What JSON can't say (see can_replace) becomes a
// NUL character, which dockerd refuses.
std::string replacement(const PathValue& value, std::string_view engine_path);
// Whether dockerd would read `engine_path` there as it is: it must be UTF-8, and without a colon in
// a bind. The error is for the client's 400.
Status can_replace(const PathValue& value, std::string_view engine_path);

}  // namespace causeway::engine_api
