#include "distro/resolver.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace causeway::distro {

struct Resolver::Shared {
  struct Question {
    std::int64_t ticket = 0;
    std::vector<std::string> paths;
  };
  struct Answered {
    std::int64_t ticket = 0;
    std::vector<handover::Resolution> results;
  };

  Resolve resolve;
  UniqueFd ready{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};  // counts what `answered` got
  std::mutex mutex;
  std::deque<Question> waiting;
  std::vector<Answered> answered;
  std::size_t threads = 0;
  bool ended = false;

  void add(Answered answer) {
    answered.push_back(std::move(answer));
    const std::uint64_t one = 1;
    (void)!::write(ready.get(), &one, sizeof(one));
  }

  // A thread's life: one question after the other, until there is none.
  void work() {
    std::unique_lock lock(mutex);
    while (!waiting.empty() && !ended) {
      auto question = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      Answered answer{question.ticket, {}};
      for (const auto& path : question.paths) answer.results.push_back(resolve(path));
      lock.lock();
      if (!ended) add(std::move(answer));
    }
    --threads;
  }
};

Resolver::Resolver(io::Loop& loop, Resolve resolve, Answer answer)
    : loop_(loop),
      answer_(std::move(answer)),
      shared_(std::make_shared<Shared>()),
      poll_(loop, shared_->ready.get(), [this](unsigned) { on_answers(); }) {
  shared_->resolve = std::move(resolve);
  poll_.watch(io::Poll::readable);
}

Resolver::~Resolver() {
  const std::lock_guard lock(shared_->mutex);
  shared_->ended = true;
}

void Resolver::ask(std::int64_t ticket, std::vector<std::string> paths) {
  const std::lock_guard lock(shared_->mutex);
  const auto refuse = [&](const char* why) {
    shared_->add({ticket, std::vector<handover::Resolution>(paths.size(), {"", why})});
  };
  if (shared_->waiting.size() >= kMaxWaiting)
    return refuse("the distro's helper has too many questions: a file system may hang");
  if (shared_->threads < kThreads) {
    try {
      std::thread([shared = shared_] { shared->work(); }).detach();
      ++shared_->threads;
    } catch (const std::system_error&) {
      if (shared_->threads == 0) return refuse("the distro's helper can't start a thread");
    }
  }
  shared_->waiting.push_back({ticket, std::move(paths)});
}

void Resolver::on_answers() {
  std::uint64_t count = 0;
  (void)!::read(shared_->ready.get(), &count, sizeof(count));
  std::vector<Shared::Answered> answered;
  {
    const std::lock_guard lock(shared_->mutex);
    answered = std::exchange(shared_->answered, {});
  }
  const auto alive = lifetime_.watch();
  for (auto& one : answered) {
    answer_(one.ticket, std::move(one.results));
    if (alive.ended()) return;
  }
}

}  // namespace causeway::distro
