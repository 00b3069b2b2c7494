// The yardstick: what one hop costs when nothing is parsed.
//
//   relay LISTEN TARGET        both are paths of unix stream sockets
//
// One thread, one epoll, one 64 KiB buffer shared by all connections. Bytes are read into that
// buffer and written to the other side at once; only what the other side cannot take now is copied
// aside, and reading stops until it is gone (back-pressure). The end of one direction is passed on
// as shutdown(SHUT_WR) when its last byte has been written; a connection ends when both directions
// have. In the steady state a message costs epoll_wait, recv, send, and nothing else: descriptors
// are registered once, and epoll_ctl is called only when a side stalls or ends.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  kBuffer = 64 * 1024,
  kEvents = 64,
  // Full buffers moved for one event before the other connections get their turn.
  kBurst = 16,
};

struct connection;

// One descriptor; `held` is what was read from `peer` and waits until `fd` takes it.
struct side {
  int fd;
  uint32_t interest;  // what epoll watches now
  bool watched;       // false once removed after a hang-up
  bool ended;         // recv() has returned 0
  bool shut;          // SHUT_WR has been sent
  char* held;
  size_t held_from, held_to;
  struct side* peer;
  struct connection* owner;
};

struct connection {
  struct side client, engine;
  struct connection* next_dead;
};

static int epoll_fd;
static char buffer[kBuffer];
static struct connection* dead;  // freed after the batch of events that may still name them

static void die(const char* what) {
  fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void unix_address(const char* path, struct sockaddr_un* address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    die(path);
  }
  strcpy(address->sun_path, path);
}

static void bury(struct connection* c) {
  if (c->client.fd < 0) return;
  close(c->client.fd);
  close(c->engine.fd);
  free(c->client.held);
  free(c->engine.held);
  c->client.fd = c->engine.fd = -1;
  c->next_dead = dead;
  dead = c;
}

// Watches for input unless the other side is stalled or ours has ended, for room while it is
// stalled.
static void rewatch(struct side* s) {
  uint32_t want = 0;
  if (!s->ended && s->peer->held == NULL) want |= EPOLLIN;
  if (s->held != NULL) want |= EPOLLOUT;
  if (!s->watched || want == s->interest) return;
  s->interest = want;
  struct epoll_event event = {.events = want, .data.ptr = s};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, s->fd, &event) < 0) die("epoll_ctl");
}

// Passes the end of input on once nothing is held. False: the connection is over.
static bool pass_end(struct side* from) {
  struct side* to = from->peer;
  if (from->ended && to->held == NULL && !to->shut) {
    to->shut = true;
    if (shutdown(to->fd, SHUT_WR) < 0) return false;
  }
  return !(to->shut && from->shut);
}

// Writes what is held for `to`. False: broken.
static bool drain(struct side* to) {
  while (to->held_from < to->held_to) {
    ssize_t n = send(to->fd, to->held + to->held_from, to->held_to - to->held_from, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    to->held_from += (size_t)n;
  }
  free(to->held);
  to->held = NULL;
  return true;
}

// Moves what `from` has to its peer. False: broken.
static bool pump(struct side* from) {
  struct side* to = from->peer;
  for (int burst = 0; burst < kBurst && to->held == NULL && !from->ended; ++burst) {
    ssize_t n = recv(from->fd, buffer, sizeof buffer, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) {
      from->ended = true;
      break;
    }
    ssize_t sent = send(to->fd, buffer, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN && errno != EINTR) return false;
      sent = 0;
    }
    if (sent < n) {
      to->held_from = 0;
      to->held_to = (size_t)(n - sent);
      to->held = malloc(to->held_to);
      if (to->held == NULL) die("malloc");
      memcpy(to->held, buffer + sent, to->held_to);
    }
    if (n < (ssize_t)sizeof buffer) break;  // the queue was empty; epoll tells when it isn't
  }
  return true;
}

// A side that has hung up takes nothing more, and epoll would report it for ever: it is no longer
// watched, and what it sent before is read as the other side makes room.
static void hang_up(struct side* s) {
  epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
  s->watched = false;
  s->shut = true;
}

static void serve(struct side* s, uint32_t events) {
  struct connection* c = s->owner;
  bool alive = c->client.fd >= 0;
  if (!alive) return;
  if ((events & EPOLLOUT) && s->held != NULL) {
    alive = drain(s);
    while (alive && !s->peer->watched && !s->peer->ended && s->held == NULL) alive = pump(s->peer);
  }
  if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) alive = pump(s);
  if (alive && (events & EPOLLHUP) && s->watched && (s->ended || s->peer->held != NULL)) hang_up(s);
  if (alive) alive = pass_end(s) && pass_end(s->peer);
  if (!alive) {
    bury(c);
    return;
  }
  rewatch(s);
  rewatch(s->peer);
}

static void watch(struct side* s) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
  s->interest = EPOLLIN;
  s->watched = true;
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &event) < 0) die("epoll_ctl");
}

static void accept_one(int listen_fd, const struct sockaddr_un* target) {
  int client = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) return;
  // A unix connect succeeds or fails at once, except for a full backlog, where it has to wait.
  int engine = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (engine < 0 || connect(engine, (const struct sockaddr*)target, sizeof *target) < 0) {
    fprintf(stderr, "relay: connect %s: %s\n", target->sun_path, strerror(errno));
    if (engine >= 0) close(engine);
    close(client);
    return;
  }
  fcntl(engine, F_SETFL, O_NONBLOCK);
  struct connection* c = calloc(1, sizeof *c);
  if (c == NULL) die("calloc");
  c->client.fd = client;
  c->engine.fd = engine;
  c->client.peer = &c->engine;
  c->engine.peer = &c->client;
  c->client.owner = c->engine.owner = c;
  watch(&c->client);
  watch(&c->engine);
  // Most clients have sent their request by now: saves a turn of the loop per connection.
  serve(&c->client, EPOLLIN);
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: relay LISTEN TARGET\n");
    return 64;
  }
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_un here, target;
  unix_address(argv[1], &here);
  unix_address(argv[2], &target);
  int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listen_fd < 0) die("socket");
  unlink(argv[1]);
  if (bind(listen_fd, (struct sockaddr*)&here, sizeof here) < 0) die(argv[1]);
  if (listen(listen_fd, 1024) < 0) die("listen");
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) die("epoll_create1");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) < 0) die("epoll_ctl");

  for (;;) {
    struct epoll_event events[kEvents];
    int n = epoll_wait(epoll_fd, events, kEvents, -1);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < n; ++i) {
      if (events[i].data.ptr == NULL)
        accept_one(listen_fd, &target);
      else
        serve(events[i].data.ptr, events[i].events);
    }
    while (dead != NULL) {
      struct connection* c = dead;
      dead = c->next_dead;
      free(c);
    }
  }
}
