#include "attach/attach_line.h"

#include <doctest/doctest.h>

using namespace causeway;

TEST_CASE("attach/attach_line: the line for the Windows side") {
  CHECK(
      attach::attach_line({"00112233445566778899aabbccddeeff", 1129775105, 1},
                          "{b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b}", "0.1.0") ==
      R"(CAUSEWAY/1 {"version":"0.1.0","major":1,"vm_id":"{b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b}",)"
      R"("port":1129775105,"nonce":"00112233445566778899aabbccddeeff"})"
      "\n");
}

TEST_CASE("attach/attach_line: what is a VM's id") {
  CHECK(attach::is_vm_id("b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b"));
  CHECK(attach::is_vm_id("{B6A9A5F4-1C5E-4B8A-9F52-0D0F3D4F1A2B}"));
  for (const char* bad :
       {"", "wsl-1", "b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2", "b6a9a5f4 1c5e-4b8a-9f52-0d0f3d4f1a2b",
        "{b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b", "g6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b",
        "b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b\n"})
    CHECK_FALSE(attach::is_vm_id(bad));
}

TEST_CASE("attach/attach_line: what a person reads first") {
  control_api::ProductStatus status;
  status.engine.state = control_api::EngineState::starting;
  status.engine.reason = "dockerd starts";
  status.distros.resize(3);
  status.distros[0].state = control_api::DistroState::attached;
  status.distros[1].state = control_api::DistroState::stopped;
  CHECK(attach::welcome(status).starts_with(
      "docker-desktop: the engine is starting (dockerd starts), 1 distro integrated;"));
}
