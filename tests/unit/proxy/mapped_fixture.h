// The fixture with a path service that the test plays, and a client with the identity of a distro.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fixture.h"
#include "proxy/path_service.h"

namespace causeway::proxy::test {

// The distro's `/x` is the engine's `/mnt/distro/Ubuntu/x`.
inline const std::string kShare = "/mnt/distro/Ubuntu";

class FakePaths : public PathService {
 public:
  struct Asked {
    std::string identity;
    engine_api::Call call = engine_api::Call::other;
    std::vector<std::string> sources;  // map()
    std::string container;             // check()
    Done done;
  };

  void map(const paths::Identity& identity, const engine_api::Route& route,
           std::vector<std::string> sources, Done done) override {
    asked.push_back({identity.name, route.call, std::move(sources), {}, std::move(done)});
  }
  void check(const paths::Identity& identity, std::string container, Done done) override {
    asked.push_back({identity.name, {}, {}, std::move(container), std::move(done)});
  }
  std::string unmap(const paths::Identity&, std::string_view engine_path) override {
    return std::string(engine_path.starts_with(kShare) ? engine_path.substr(kShare.size())
                                                       : engine_path);
  }
  std::string unmap_text(const paths::Identity&, std::string_view text) override {
    std::string out(text);
    for (std::size_t at = out.find(kShare); at != std::string::npos; at = out.find(kShare)) {
      out.erase(at, kShare.size());
    }
    return out;
  }

  // Answers the only question there is, as a distro with that share would; names stay.
  void answer() {
    Answer answer;
    for (const std::string& source : asked.at(0).sources) {
      answer.paths.push_back(source.starts_with('/') ? kShare + source : source);
    }
    finish(std::move(answer));
  }
  void refuse(int status, std::string message) { finish({status, std::move(message), {}}); }

  std::vector<Asked> asked;

 private:
  void finish(Answer answer) {
    REQUIRE(asked.size() == 1);
    const Done done = std::move(asked[0].done);
    asked.clear();
    done(std::move(answer));
  }
};

inline const paths::Identity kUbuntu{paths::Identity::Kind::distro, "Ubuntu"};

struct MappedFixture {
  explicit MappedFixture(Limits limits = {}, bool ready = true,
                         const paths::Identity& identity = kUbuntu)
      : f(std::move(limits), ready, identity, &paths) {}

  FakePaths paths;  // outlives the server
  Fixture f;
};

inline std::string create(const std::string& body, const std::string& fields = {}) {
  return "POST /v1.41/containers/create?name=a HTTP/1.1\r\nHost: d\r\n"
         "Content-Type: application/json\r\n" +
         fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline const std::string kBody =
    R"({ "Image":"x", "N":1e3, "HostConfig":{"Binds":["/w:/dst:ro","vol:/v"]}, "Z":-0 })";
inline const std::string kMappedBody =
    R"({ "Image":"x", "N":1e3, "HostConfig":{"Binds":["/mnt/distro/Ubuntu/w:/dst:ro","vol:/v"]}, "Z":-0 })";
inline const std::string kCreated =
    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n"
    "{\"Id\":\"1\",\"Warnings\":[]}\n";
// As the client gets it.
inline const std::string kCreatedChunked =
    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    "19\r\n{\"Id\":\"1\",\"Warnings\":[]}\n\r\n0\r\n\r\n";

inline std::string service(const std::string& body) {
  return "POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline const std::string kService =
    R"({"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/w","Target":"/x"}]}}})";

inline const std::string kStart = "POST /containers/abc/start HTTP/1.1\r\nHost: d\r\n\r\n";

// The sizes of this process's open files that have no name any more.
inline std::vector<std::uint64_t> unnamed_files(const std::string& directory) {
  std::vector<std::uint64_t> sizes;
  DIR* const open = opendir("/proc/self/fd");
  while (const dirent* const entry = readdir(open)) {
    std::array<char, 4096> target{};
    const std::string link = std::string("/proc/self/fd/") + entry->d_name;
    if (readlink(link.c_str(), target.data(), target.size() - 1) <= 0) continue;
    struct stat file {};
    if (std::string_view(target.data()).starts_with(directory + "/") &&
        stat(link.c_str(), &file) == 0 && file.st_nlink == 0) {
      sizes.push_back(static_cast<std::uint64_t>(file.st_size));
    }
  }
  closedir(open);
  return sizes;
}

}  // namespace causeway::proxy::test
