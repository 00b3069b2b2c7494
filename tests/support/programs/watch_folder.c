// watch_folder DIR: prints "ready", and once the name "end" has appeared in DIR a line for each
// change of a name there: "created NAME", "changed NAME", "deleted NAME", or "OVERFLOW" when the
// kernel lost some. Static, so that it runs in a container with nothing else.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static void print(const char* what, const char* name) { printf("%s %s\n", what, name); }

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: watch_folder DIR\n");
    return 64;
  }
  const int fd = inotify_init1(IN_CLOEXEC);
  if (inotify_add_watch(fd, argv[1], IN_CREATE | IN_CLOSE_WRITE | IN_DELETE) < 0) {
    fprintf(stderr, "watch %s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  // All lines stay here until the end: a reader that is slow must not keep us from reading.
  static char lines[16 << 20];
  setvbuf(stdout, lines, _IOFBF, sizeof(lines));
  printf("ready\n");
  fflush(stdout);
  static char buffer[1 << 20] __attribute__((aligned(8)));
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
    for (char* at = buffer; at < buffer + n;) {
      const struct inotify_event* event = (const struct inotify_event*)at;
      at += sizeof(*event) + event->len;
      if (event->mask & IN_Q_OVERFLOW) print("OVERFLOW", "");
      if (event->len == 0) continue;
      if (strcmp(event->name, "end") == 0) return fflush(stdout) != 0;
      if (event->mask & IN_CREATE) print("created", event->name);
      if (event->mask & IN_CLOSE_WRITE) print("changed", event->name);
      if (event->mask & IN_DELETE) print("deleted", event->name);
    }
  }
  return 1;
}
