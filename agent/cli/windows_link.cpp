#include "cli/windows_link.h"

#include "link/nonce.h"
#include "wire/hello.h"

namespace causeway::cli {

Status WindowsLink::start(const std::string& run, bool fresh) {
  auto nonce = link::life_nonce(run, fresh);
  if (!nonce) return std::move(nonce).error();
  nonce_ = *std::move(nonce);
  return Ok{};
}

control::LinkContact WindowsLink::contact() const { return {nonce_, 0, wire::kMajor}; }

}  // namespace causeway::cli
