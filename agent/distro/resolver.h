// Resolves paths away from the loop: a file system that hangs (NFS, FUSE) may hold a thread of this
// helper, not the helper.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/unique_fd.h"
#include "handover/message.h"
#include "io/loop.h"
#include "io/poll.h"

namespace causeway::distro {

class Resolver {
 public:
  // So many questions at once have a thread; the others wait. Questions beyond the second bound are
  // answered with an error: who asks has given up on earlier ones long before.
  static constexpr std::size_t kThreads = 8;
  static constexpr std::size_t kMaxWaiting = 1024;

  // What resolves one path, in any thread. Not handover::resolve_path itself in tests.
  using Resolve = std::function<handover::Resolution(const std::string&)>;
  using Answer = std::function<void(std::int64_t ticket, std::vector<handover::Resolution>)>;

  Resolver(io::Loop& loop, Resolve resolve, Answer answer);
  // Threads that hang are left behind; they touch nothing of ours.
  ~Resolver();

  // `answer` comes later, on the loop.
  void ask(std::int64_t ticket, std::vector<std::string> paths);

 private:
  struct Shared;
  void on_answers();

  io::Loop& loop_;
  Answer answer_;
  std::shared_ptr<Shared> shared_;
  Lifetime lifetime_;
  io::Poll poll_;
};

}  // namespace causeway::distro
