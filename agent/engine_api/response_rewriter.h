// ResponseRewriter gives the engine's paths in an answer back as the client knows them, while the
// answer streams by. Only string tokens at known positions change; every other byte passes as it
// came, and so does a token for which the unmap function has nothing else to say.
//
//   container_inspect             Mounts[].Source, HostConfig.Binds[], HostConfig.Mounts[], devices
//                                 and log options as RequestScanner has them, State.Error, LogPath,
//                                 HostsPath, HostnamePath, ResolvConfPath, GraphDriver.Data,
//                                 NetworkSettings.SandboxKey
//   container_list                [].Mounts[].Source
//   image_inspect                 GraphDriver.Data
//   system_df                     Containers[].Mounts[].Source, Volumes[] as a volume
//   system_info                   DockerRootDir
//   volume_*                      Options.device, Mountpoint
//   service_*, task_*             Mounts[] and LogDriver of each Spec
//   every one of these            message (of errors), Warnings[]
//
// Keys are taken as dockerd prints them. Bounded memory: a string longer than kLongestValue passes
// unchanged. What turns out not to be JSON passes unchanged from there on.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine_api/route.h"

namespace causeway::engine_api {

class ResponseRewriter {
 public:
  static constexpr std::size_t kLongestValue = std::size_t{64} * 1024;

  using Unmap = std::function<std::string(std::string_view)>;

  // `path` for a value that is one path, `text` for a message in which paths may stand.
  ResponseRewriter(Call call, int status, Unmap path, Unmap text);
  ~ResponseRewriter();
  ResponseRewriter(ResponseRewriter&&) noexcept;
  ResponseRewriter& operator=(ResponseRewriter&&) noexcept;

  // The next bytes of the body, decoded; what is ready of the new body is appended to `out`.
  void feed(std::string_view in, std::string& out);
  // The body has ended, or broke off: what was held goes out as it is.
  void finish(std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::engine_api
