#include "supervise/service_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace causeway::supervise {
namespace {
// A daemon that logs 1 MB/s fills it in a second without an agent; a restart takes a tenth.
constexpr int kFifoBytes = 1024 * 1024;
}  // namespace

// Written by one thread, read by its successor after its death: the order of the stores is all that
// counts, and the compiler must keep it.
struct ServiceLog::Pending {
  std::atomic<std::uint64_t> offset;
  std::atomic<std::uint64_t> length;  // 0: no block is under way
};

Result<std::unique_ptr<ServiceLog>> ServiceLog::open(io::Loop& loop, Paths paths, LogLimits limits,
                                                     UniqueFd inherited) {
  if (auto made = file::make_directories(paths.fifo.substr(0, paths.fifo.rfind('/'))); !made)
    return std::move(made).error();
  if (::mkfifo(paths.fifo.c_str(), 0600) != 0 && errno != EEXIST)
    return errno_error("mkfifo " + paths.fifo);
  struct stat at_path {};
  struct stat at_fd {};
  if (::lstat(paths.fifo.c_str(), &at_path) != 0) return errno_error("stat " + paths.fifo);
  if (!S_ISFIFO(at_path.st_mode)) return make_error(paths.fifo + ": not a FIFO");
  UniqueFd fifo = std::move(inherited);
  // One that isn't the one at the path any more has no writers that we could start.
  if (fifo && (::fstat(fifo.get(), &at_fd) != 0 || at_fd.st_ino != at_path.st_ino ||
               at_fd.st_dev != at_path.st_dev))
    fifo.reset();
  if (!fifo) {
    // Read-write: never an end of file, and the content outlives every daemon.
    fifo.reset(::open(paths.fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fifo) return errno_error("open " + paths.fifo);
    // Above fs.pipe-max-size it stays smaller: it works all the same.
    if (::fcntl(fifo.get(), F_SETPIPE_SZ, kFifoBytes) < 0)
      log::debug("log.fifo_small", {{"fifo", paths.fifo}, {"errno", errno}});
  }
  auto out =
      std::unique_ptr<ServiceLog>(new ServiceLog(loop, std::move(paths), limits, std::move(fifo)));
  if (auto opened = out->open_pending(); !opened) return std::move(opened).error();
  out->recover();
  out->lines_.add(out->file_.tail(LogLines::kKeepBytes), nullptr);
  out->poll_.watch(io::Poll::readable);
  return out;
}

ServiceLog::ServiceLog(io::Loop& loop, Paths paths, LogLimits limits, UniqueFd fifo)
    : loop_(loop),
      paths_(std::move(paths)),
      fifo_(std::move(fifo)),
      file_(paths_.file, limits),
      poll_(loop, fifo_.get(), [this](unsigned) { move_block(); }) {}

ServiceLog::~ServiceLog() {
  if (pending_ != nullptr) ::munmap(pending_, sizeof(Pending));
}

Status ServiceLog::open_pending() {
  const UniqueFd fd(::open(paths_.pending.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return errno_error("open " + paths_.pending);
  if (::ftruncate(fd.get(), sizeof(Pending)) != 0) return errno_error("resize " + paths_.pending);
  void* at = ::mmap(nullptr, sizeof(Pending), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return errno_error("map " + paths_.pending);
  pending_ = static_cast<Pending*>(at);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return errno_error("pipe");
  scratch_out_.reset(ends[0]);
  scratch_in_.reset(ends[1]);
  return Ok{};
}

std::string_view ServiceLog::peek() {
  const auto buffer = loop_.read_buffer();
  ssize_t copied = 0;
  do {
    copied = ::tee(fifo_.get(), scratch_in_.get(), buffer.size(), SPLICE_F_NONBLOCK);
  } while (copied < 0 && errno == EINTR);
  if (copied <= 0) return {};
  std::size_t have = 0;
  while (have < static_cast<std::size_t>(copied)) {
    const ssize_t n = ::read(scratch_out_.get(), buffer.data() + have, buffer.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  return {buffer.data(), have};
}

void ServiceLog::recover() {
  const std::uint64_t offset = pending_->offset;
  const std::uint64_t length = pending_->length;
  pending_->length = 0;
  struct stat info {};
  if (length == 0 || ::stat(paths_.file.c_str(), &info) != 0) return;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size <= offset || size - offset > length)
    return;  // nothing of it was written, or another file
  const std::string in_file = file_.tail(static_cast<std::size_t>(size - offset));
  if (!peek().starts_with(in_file)) return;  // consumed: only the record was left to clear
  if (auto done = file_.truncate(offset); !done)
    log::warning("log.doubled", {{"file", paths_.file}, {"error", done.error().message}});
}

bool ServiceLog::move_block() {
  const auto bytes = peek();
  if (bytes.empty()) return false;
  write_file(bytes);
  // The same bytes again, this time for good: nobody else reads. They come back into the buffer
  // that they are in already.
  std::size_t left = bytes.size();
  while (left > 0) {
    const ssize_t n = ::read(fifo_.get(), loop_.read_buffer().data() + (bytes.size() - left), left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    left -= static_cast<std::size_t>(n);
  }
  pending_->length = 0;
  deliver(bytes);
  return true;
}

void ServiceLog::write_file(std::string_view bytes) {
  std::size_t written = 0;
  auto done = file_.prepare(bytes.size());
  if (done) {
    pending_->offset = file_.size();
    pending_->length = bytes.size();
    done = file_.append(bytes, written);
  }
  const bool was_failing = !error_.empty();
  error_ = done ? "" : done.error().message;
  unwritten_ += bytes.size() - written;
  if (!done && !was_failing) {
    log::warning("log.unwritten", {{"file", paths_.file}, {"error", error_}});
  } else if (done && was_failing) {
    const std::string line = "causeway: " + std::to_string(unwritten_) +
                             " bytes of this log could not be written so far\n";
    (void)file_.append(line, written);
  }
}

LogLines::Line ServiceLog::teller() {
  if (followers_.empty()) return nullptr;
  return [this](std::string_view line) {
    // A follower may end itself or others in its callback.
    const auto followers = followers_;
    for (const auto& weak : followers)
      if (const auto follower = weak.lock()) follower->line(line);
  };
}

void ServiceLog::deliver(std::string_view bytes) {
  std::erase_if(followers_, [](const auto& weak) { return weak.expired(); });
  if (followers_.empty()) return lines_.add(bytes, nullptr);
  // Followers may use the loop's buffer.
  const std::string own(bytes);
  lines_.add(own, teller());
}

void ServiceLog::note(std::string_view line) {
  std::string bytes(text::printable(line));
  bytes += '\n';
  std::size_t written = 0;
  if (file_.prepare(bytes.size())) (void)file_.append(bytes, written);
  deliver(bytes);
}

void ServiceLog::service_ended() {
  // Bounded by what a full FIFO holds: something that the service left behind may go on writing.
  for (int block = 0; block < 64 && move_block(); ++block) {
  }
  lines_.end(teller());
}

std::shared_ptr<LogSubscription> ServiceLog::follow(std::function<void(std::string_view)> line) {
  auto subscription = std::make_shared<LogSubscription>(LogSubscription{std::move(line)});
  followers_.push_back(subscription);
  return subscription;
}

}  // namespace causeway::supervise
