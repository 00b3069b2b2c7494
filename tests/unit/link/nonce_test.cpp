#include "link/nonce.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "support/temp_dir.h"

using namespace causeway;

namespace {

struct Run : test::TempDir {
  std::string nonce(bool fresh = false) const {
    auto out = link::boot_nonce(path, fresh);
    REQUIRE(out.ok());
    CHECK(out->size() == 32);
    CHECK(out->find_first_not_of("0123456789abcdef") == std::string::npos);
    return *out;
  }
};

}  // namespace

TEST_CASE("link/nonce: the same for every agent of a boot, another in another boot") {
  const Run run;
  const Run other;
  const std::string nonce = run.nonce();
  CHECK(run.nonce() == nonce);
  CHECK(other.nonce() != nonce);
  CHECK(run.nonce(true) != nonce);
}

TEST_CASE("link/nonce: for root only, and nonsense in the file is replaced") {
  const Run run;
  const std::string nonce = run.nonce();
  struct stat info {};
  REQUIRE(::stat((run.path + "/link.nonce").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  for (const std::string& bad :
       {std::string(), nonce.substr(1), nonce + "0", "G" + nonce.substr(1)}) {
    REQUIRE(file::write_atomic(run.path + "/link.nonce", bad, 0600).ok());
    const std::string again = run.nonce();
    CHECK(again != bad);
    CHECK(run.nonce() == again);
  }
  CHECK(!link::boot_nonce("/nowhere", false).ok());
}
