// The only program of the bench's container image (static, so the image is this one file).
//
//   payload idle        waits to be killed
//   payload source N    writes N bytes
//   payload sink        reads to the end of input, then prints the count
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char buffer[64 * 1024];

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
  fprintf(stderr, "usage: payload idle|source N|sink\n");
  return 64;
}
