// http_get SOCKET PATH: one GET over a unix socket, the answer's status line and body on stdout;
// exit 0 when the status is 200. Static, so that it runs in a container with nothing else: it shows
// that a mounted docker.sock reaches the API.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: http_get SOCKET PATH\n");
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
  dprintf(fd, "GET %s HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n", argv[2]);
  char buffer[4096];
  char first[13] = "";
  size_t have = 0;
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
    for (ssize_t i = 0; i < n && have < sizeof(first) - 1; ++i) first[have++] = buffer[i];
    if (write(STDOUT_FILENO, buffer, (size_t)n) != n) return 1;
  }
  return strncmp(first, "HTTP/1.1 200", 12) == 0 ? 0 : 1;
}
