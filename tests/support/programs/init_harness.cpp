// init_harness init [--OPTION VALUE]…: run_init() with this program as the agent.
// init_harness agent …: a FAKE agent, as far from the real one as init can't tell. It serves one
// command per connection on the inherited control socket and answers with one JSON object or plain
// text, then end of file:
//
//   info               {"pid", "start", "instance", "fds": {name: inode}, "dropped": …, …}
//   put NAME           puts a new FIFO (O_RDWR) of that name, RUN/NAME.fifo
//   put-file NAME      puts an unlinked temporary file
//   put-agent PATH     puts that file, open for reading, as the program of the next agent
//   fill               puts files until init refuses; answers the refusal
//   drop NAME
//   raw N TEXT         sends TEXT with N descriptors, answers what init said
//   orphan CODE        a grandchild that exits with CODE when its stdin FIFO RUN/orphan.fifo is
//                      opened and closed
//   exits              the reports that came, as a list of [pid, status, start]
//   sh COMMAND         runs it with /bin/sh, answers its output
//   stubborn           ignores SIGTERM from now on
//   close-init         closes the store socket
//   exit CODE          exits at once
//
// While the file RUN/agent.fail exists it exits at once with the code in it.
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/exit_code.h"
#include "base/file.h"
#include "base/text.h"
#include "fd_store/store_client.h"
#include "init/init.h"

using namespace causeway;

namespace {

std::string quoted(std::string_view s) {
  return std::string("\"").append(text::printable(s)).append("\"");
}

class FakeAgent {
 public:
  explicit FakeAgent(std::string run, fd_store::StoreClient client)
      : run_(std::move(run)), client_(std::move(client)) {}

  int serve() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGHUP}) sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    const UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC));
    const auto control = client_.inherited().find("control");
    if (control == client_.inherited().end()) return 3;
    for (;;) {
      std::array<pollfd, 2> polled{
          {{control->second.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}}};
      if (poll(polled.data(), polled.size(), -1) < 0) continue;
      if (polled[1].revents != 0) {
        signalfd_siginfo info{};
        if (read(signals.get(), &info, sizeof(info)) != sizeof(info)) continue;
        if (info.ssi_signo == SIGHUP) ++hangups_;
        if (info.ssi_signo == SIGTERM && !stubborn_) return 0;
      }
      if (polled[0].revents == 0) continue;
      const UniqueFd peer(accept4(control->second.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) continue;
      std::array<char, 4096> line{};
      const ssize_t n = read(peer.get(), line.data(), line.size() - 1);
      if (n <= 0) continue;
      const std::string answer =
          run(std::string(text::trim({line.data(), static_cast<std::size_t>(n)})));
      (void)file::write_all(peer.get(), answer);
    }
  }

 private:
  std::string run(const std::string& line) {
    const auto blank = line.find(' ');
    const std::string command = line.substr(0, blank);
    const std::string argument = blank == std::string::npos ? "" : line.substr(blank + 1);
    if (command == "info") return info();
    if (command == "put") return put_fifo(argument);
    if (command == "put-file") return told(client_.put(argument, temporary().get()));
    if (command == "put-agent") return put_agent(argument);
    if (command == "fill") return fill();
    if (command == "drop") return told(client_.drop(argument));
    if (command == "raw") return raw(argument);
    if (command == "orphan") return orphan(argument);
    if (command == "exits") return exits();
    if (command == "sh") return shell(argument);
    if (command == "exit") _exit(std::atoi(argument.c_str()));
    if (command == "stubborn") {
      stubborn_ = true;
      return "ok";
    }
    if (command == "close-init") {
      // The number stays taken, so that the client can't meet another file under it.
      const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
      return dup3(null.get(), init_socket, O_CLOEXEC) < 0 ? errno_error("dup3").message : "ok";
    }
    return "unknown command";
  }

  static std::string told(const Status& status) { return status ? "ok" : status.error().message; }

  static UniqueFd temporary() {
    return UniqueFd(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  }

  std::string info() const {
    std::string out = "{\"pid\": " + std::to_string(getpid());
    out += ", \"parent\": " + std::to_string(getppid());
    out += ", \"start\": " + std::to_string(client_.agent_start());
    out += ", \"instance\": " + quoted(client_.instance());
    out += ", \"hangups\": " + std::to_string(hangups_);
    out += ", \"executable\": " + quoted(executable());
    out += ", \"fds\": {";
    std::string separator;
    std::string dropped;
    for (const auto& [name, fd] : client_.inherited()) {
      struct stat info {};
      fstat(fd.get(), &info);
      out += separator + quoted(name) + ": " + std::to_string(info.st_ino);
      dropped += separator + quoted(name) + ": " + std::to_string(client_.dropped(name));
      separator = ", ";
    }
    return out + "}, \"dropped\": {" + dropped + "}}";
  }

  static std::string executable() {
    std::array<char, 4096> path{};
    const ssize_t n = readlink("/proc/self/exe", path.data(), path.size() - 1);
    return n > 0 ? std::string(path.data(), static_cast<std::size_t>(n)) : "";
  }

  std::string put_fifo(const std::string& name) {
    const std::string path = run_ + "/" + name + ".fifo";
    if (mkfifo(path.c_str(), 0600) != 0) return errno_error("mkfifo").message;
    const UniqueFd fifo(open(path.c_str(), O_RDWR | O_CLOEXEC));
    return told(client_.put(name, fifo.get()));
  }

  std::string put_agent(const std::string& path) {
    const UniqueFd program(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!program) return errno_error("open " + path).message;
    return told(client_.put("agent", program.get()));
  }

  std::string fill() {
    const UniqueFd file = temporary();
    for (int i = 0; i < 1000; ++i)
      if (auto done = client_.put("filler." + std::to_string(i), file.get()); !done)
        return std::to_string(i) + " " + done.error().message;
    return "never refused";
  }

  // The client can't send wrong requests, so this speaks to the socket itself.
  static std::string raw(const std::string& argument) {
    const auto blank = argument.find(' ');
    const auto count = static_cast<std::size_t>(std::atoi(argument.substr(0, blank).c_str()));
    const std::string text = argument.substr(blank + 1);
    const int init = init_socket;
    const UniqueFd file = temporary();
    const std::vector<int> fds(count, file.get());
    std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count > 0) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(count * sizeof(int));
      std::memcpy(CMSG_DATA(header), fds.data(), count * sizeof(int));
    }
    if (sendmsg(init, &message, MSG_NOSIGNAL) < 0) return errno_error("sendmsg").message;
    std::array<char, 256> reply{};
    const ssize_t n = recv(init, reply.data(), reply.size(), 0);
    return n > 0 ? std::string(reply.data(), static_cast<std::size_t>(n)) : "no answer";
  }

  std::string orphan(const std::string& code) {
    const std::string fifo = run_ + "/orphan.fifo";
    mkfifo(fifo.c_str(), 0600);
    const pid_t child = fork();
    if (child == 0) {
      const pid_t grandchild = fork();
      if (grandchild == 0) {
        setsid();
        close_range(3, ~0U, 0);  // also the connection that asked for it
        const UniqueFd gate(open(fifo.c_str(), O_RDONLY));
        char byte = 0;
        (void)!read(gate.get(), &byte, 1);
        _exit(std::atoi(code.c_str()));
      }
      // The number passes through a pipe-less way: the middle child's own exit comes after the
      // file.
      (void)file::write_atomic(run_ + "/orphan.pid", std::to_string(grandchild));
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    const auto pid = file::read(run_ + "/orphan.pid");
    return pid ? *pid : pid.error().message;
  }

  std::string exits() const {
    const auto pipe = client_.inherited().find("exits");
    if (pipe == client_.inherited().end()) return "no pipe";
    const auto reports = fd_store::read_exit_reports(pipe->second.get());
    if (!reports) return reports.error().message;
    std::string out = "[";
    for (const auto& report : *reports) {
      if (out.size() > 1) out += ", ";
      std::array<char, 80> text{};
      std::snprintf(text.data(), text.size(), "[%d, %d, %llu]", report.pid, report.wait_status,
                    static_cast<unsigned long long>(report.start_time));
      out += text.data();
    }
    return out + "]";
  }

  static std::string shell(const std::string& command) {
    // The shell must not inherit the blocked signals.
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, nullptr, &blocked);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    FILE* output = popen(command.c_str(), "re");
    sigprocmask(SIG_SETMASK, &blocked, nullptr);
    std::string out;
    std::array<char, 4096> block{};
    while (const std::size_t n = fread(block.data(), 1, block.size(), output))
      out.append(block.data(), n);
    pclose(output);
    return out;
  }

 public:
  static inline int init_socket = -1;

 private:
  std::string run_;
  fd_store::StoreClient client_;
  bool stubborn_ = false;
  int hangups_ = 0;
};

int run_agent(const std::vector<std::string>& arguments) {
  std::string run;
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i)
    if (arguments[i] == "--run") run = arguments[i + 1];
  if (auto code = file::read(run + "/agent.fail")) return std::atoi(code->c_str());
  if (const char* init = std::getenv("CAUSEWAY_INIT_FD")) FakeAgent::init_socket = std::atoi(init);
  auto client = fd_store::StoreClient::from_environment();
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 4;
  }
  return FakeAgent(run, std::move(*client)).serve();
}

int run_init(const std::vector<std::string>& arguments) {
  init::InitOptions options;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    const auto& value = arguments[i + 1];
    const auto& name = arguments[i];
    if (name == "--mode") {
      auto mode = init::parse_mode(value);
      if (!mode) return causeway::kUsage;
      options.mode = *mode;
    } else if (name == "--versions") {
      options.versions = value;
    } else if (name == "--version") {
      options.version = value;
    } else if (name == "--data") {
      options.data = value;
    } else if (name == "--run") {
      options.run = value;
    } else if (name == "--etc") {
      options.etc = value;
    } else if (name == "--agent") {
      options.agent = value;
    } else if (name == "--stop-timeout") {
      options.stop_timeout = std::chrono::seconds(std::atoi(value.c_str()));
    } else {
      return causeway::kUsage;
    }
  }
  return init::run_init(options);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string role = arguments.empty() ? "" : arguments[0];
  const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1),
                                      arguments.end());
  if (role == "init") return run_init(rest);
  if (role == "agent") return run_agent(rest);
  std::fprintf(stderr, "usage: init_harness init|agent …\n");
  return 64;
}
