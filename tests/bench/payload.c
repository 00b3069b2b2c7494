// The only program of the bench's container image (static, so the image is this one file).
//
//   payload idle        waits to be killed
//   payload source N    writes N bytes
//   payload sink        reads to the end of input, then prints the count
//   payload files D N   creates, stats, reads, unlinks N small files in folder D; prints the
//                       nanoseconds that each took
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char buffer[64 * 1024];

enum { kSmall = 1024, kSteps = 4 };

// One step for one file; 0 when done.
static int work(int step, const char* name) {
  struct stat info;
  if (step == 1) return stat(name, &info);
  if (step == 3) return unlink(name);
  const int fd = open(name, step == 0 ? O_CREAT | O_EXCL | O_WRONLY : O_RDONLY, 0644);
  if (fd < 0) return -1;
  const ssize_t moved = step == 0 ? write(fd, buffer, kSmall) : read(fd, buffer, sizeof buffer);
  return close(fd) != 0 || moved != kSmall;
}

static int files(const char* folder, int count) {
  if (chdir(folder) != 0) return 1;
  char name[32];
  long long nanoseconds[kSteps];
  for (int step = 0; step < kSteps; ++step) {
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (int i = 0; i < count; ++i) {
      snprintf(name, sizeof name, "f%d", i);
      if (work(step, name) != 0) {
        perror(name);
        return 1;
      }
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    nanoseconds[step] =
        (ended.tv_sec - begun.tv_sec) * 1000000000LL + ended.tv_nsec - begun.tv_nsec;
  }
  for (int step = 0; step < kSteps; ++step) printf("%lld ", nanoseconds[step]);
  printf("\n");
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "idle") == 0) {
    for (;;) pause();
  }
  if (argc == 3 && strcmp(argv[1], "source") == 0) {
    unsigned long long left = strtoull(argv[2], NULL, 10);
    memset(buffer, 'x', sizeof buffer);
    while (left > 0) {
      size_t want = left < sizeof buffer ? (size_t)left : sizeof buffer;
      ssize_t n = write(STDOUT_FILENO, buffer, want);
      if (n < 0) return 1;
      left -= (unsigned long long)n;
    }
    return 0;
  }
  if (argc == 2 && strcmp(argv[1], "sink") == 0) {
    unsigned long long total = 0;
    ssize_t n;
    while ((n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0) total += (unsigned long long)n;
    printf("%llu\n", total);
    return n < 0;
  }
  if (argc == 4 && strcmp(argv[1], "files") == 0) return files(argv[2], atoi(argv[3]));
  fprintf(stderr, "usage: payload idle|source N|sink|files DIR N\n");
  return 64;
}
