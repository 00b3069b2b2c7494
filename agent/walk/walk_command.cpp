#include "walk/walk_command.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/exit_code.h"
#include "handover/resolve.h"
#include "mounts/open_in_root.h"
#include "walk/gated_walk.h"
#include "walk/walk_message.h"

namespace causeway::walk {
namespace {

constexpr int kStopped = -1;  // no number of errno: the agent wants no answer

Message failure(const Error& error) { return {Kind::failed, error.code, error.message}; }

// Asks for leave to look into a mount.
Status ask(int socket, int mount) {
  if (auto sent = send(socket, {Kind::enter, mount}); !sent) return sent;
  const auto answer = receive(socket, false);
  if (!answer) return answer.error();
  if (answer->kind != Kind::go) return Error{"stopped", kStopped};
  return Ok{};
}

Message answer_to(const Message& asked) {
  if (asked.kind == Kind::resolve) {
    auto path = handover::resolve_path(asked.fd.get(), asked.text);
    if (!path) return failure(path.error());
    return {Kind::resolved, 0, *std::move(path)};
  }
  auto file = mounts::open_in_root(asked.fd.get(), asked.text, mounts::Lookup::in_root, O_PATH);
  if (!file) return failure(file.error());
  return {Kind::opened, 0, {}, *std::move(file)};
}

// False when there is nobody to answer any more.
bool answer(int socket, Message asked) {
  if (asked.kind == Kind::drop) {
    asked.fd.reset();
    return send(socket, {Kind::dropped}).ok();
  }
  if (asked.kind != Kind::open && asked.kind != Kind::resolve) return false;
  const auto walked =
      gated_walk(asked.fd.get(), asked.text, [&](int mount) { return ask(socket, mount); });
  if (!walked && walked.error().code == kStopped) return true;
  return send(socket, walked ? answer_to(asked) : failure(walked.error())).ok();
}

}  // namespace

void serve(int socket) {
  for (;;) {
    auto asked = receive(socket, false);
    if (!asked || !answer(socket, *std::move(asked))) return;
  }
}

int run_walk() {
  int type = 0;
  socklen_t size = sizeof(type);
  if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      type != SOCK_SEQPACKET) {
    std::fputs("causeway walk: the agent starts it; it is nothing to be typed\n", stderr);
    return kUsage;
  }
  serve(STDIN_FILENO);
  return kDone;
}

}  // namespace causeway::walk
