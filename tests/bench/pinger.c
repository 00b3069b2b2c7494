// Load generator for Docker's API over unix sockets. Several targets are measured in one run, in
// short blocks that alternate in a new order each round, so that whatever the machine does
// meanwhile hits all of them alike.
//
//   pinger ping  ROUNDS BLOCK NAME=SOCKET...    GET /_ping, one keep-alive connection per target
//   pinger fresh ROUNDS BLOCK NAME=SOCKET...    GET /_ping, a new connection for each
//   pinger out   ROUNDS BYTES CONTAINER NAME=SOCKET...   exec: that many bytes of output
//   pinger in    ROUNDS BYTES CONTAINER NAME=SOCKET...   exec -i: that many bytes of input, then
//                                                        half-close
//   pinger many  ROUNDS BYTES CONTAINER COUNT NAME=SOCKET...   COUNT execs at once, that many bytes
//                                                              of output each
//   pinger busy  ROUNDS BYTES CONTAINER NAME=SOCKET...   GET /_ping while an exec's output runs
//                                                        through the same target
//   pinger hold  COUNT CONTAINER SOCKET         COUNT idle attach streams; prints "held N" once all
//                                               are answered 101, ends when its own input ends
//
// A round of BLOCK requests per target is taken in slices, the targets taking turns; the first
// requests of a slice, which find that target's caches cold, are sent but not counted.
// ping and fresh time each request from the first system call (socket() or send()) to the last byte
// of the answer. out and in time from sending /exec/ID/start to the end of the stream; the byte
// counts are checked at both ends and a wrong one is an error, not a number. many times from the
// first start to the end of the last stream. busy has as many samples in a round as pings fit into
// the stream's time; its "rounds_time" is that time.
//
// Output: {"targets": [{"name": "...", "unit": "ns", "p50": N, "p99": N, "mean": N, "samples": N,
// "rounds_p50": [N, ...], "rounds_p99": [N, ...]}, ...]}: values over all samples, then of each
// round.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
  kMaxTargets = 16,
  kHead = 16 * 1024,
  kChunk = 64 * 1024,
  // Measured with one relay against another: slices of 33 had a third of the noise of 400.
  kSlice = 25,
  kUncounted = 3,
};

struct target {
  const char* name;
  struct sockaddr_un address;
  int fd;  // the keep-alive connection
  int64_t* samples;
};

static struct target targets[kMaxTargets];
static int target_count;

static _Noreturn void fail(const char* where, const char* what) {
  fprintf(stderr, "pinger: %s: %s\n", where, what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void set_address(struct sockaddr_un* address, const char* path) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address->sun_path) fail(path, "longer than a socket's path may be");
  strcpy(address->sun_path, path);
}

static int dial(const struct sockaddr_un* address) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket", strerror(errno));
  if (connect(fd, (const struct sockaddr*)address, sizeof *address) < 0)
    fail(address->sun_path, strerror(errno));
  return fd;
}

static void send_all(const char* where, int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(where, strerror(errno));
    data += n;
    size -= (size_t)n;
  }
}

// An answer's head, and what was read behind it.
struct answer {
  int status;
  long long length;  // -1: not said
  bool chunked;
  char* rest;
  size_t rest_size;
};

// Reads up to the empty line; `store` has kHead bytes and holds `rest` afterwards.
static struct answer read_head(const char* where, int fd, char* store) {
  size_t have = 0;
  for (;;) {
    ssize_t n = recv(fd, store + have, kHead - 1 - have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(where, strerror(errno));
    if (n == 0) fail(where, "closed before the answer's head was complete");
    have += (size_t)n;
    store[have] = '\0';
    char* end = strstr(store, "\r\n\r\n");
    if (end != NULL) {
      struct answer a = {.length = -1, .rest = end + 4};
      a.rest_size = have - (size_t)(a.rest - store);
      if (sscanf(store, "HTTP/1.1 %d", &a.status) != 1) fail(where, "not an HTTP/1.1 answer");
      for (char* line = strstr(store, "\r\n"); line < end; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "content-length:", 15) == 0) a.length = atoll(line + 17);
        if (strncasecmp(line + 2, "transfer-encoding:", 18) == 0) a.chunked = true;
      }
      return a;
    }
    if (have == kHead - 1) fail(where, "the answer's head is too long");
  }
}

// One request on a connection, and its answer's body. Only Content-Length is understood.
static int call(const char* where, int fd, const char* request, size_t size, char* store,
                char** body) {
  send_all(where, fd, request, size);
  struct answer a = read_head(where, fd, store);
  if (a.chunked || a.length < 0) fail(where, "the answer has no Content-Length");
  if (a.rest + a.length >= store + kHead) fail(where, "the answer is too long");
  while ((long long)a.rest_size < a.length) {
    ssize_t n = recv(fd, a.rest + a.rest_size, (size_t)a.length - a.rest_size, 0);
    if (n <= 0) fail(where, "the answer's body is cut off");
    a.rest_size += (size_t)n;
  }
  a.rest[a.length] = '\0';
  if (body != NULL) *body = a.rest;
  return a.status;
}

static const char kPing[] = "GET /_ping HTTP/1.1\r\nHost: docker\r\nUser-Agent: pinger\r\n\r\n";

static int64_t ping_once(struct target* t, bool fresh) {
  char store[kHead];
  int64_t start = now_ns();
  int fd = fresh ? dial(&t->address) : t->fd;
  int status = call(t->name, fd, kPing, sizeof kPing - 1, store, NULL);
  int64_t took = now_ns() - start;
  if (status != 200) fail(t->name, "/_ping was not answered 200");
  if (fresh) close(fd);
  return took;
}

// POST with a JSON body on a connection of its own; head and body of the answer are in `store`.
static void post(struct target* t, const char* path, const char* json, char* store) {
  char request[2048];
  int size = snprintf(request, sizeof request,
                      "POST %s HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
                      "Content-Length: %zu\r\n\r\n%s",
                      path, strlen(json), json);
  int fd = dial(&t->address);
  char* body = NULL;
  int status = call(t->name, fd, request, (size_t)size, store, &body);
  close(fd);
  if (status / 100 != 2) fail(t->name, body);
}

// The hijacked stream of Docker: frames of {stream, 0, 0, 0, big-endian length} and payload.
struct demux {
  unsigned char head[8];
  unsigned have;
  uint32_t left;
  unsigned long long payload;
  char text[64];  // the first payload bytes
};

static void demux_feed(struct demux* d, const char* data, size_t size) {
  while (size > 0) {
    if (d->left == 0) {
      d->head[d->have++] = (unsigned char)*data++;
      --size;
      if (d->have < 8) continue;
      d->have = 0;
      d->left = (uint32_t)d->head[4] << 24 | (uint32_t)d->head[5] << 16 |
                (uint32_t)d->head[6] << 8 | d->head[7];
      continue;
    }
    size_t n = size < d->left ? size : d->left;
    if (d->payload < sizeof d->text - 1) {
      size_t room = sizeof d->text - 1 - (size_t)d->payload;
      memcpy(d->text + d->payload, data, n < room ? n : room);
    }
    d->payload += n;
    d->left -= (uint32_t)n;
    data += n;
    size -= n;
  }
}

static int start_exec(struct target* t, const char* container, const char* json, int64_t* start,
                      struct demux* d) {
  char store[kHead], path[256], id[128], request[512];
  snprintf(path, sizeof path, "/containers/%s/exec", container);
  post(t, path, json, store);
  const char* found = strstr(store, "\"Id\":\"");
  if (found == NULL || sscanf(found, "\"Id\":\"%127[0-9a-f]", id) != 1) fail(t->name, "no exec id");
  static const char kStart[] = "{\"Detach\":false,\"Tty\":false}";
  int size =
      snprintf(request, sizeof request,
               "POST /exec/%s/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
               "Upgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               id, sizeof kStart - 1, kStart);
  int fd = dial(&t->address);
  *start = now_ns();
  send_all(t->name, fd, request, (size_t)size);
  struct answer a = read_head(t->name, fd, store);
  if (a.status != 101) fail(t->name, "exec start was not answered 101");
  demux_feed(d, a.rest, a.rest_size);
  return fd;
}

static int start_source(struct target* t, const char* container, unsigned long long bytes,
                        int64_t* start, struct demux* d) {
  char json[256];
  snprintf(
      json, sizeof json,
      "{\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":[\"/payload\",\"source\",\"%llu\"]}",
      bytes);
  return start_exec(t, container, json, start, d);
}

static void check_source(const struct target* t, const struct demux* d, unsigned long long bytes) {
  if (d->payload == bytes && d->left == 0 && d->have == 0) return;
  fprintf(stderr, "pinger: %s: %llu bytes came out instead of %llu\n", t->name, d->payload, bytes);
  exit(1);
}

static int64_t exec_out(struct target* t, const char* container, unsigned long long bytes) {
  static char buffer[kChunk];
  struct demux d = {0};
  int64_t start;
  int fd = start_source(t, container, bytes, &start, &d);
  ssize_t n;
  while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) demux_feed(&d, buffer, (size_t)n);
  int64_t took = now_ns() - start;
  if (n < 0) fail(t->name, strerror(errno));
  close(fd);
  check_source(t, &d, bytes);
  return took;
}

static int64_t exec_many(struct target* t, const char* container, unsigned long long bytes,
                         unsigned count) {
  static char buffer[kChunk];
  struct demux* d = calloc(count, sizeof *d);
  struct pollfd* fds = calloc(count, sizeof *fds);
  if (d == NULL || fds == NULL) fail("many", "no memory");
  int64_t first = 0;
  for (unsigned i = 0; i < count; ++i) {
    int64_t start;
    fds[i].fd = start_source(t, container, bytes, &start, &d[i]);
    fds[i].events = POLLIN;
    if (i == 0) first = start;
  }
  for (unsigned open = count; open > 0;) {
    if (poll(fds, count, -1) < 0) fail("poll", strerror(errno));
    for (unsigned i = 0; i < count; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      ssize_t n = recv(fds[i].fd, buffer, sizeof buffer, 0);
      if (n < 0) fail(t->name, strerror(errno));
      demux_feed(&d[i], buffer, (size_t)n);
      if (n > 0) continue;
      close(fds[i].fd);
      fds[i].fd = -1;
      --open;
    }
  }
  int64_t took = now_ns() - first;
  for (unsigned i = 0; i < count; ++i) check_source(t, &d[i], bytes);
  free(fds);
  free(d);
  return took;
}

// The stream beside the pings, in a thread of its own.
struct load {
  struct target* target;
  const char* container;
  unsigned long long bytes;
  int64_t took;
  atomic_bool done;
};

static void* run_load(void* argument) {
  struct load* load = argument;
  load->took = exec_out(load->target, load->container, load->bytes);
  atomic_store(&load->done, true);
  return NULL;
}

static int compare(const void* a, const void* b) {
  int64_t x = *(const int64_t*)a, y = *(const int64_t*)b;
  return (x > y) - (x < y);
}

// The q-quantile of a sorted array, by nearest rank; the mean of the middle two for the median.
static int64_t quantile(const int64_t* sorted, size_t n, unsigned percent) {
  if (percent == 50 && n % 2 == 0) return (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
  size_t rank = (n * percent + 99) / 100;
  return sorted[rank > 0 ? rank - 1 : 0];
}

enum { kBusyP50, kBusyP99, kBusyTime, kBusyCount, kBusyFigures };

// One round: figures of the pings that were answered while the stream ran.
static void ping_busy(struct target* t, const char* container, unsigned long long bytes,
                      int64_t* figures) {
  static int64_t* samples;
  static size_t room;
  size_t count = 0;
  struct load load = {.target = t, .container = container, .bytes = bytes};
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_load, &load) != 0) fail("busy", "no thread");
  while (!atomic_load(&load.done)) {
    if (count == room) {
      room = room == 0 ? 4096 : 2 * room;
      samples = realloc(samples, room * sizeof *samples);
      if (samples == NULL) fail("busy", "no memory");
    }
    samples[count++] = ping_once(t, false);
  }
  pthread_join(thread, NULL);
  if (count < 100) fail(t->name, "too few pings fit into the stream's time: make it longer");
  qsort(samples, count, sizeof *samples, compare);
  figures[kBusyP50] = quantile(samples, count, 50);
  figures[kBusyP99] = quantile(samples, count, 99);
  figures[kBusyTime] = load.took;
  figures[kBusyCount] = (int64_t)count;
}

static void report_busy(unsigned rounds) {
  static const char* const kNames[kBusyFigures] = {"rounds_p50", "rounds_p99", "rounds_time",
                                                   "rounds_samples"};
  printf("{\"targets\": [");
  for (int i = 0; i < target_count; ++i) {
    printf("%s\n  {\"name\": \"%s\", \"unit\": \"ns\"", i > 0 ? "," : "", targets[i].name);
    for (int figure = 0; figure < kBusyFigures; ++figure) {
      printf(", \"%s\": [", kNames[figure]);
      for (unsigned r = 0; r < rounds; ++r)
        printf("%s%lld", r > 0 ? ", " : "",
               (long long)targets[i].samples[r * kBusyFigures + (unsigned)figure]);
      printf("]");
    }
    printf("}");
  }
  printf("\n]}\n");
}

static int64_t exec_in(struct target* t, const char* container, unsigned long long bytes) {
  static char buffer[kChunk];
  struct demux d = {0};
  int64_t start;
  int fd = start_exec(t, container,
                      "{\"AttachStdin\":true,\"AttachStdout\":true,\"AttachStderr\":true,"
                      "\"Cmd\":[\"/payload\",\"sink\"]}",
                      &start, &d);
  // The sink answers only after the end of its input, so writing first cannot deadlock.
  for (unsigned long long left = bytes; left > 0;) {
    size_t n = left < sizeof buffer ? (size_t)left : sizeof buffer;
    send_all(t->name, fd, buffer, n);
    left -= n;
  }
  if (shutdown(fd, SHUT_WR) < 0) fail(t->name, strerror(errno));
  ssize_t n;
  while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) demux_feed(&d, buffer, (size_t)n);
  int64_t took = now_ns() - start;
  if (n < 0) fail(t->name, strerror(errno));
  close(fd);
  if (strtoull(d.text, NULL, 10) != bytes) {
    fprintf(stderr, "pinger: %s: %llu bytes went in, the container says: %s\n", t->name, bytes,
            d.text);
    exit(1);
  }
  return took;
}

static int hold(unsigned count, const char* container, const char* path) {
  struct target t = {.name = "hold"};
  set_address(&t.address, path);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  int* fds = malloc(count * sizeof *fds);
  if (fds == NULL) fail("hold", "no memory");
  for (unsigned i = 0; i < count; ++i) {
    char request[512], store[kHead];
    int size = snprintf(request, sizeof request,
                        "POST /containers/%s/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\n"
                        "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                        "Content-Length: 0\r\n\r\n",
                        container);
    fds[i] = dial(&t.address);
    send_all("hold", fds[i], request, (size_t)size);
    struct answer a = read_head("hold", fds[i], store);
    if (a.status != 101) fail("hold", "attach was not answered 101");
  }
  // A stream that has ended meanwhile would make the figure a lie.
  unsigned alive = 0;
  for (unsigned i = 0; i < count; ++i) {
    struct pollfd p = {.fd = fds[i], .events = POLLIN};
    if (poll(&p, 1, 0) == 0) ++alive;
  }
  printf("held %u\n", alive);
  fflush(stdout);
  char c;
  while (read(STDIN_FILENO, &c, 1) > 0) {
  }
  return 0;
}

static void print_rounds(const struct target* t, unsigned rounds, unsigned block,
                         unsigned percent) {
  int64_t* copy = malloc(block * sizeof *copy);
  if (copy == NULL) fail("report", "no memory");
  printf("\"rounds_p%u\": [", percent);
  for (unsigned r = 0; r < rounds; ++r) {
    memcpy(copy, t->samples + (size_t)r * block, block * sizeof *copy);
    qsort(copy, block, sizeof *copy, compare);
    printf("%s%lld", r > 0 ? ", " : "", (long long)quantile(copy, block, percent));
  }
  printf("]");
  free(copy);
}

static void report(unsigned rounds, unsigned block) {
  size_t n = (size_t)rounds * block;
  printf("{\"targets\": [");
  for (int i = 0; i < target_count; ++i) {
    struct target* t = &targets[i];
    int64_t* all = malloc(n * sizeof *all);
    if (all == NULL) fail("report", "no memory");
    memcpy(all, t->samples, n * sizeof *all);
    qsort(all, n, sizeof *all, compare);
    int64_t sum = 0;
    for (size_t k = 0; k < n; ++k) sum += all[k];
    printf("%s\n  {\"name\": \"%s\", \"unit\": \"ns\", \"p50\": %lld, \"p99\": %lld, ",
           i > 0 ? "," : "", t->name, (long long)quantile(all, n, 50),
           (long long)quantile(all, n, 99));
    printf("\"mean\": %lld, \"samples\": %zu, ", (long long)(sum / (int64_t)n), n);
    print_rounds(t, rounds, block, 50);
    printf(", ");
    print_rounds(t, rounds, block, 99);
    printf("}");
    free(all);
  }
  printf("\n]}\n");
}

static void add_target(char* argument) {
  char* equals = strchr(argument, '=');
  if (equals == NULL || target_count == kMaxTargets) fail(argument, "expected NAME=SOCKET");
  *equals = '\0';
  struct target* t = &targets[target_count++];
  t->name = argument;
  t->fd = -1;
  set_address(&t->address, equals + 1);
}

// A new order each round (fixed seed): nobody always runs behind the same neighbour.
static void shuffle(int* order) {
  static uint64_t state = 0x9e3779b97f4a7c15u;
  for (int i = target_count - 1; i > 0; --i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    int j = (int)((state >> 33) % (unsigned)(i + 1));
    int other = order[i];
    order[i] = order[j];
    order[j] = other;
  }
}

int main(int argc, char** argv) {
  if (argc == 5 && strcmp(argv[1], "hold") == 0)
    return hold((unsigned)atoi(argv[2]), argv[3], argv[4]);
  bool ping = argc > 4 && strcmp(argv[1], "ping") == 0;
  bool fresh = argc > 4 && strcmp(argv[1], "fresh") == 0;
  bool out = argc > 5 && strcmp(argv[1], "out") == 0;
  bool in = argc > 5 && strcmp(argv[1], "in") == 0;
  bool many = argc > 6 && strcmp(argv[1], "many") == 0;
  bool busy = argc > 5 && strcmp(argv[1], "busy") == 0;
  unsigned rounds = argc > 3 ? (unsigned)atoi(argv[2]) : 0;
  unsigned long long size = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
  if (!(ping || fresh || out || in || many || busy) || rounds == 0 || size == 0) {
    fprintf(stderr,
            "usage: pinger ping|fresh ROUNDS BLOCK NAME=SOCKET...\n"
            "       pinger out|in|busy ROUNDS BYTES CONTAINER NAME=SOCKET...\n"
            "       pinger many ROUNDS BYTES CONTAINER COUNT NAME=SOCKET...\n"
            "       pinger hold COUNT CONTAINER SOCKET\n");
    return 64;
  }
  bool stream = out || in || many || busy;
  for (int i = many ? 6 : stream ? 5 : 4; i < argc; ++i) add_target(argv[i]);
  unsigned block = stream ? 1 : (unsigned)size;
  for (int i = 0; i < target_count; ++i) {
    struct target* t = &targets[i];
    t->samples = malloc((size_t)rounds * block * kBusyFigures * sizeof *t->samples);
    if (t->samples == NULL) fail("samples", "no memory");
    if (ping || busy) t->fd = dial(&t->address);
    if (!stream || busy)  // first requests open the engine side, fill caches
      for (int k = 0; k < 50; ++k) ping_once(t, fresh);
  }
  int order[kMaxTargets];
  for (int i = 0; i < target_count; ++i) order[i] = i;
  for (unsigned r = 0; r < rounds; ++r) {
    for (unsigned done = 0; done < block; done += kSlice) {
      shuffle(order);
      unsigned end = done + kSlice < block ? done + kSlice : block;
      for (int i = 0; i < target_count; ++i) {
        struct target* t = &targets[order[i]];
        int64_t* to = t->samples + (size_t)r * block;
        if (busy) {
          ping_busy(t, argv[4], size, t->samples + (size_t)r * kBusyFigures);
        } else if (many) {
          *to = exec_many(t, argv[4], size, (unsigned)atoi(argv[5]));
        } else if (out) {
          *to = exec_out(t, argv[4], size);
        } else if (in) {
          *to = exec_in(t, argv[4], size);
        } else {
          for (int k = 0; k < kUncounted; ++k) ping_once(t, fresh);
          for (unsigned k = done; k < end; ++k) to[k] = ping_once(t, fresh);
        }
      }
    }
  }
  if (busy)
    report_busy(rounds);
  else
    report(rounds, block);
  return 0;
}
