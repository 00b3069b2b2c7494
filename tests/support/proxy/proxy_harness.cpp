// The engine API endpoint alone, in front of a given engine socket: for the bench and for tests
// that need no supervisor. `proxy_harness LISTEN ENGINE` prints "ready", ends on SIGTERM.
#include <sys/resource.h>

#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "io/endpoint.h"
#include "io/loop.h"
#include "io/signal.h"
#include "proxy/proxy_server.h"

using namespace causeway;

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: proxy_harness LISTEN ENGINE\n", stderr);
    return 64;
  }
  log::init("proxy_harness", log::Level::info);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  auto listening = io::listen_unix(argv[1], 0660);
  if (!listening.ok()) {
    std::fprintf(stderr, "proxy_harness: %s\n", listening.error().message.c_str());
    return 71;
  }
  io::Loop loop;
  proxy::EngineGate gate(argv[2]);
  gate.set(proxy::EngineGate::State::ready, "");
  proxy::ProxyServer server(loop, gate);
  server.listen(std::move(*listening), proxy::Identity{});
  const io::SignalWatch stop(loop, SIGTERM, [&] { server.drain(1000, [&] { loop.stop(); }); });
  std::puts("ready");
  std::fflush(stdout);
  loop.run();
}
