// RequestScanner finds, in a request's JSON body while it streams by, what somebody may want to
// change on its way to dockerd: paths of the client, the environment, labels, hosts; each as a
// range of bytes, so that every other byte can stay as it is. Sans I/O, bounded memory whatever the
// size of the body.
//
// It reads as dockerd does (Go's encoding/json): keys match without regard to case, with U+017F for
// s and U+212A for k, after unescaping; keys of a Go map (driver options, labels) match exactly.
// What dockerd could read in another way than we do is an error, and dockerd must then not see the
// request: a key on the way to a finding given twice, a wrong type on that way, anything behind the
// JSON value, what is no JSON at all. Only what is wanted is looked at; the rest is dockerd's.
//
//   kinds         call                          where
//   paths         container_create              HostConfig.Binds[], HostConfig.Mounts[],
//                                               HostConfig.Devices[].PathOnHost, the Path of
//                                               BlkioWeightDevice[] and its brothers,
//                                               HostConfig.LogConfig.Config; all of them at the top
//                 container_start_with_config   the same, or no body
//                 volume_create                 DriverOpts.device of the local driver
//                 service_create, …_update      TaskTemplate.ContainerSpec.Mounts[],
//                                               TaskTemplate.LogDriver.Options
//   environment   container_create              Env[]
//   labels        container_create              Labels{}
//   hosts         container_create              HostConfig.ExtraHosts[]
//
// A mount counts when its Type is "bind" (its Source), or "volume" with the local driver
// (VolumeOptions.DriverConfig.Options.device). The device counts with o=bind, and where mount(2)
// would open it: a disk, 9p's socket. Of a log driver the addresses of unix sockets count, and the
// files that dockerd reads. A CgroupParent in init's or the services' own groups is refused, and so
// is a bind that MSYS has made a list of.
//
// Dockerd up to 26 takes HostConfig's members at the top level too, when there is no HostConfig,
// and before API 1.24 it takes them with a start (moby, runconfig/config_unix.go; both measured
// with 20.10): so a HostConfig that isn't there can't be added for the hosts. No body at all is
// left to dockerd's judgement.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "engine_api/findings.h"
#include "engine_api/route.h"

namespace causeway::engine_api {

class RequestScanner {
 public:
  // A path is at most 4 KiB long for Linux; a string of escapes may be six times that. An entry of
  // a list that is longer isn't told.
  static constexpr std::size_t kLongestValue = std::size_t{64} * 1024;
  static constexpr std::size_t kMostValues = 4096;  // paths, and entries of each list
  // All of them together: what one request may make us hold.
  static constexpr std::size_t kMostBytes = std::size_t{4} * 1024 * 1024;

  RequestScanner(Call call, const FindingKinds& wanted);
  ~RequestScanner();
  RequestScanner(RequestScanner&&) noexcept;
  RequestScanner& operator=(RequestScanner&&) noexcept;

  // The next bytes of the body. An error is for the client's 400, and final.
  Status feed(std::string_view body);
  // The body is complete.
  Status finish();
  // After finish(), once.
  Findings take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::engine_api
