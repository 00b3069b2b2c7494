// Makes a process's listening AF_VSOCK socket die as those of hvsocket do: from then on accept says
// EINVAL. Nothing outside a kernel can do that to a vsock listener (shutdown(2) refuses), so the
// process is made to put another socket, which listens to nothing, at the descriptor's number
// (ptrace: three system calls in its name).
//
//   break_listener PID
//
// The old socket stays, held here, until this program gets the end of its input: a client can still
// connect to it, and that wakes the process. Prints "broken" when it is done.
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <linux/vm_sockets.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_FDS 1024

static void fail(const char* what) {
  perror(what);
  exit(1);
}

// Its listening vsock socket: our copy, and its number there.
static int find_listener(int process, int* number) {
  for (*number = 0; *number < MOST_FDS; ++*number) {
    const int fd = (int)syscall(SYS_pidfd_getfd, process, *number, 0);
    if (fd < 0) continue;
    int listens = 0, domain = 0;
    socklen_t size = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_VSOCK &&
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens)
      return fd;
    close(fd);
  }
  fputs("no listening vsock socket\n", stderr);
  exit(1);
}

// A system call in the name of the stopped process, whose instruction pointer stands behind a
// `syscall` instruction: it waits in one.
static long call_there(pid_t pid, const struct user_regs_struct* waiting, long number, long a,
                       long b, long c) {
  struct user_regs_struct registers = *waiting;
  registers.rip -= 2;
  registers.rax = (unsigned long long)number;
  registers.orig_rax = (unsigned long long)-1;  // nothing of the interrupted call is restarted
  registers.rdi = (unsigned long long)a;
  registers.rsi = (unsigned long long)b;
  registers.rdx = (unsigned long long)c;
  int status = 0;
  if (ptrace(PTRACE_SETREGS, pid, 0, &registers) != 0 || ptrace(PTRACE_SINGLESTEP, pid, 0, 0) != 0)
    fail("ptrace");
  if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) fail("waitpid");
  if (ptrace(PTRACE_GETREGS, pid, 0, &registers) != 0) fail("PTRACE_GETREGS");
  return (long)registers.rax;
}

int main(int argc, char** argv) {
  const pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
  if (pid <= 0) return 64;
  const int process = (int)syscall(SYS_pidfd_open, pid, 0);
  if (process < 0) fail("pidfd_open");
  int number = 0;
  const int held = find_listener(process, &number);

  int status = 0;
  if (ptrace(PTRACE_ATTACH, pid, 0, 0) != 0) fail("PTRACE_ATTACH");
  if (waitpid(pid, &status, __WALL) != pid) fail("waitpid");
  struct user_regs_struct waiting;
  if (ptrace(PTRACE_GETREGS, pid, 0, &waiting) != 0) fail("PTRACE_GETREGS");
  if ((long)waiting.orig_rax < 0) {
    fputs("the process waits in no system call\n", stderr);
    return 1;
  }
  const long other = call_there(pid, &waiting, SYS_socket, AF_VSOCK,
                                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const long put = call_there(pid, &waiting, SYS_dup3, other, number, O_CLOEXEC);
  call_there(pid, &waiting, SYS_close, other, 0, 0);
  if (ptrace(PTRACE_SETREGS, pid, 0, &waiting) != 0) fail("PTRACE_SETREGS");
  if (ptrace(PTRACE_DETACH, pid, 0, 0) != 0) fail("PTRACE_DETACH");
  if (other < 0 || put != number) {
    fprintf(stderr, "socket %ld, dup3 %ld\n", other, put);
    return 1;
  }
  puts("broken");
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  close(held);
  return 0;
}
