#include "paths/windows_path.h"

#include <doctest/doctest.h>

using namespace causeway::paths;

TEST_CASE("paths/windows_path: what MSYS makes of a bind") {
  for (const char* bind : {
           "C:\\Users\\dev\\src;C:\\Program Files\\Git\\app", "C:/src/dev;C:/Program Files/Git/app",
           "C:\\Users\\dev\\src;C:\\Program Files\\Git\\app;ro",
           "\\\\wsl$\\Ubuntu\\x;C:\\Program Files\\Git\\app",
           "C:\\Program Files\\Git\\var\\run\\docker.sock;C:\\Program "
           "Files\\Git\\var\\run\\docker.sock",
           "data;C:\\Program Files\\Git\\app",
           "C:\\a;b:/app",  // a folder "a;b" would be said like this, too: nobody has one
       }) {
    CAPTURE(bind);
    CHECK(is_path_list(bind));
  }
  for (const char* bind : {
           "C:\\Users\\dev\\src:/app",
           "C:\\a;b\\c:/app",
           "C:\\a;C:app",
           "/home/a;C:/app",  // a folder called "a;C"
           "data:/app",
           "C:\\x",
           ";",
           "",
       }) {
    CAPTURE(bind);
    CHECK_FALSE(is_path_list(bind));
  }
}
