// CollectedBody holds a request's body of any size: a little in memory, a long one in a temporary
// file without a name, which goes away with the CollectedBody or the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/quota.h"

namespace causeway::proxy {

class CollectedBody {
 public:
  // At most `in_memory` bytes stay in memory, fewer when there is no room for them in `memory`; the
  // file would be in `directory`, and counts in `disk`.
  CollectedBody(std::size_t in_memory, std::string directory, Charge memory = {}, Charge disk = {})
      : in_memory_(in_memory),
        directory_(std::move(directory)),
        of_memory_(std::move(memory)),
        of_disk_(std::move(disk)) {}

  // False: there is no room on disk for this much. The body is no good then.
  Result<bool> append(std::string_view bytes);
  std::uint64_t size() const { return size_; }
  // Appends the `length` bytes from `begin` on, which are there, to `out`.
  Status read(std::uint64_t begin, std::size_t length, std::string& out) const;
  bool in_file() const { return static_cast<bool>(file_); }

 private:
  bool fits_memory(std::size_t more);
  Status move_to_file();
  Status write(std::string_view bytes);

  std::size_t in_memory_;
  std::string directory_;
  std::uint64_t size_ = 0;
  std::string memory_;  // all of it, until there is a file
  UniqueFd file_;
  Charge of_memory_;
  Charge of_disk_;
};

}  // namespace causeway::proxy
