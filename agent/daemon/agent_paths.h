// AgentPaths joins those who ask what paths mean (the proxy's editor, the guard of the containers)
// and the shares, which know.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "binds/bind_check.h"
#include "binds/source_mapper.h"
#include "daemon/path_editor.h"
#include "http_client/http_client.h"
#include "io/loop.h"
#include "shares/shares.h"

namespace causeway::daemon {

class AgentPaths final : private binds::Distros {
 public:
  // All outlive it. `docker_root` is dockerd's data.
  AgentPaths(io::Loop& loop, shares::Shares& shares, http_client::HttpClient& engine,
             const std::string& docker_root);

  // For the proxy.
  PathEditor& editor() { return editor_; }
  binds::Distros& distros() { return *this; }

  // The check before a start, for starts of the agent's own: an empty text, or why not.
  void check(const std::string& container, std::function<void(const std::string& problem)> done);

  // Called once, for the first source on a Windows drive.
  std::function<void(const std::string& hint)> on_hint;

 private:
  const paths::PathContext& path_context() const override { return shares_.path_context(); }
  std::string obstacle(const std::string& distro) const override;
  void request(const std::string& distro) override { shares_.request(distro); }
  std::string not_started(const std::string& distro) const override {
    return shares_.why_not_started(distro);
  }
  void when_attached(const std::string& distro, std::uint64_t limit_ms, Attached done) override {
    shares_.when_attached(distro, limit_ms, std::move(done));
  }
  void resolve(const std::string& distro, std::vector<std::string> paths, Resolved done) override {
    shares_.resolve(distro, std::move(paths), std::move(done));
  }

  shares::Shares& shares_;
  bool hinted_ = false;
  binds::SourceMapper mapper_;
  binds::BindCheck check_;
  PathEditor editor_;
};

}  // namespace causeway::daemon
