// http_call SOCKET METHOD PATH [BODY]: one request over a unix socket, the answer with its head on
// stdout; exit 0 when the status is 2xx. Static, so that it runs in a container with nothing else:
// it shows what a mounted docker.sock reaches.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    fprintf(stderr, "usage: http_call SOCKET METHOD PATH [BODY]\n");
    return 64;
  }
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(argv[1]) >= sizeof(address.sun_path)) return 64;
  strcpy(address.sun_path, argv[1]);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr*)&address, sizeof(address)) != 0) {
    fprintf(stderr, "connect %s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  const char* body = argc == 5 ? argv[4] : "";
  dprintf(fd,
          "%s %s HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
          argv[2], argv[3], strlen(body), body);
  char buffer[4096];
  char first[13] = "";
  size_t have = 0;
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
    for (ssize_t i = 0; i < n && have < sizeof(first) - 1; ++i) first[have++] = buffer[i];
    if (write(STDOUT_FILENO, buffer, (size_t)n) != n) return 1;
  }
  return strncmp(first, "HTTP/1.1 2", 10) == 0 ? 0 : 1;
}
