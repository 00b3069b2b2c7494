// The shim's own PipeServer, of message or of byte type, without a link: sends back what a client
// said once that has half-closed. Shows what the message type is for.
//
//   pipe_echo_server PIPE message|byte          end of stdin: end
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "pipe/named_pipe.h"

namespace {

using namespace causeway::shim;
using namespace causeway::shim::pipe;

class Echo : public PipeClient::Handler {
 public:
  explicit Echo(std::shared_ptr<PipeClient> client) : client_(std::move(client)) {
    client_->start(this);
  }

 private:
  void on_data(std::string_view bytes) override { said_ += bytes; }
  void on_eof() override {
    client_->write(said_);
    client_->end_write();
    client_->close();
  }
  void on_written(std::size_t) override {}
  void on_gone() override {}

  std::string said_;
  std::shared_ptr<PipeClient> client_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  CompletionPort port;
  auto security = PipeSecurity::for_this_user();
  if (!security) return 1;
  std::set<std::unique_ptr<Echo>> clients;
  PipeServer::Options options;
  options.name = argv[1];
  if (std::string(argv[2]) == "byte") options.type = PipeServer::Type::byte;
  PipeServer server(port, *security, options, [&](std::shared_ptr<PipeClient> client) {
    clients.insert(std::make_unique<Echo>(std::move(client)));
  });
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("serving\n");
  std::fflush(stdout);
  std::thread([&] {
    while (std::getchar() != EOF) continue;
    ExitProcess(0);
  }).detach();
  port.run();
}
