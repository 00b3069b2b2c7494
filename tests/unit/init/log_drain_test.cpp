#include "init/log_drain.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/unique_fd.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::init;

namespace {

// A FIFO as the supervisor makes them: one descriptor that reads and writes.
struct Fifo {
  explicit Fifo(int flags = O_RDWR) {
    const causeway::test::TempDir directory;
    const std::string path = directory / "fifo";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    writer.reset(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    stored.reset(open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
    REQUIRE(fcntl(writer.get(), F_SETPIPE_SZ, 65536) == 65536);
  }

  // Lines of this size until one blocks; how many bytes that were.
  std::size_t fill(std::size_t line) const {
    const std::string text(line, 'x');
    std::size_t written = 0;
    while (write(writer.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()))
      written += line;
    return written;
  }

  int held() const {
    int bytes = 0;
    ioctl(stored.get(), FIONREAD, &bytes);
    return bytes;
  }

  UniqueFd writer;
  UniqueFd stored;
};

}  // namespace

TEST_CASE("init/log_drain: a full FIFO makes room, and its size doesn't matter") {
  // 2,100-byte lines fill all page slots at half the capacity in bytes.
  for (const std::size_t line :
       {std::size_t{1}, std::size_t{100}, std::size_t{2100}, std::size_t{4096}}) {
    for (const int flags : {O_RDWR, O_RDONLY}) {
      CAPTURE(line);
      CAPTURE(flags);
      const Fifo fifo(flags);
      const std::size_t written = fifo.fill(line);
      CHECK(drain_full_fifo(fifo.stored.get()) == written);
      CHECK(fifo.held() == 0);
      CHECK(fifo.fill(line) == written);
    }
  }
}

TEST_CASE("init/log_drain: only the oldest 64 KiB of a large FIFO go") {
  const Fifo fifo;
  REQUIRE(fcntl(fifo.writer.get(), F_SETPIPE_SZ, 262144) == 262144);
  const auto written = static_cast<int>(fifo.fill(4096));
  CHECK(drain_full_fifo(fifo.stored.get()) == 65536);
  CHECK(fifo.held() == written - 65536);
  CHECK(drain_full_fifo(fifo.stored.get()) == 0);
}

TEST_CASE("init/log_drain: a FIFO with room, and what is no FIFO, is left alone") {
  const Fifo fifo;
  CHECK(drain_full_fifo(fifo.stored.get()) == 0);
  REQUIRE(write(fifo.writer.get(), "line\n", 5) == 5);
  CHECK(drain_full_fifo(fifo.stored.get()) == 0);
  CHECK(fifo.held() == 5);
  const Fifo write_only(O_WRONLY);
  write_only.fill(4096);
  CHECK(drain_full_fifo(write_only.stored.get()) == 0);
  const UniqueFd null(open("/dev/zero", O_RDWR | O_CLOEXEC));
  CHECK(drain_full_fifo(null.get()) == 0);
  CHECK(drain_full_fifo(-1) == 0);
}
