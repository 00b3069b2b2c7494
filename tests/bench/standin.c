// Stands where dockerd does when the hops alone are to be measured: dockerd moves an exec's output
// slower than any hop, which would hide them.
//
//   standin LISTEN             a path of a unix stream socket
//
// Of Docker's API it speaks what pinger asks for: /_ping, and exec and attach of any container. An
// exec of ["/payload","source","N"] sends N bytes in Docker's frames, of ["/payload","sink"] reads
// to the end of its input and tells how much that was; attach holds the stream and says nothing.
// One thread for each connection; the same for whatever hop is in front.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  kRequest = 16 * 1024,
  kFrame = 32 * 1024,  // payload of one frame, as dockerd has it
  kHeader = 8,
  kFrames = 2,  // sent at once
  kStack = 256 * 1024,
};

static char frames[kFrames][kHeader + kFrame];  // full ones, never written to after the start

static _Noreturn void die(const char* what) {
  fprintf(stderr, "standin: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void put_header(char* to, uint32_t size) {
  memset(to, 0, kHeader);
  to[0] = 1;  // stdout
  for (int i = 0; i < 4; ++i) to[4 + i] = (char)(size >> (24 - 8 * i));
}

static bool send_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data += n;
    size -= (size_t)n;
  }
  return true;
}

static void source(int fd, unsigned long long left) {
  while (left >= sizeof frames / (kHeader + kFrame) * kFrame) {
    if (!send_all(fd, frames[0], sizeof frames)) return;
    left -= (unsigned long long)kFrames * kFrame;
  }
  char last[kHeader + kFrame];
  memset(last, 'x', sizeof last);
  while (left > 0) {
    uint32_t size = left < kFrame ? (uint32_t)left : kFrame;
    put_header(last, size);
    if (!send_all(fd, last, kHeader + size)) return;
    left -= size;
  }
}

static void sink(int fd, bool tell) {
  char buffer[64 * 1024], text[64];
  unsigned long long total = 0;
  ssize_t n;
  while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) total += (unsigned long long)n;
  if (n < 0 || !tell) return;
  int size = snprintf(text + kHeader, sizeof text - kHeader, "%llu\n", total);
  put_header(text, (uint32_t)size);
  send_all(fd, text, kHeader + (size_t)size);
}

static bool answer(int fd, const char* status, const char* type, const char* body) {
  char text[1024];
  int size =
      snprintf(text, sizeof text,
               "HTTP/1.1 %s\r\nApi-Version: 1.41\r\nContent-Type: %s\r\nDocker-Experimental: "
               "false\r\nOstype: linux\r\nServer: standin\r\nContent-Length: %zu\r\n\r\n%s",
               status, type, strlen(body), body);
  return send_all(fd, text, (size_t)size);
}

// The numbers of execs: how many bytes they send, or that they read.
static const char kSinkId[] = "ffffffffffffffff";

// False: the connection is done.
static bool serve(int fd, const char* head, const char* body) {
  static const char kHijack[] =
      "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
      "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
  char path[256], json[64];
  if (sscanf(head, "%*s %255s", path) != 1) return false;
  const char* exec = strstr(path, "/exec/");
  if (strstr(path, "/_ping") != NULL)
    return answer(fd, "200 OK", "text/plain; charset=utf-8", "OK");
  if (exec != NULL && strstr(exec, "/start") != NULL) {
    if (!send_all(fd, kHijack, sizeof kHijack - 1)) return false;
    if (strncmp(exec + 6, kSinkId, sizeof kSinkId - 1) == 0)
      sink(fd, true);
    else
      source(fd, strtoull(exec + 6, NULL, 16));
    return false;
  }
  if (strstr(path, "/attach") != NULL) {
    if (send_all(fd, kHijack, sizeof kHijack - 1)) sink(fd, false);
    return false;
  }
  const char* bytes = strstr(body, "\"source\",\"");
  if (strstr(path, "/exec") != NULL && (bytes != NULL || strstr(body, "\"sink\"") != NULL)) {
    if (bytes != NULL)
      snprintf(json, sizeof json, "{\"Id\":\"%016llx\"}", strtoull(bytes + 10, NULL, 10));
    else
      snprintf(json, sizeof json, "{\"Id\":\"%s\"}", kSinkId);
    return answer(fd, "201 Created", "application/json", json);
  }
  return answer(fd, "404 Not Found", "application/json",
                "{\"message\":\"standin has no such thing\"}");
}

static void* talk(void* argument) {
  const int fd = (int)(intptr_t)argument;
  char text[kRequest];
  size_t have = 0;
  for (bool go_on = true; go_on;) {
    text[have] = '\0';
    char* end = strstr(text, "\r\n\r\n");
    size_t size = 0;
    if (end != NULL) {
      size = (size_t)(end + 4 - text);
      for (char* line = strstr(text, "\r\n"); line < end; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, "content-length:", 15) == 0) size += strtoul(line + 17, NULL, 10);
    }
    if (end == NULL || have < size) {
      ssize_t n = have + 1 < sizeof text ? recv(fd, text + have, sizeof text - 1 - have, 0) : 0;
      if (n <= 0) break;
      have += (size_t)n;
      continue;
    }
    go_on = serve(fd, text, end + 4);
    have -= size;
    memmove(text, text + size, have);
  }
  close(fd);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: standin LISTEN\n");
    return 64;
  }
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
  memset(frames, 'x', sizeof frames);
  for (int i = 0; i < kFrames; ++i) put_header(frames[i], kFrame);
  struct sockaddr_un here = {.sun_family = AF_UNIX};
  if (strlen(argv[1]) >= sizeof here.sun_path) {
    errno = ENAMETOOLONG;
    die(argv[1]);
  }
  strcpy(here.sun_path, argv[1]);
  int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listening < 0) die("socket");
  unlink(argv[1]);
  if (bind(listening, (struct sockaddr*)&here, sizeof here) < 0) die(argv[1]);
  if (listen(listening, 1024) < 0) die("listen");
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&detached, kStack);
  for (;;) {
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      die("accept");
    }
    pthread_t thread;
    int failed = pthread_create(&thread, &detached, talk, (void*)(intptr_t)fd);
    if (failed != 0) {
      errno = failed;
      die("thread");
    }
  }
}
