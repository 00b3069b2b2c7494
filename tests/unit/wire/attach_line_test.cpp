#include "wire/attach_line.h"

#include <doctest/doctest.h>

using namespace causeway;
using namespace causeway::wire;

namespace {

const AttachLine kLine = {"0.1.0", 1, "{b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b}", 1129775105,
                          *nonce_from_hex("00112233445566778899aabbccddeeff")};

}  // namespace

TEST_CASE("wire/attach_line: one line, and back") {
  const auto text = attach_line(kLine);
  CHECK(
      text ==
      R"(CAUSEWAY/1 {"version":"0.1.0","major":1,"vm_id":"{b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b}",)"
      R"("port":1129775105,"nonce":"00112233445566778899aabbccddeeff"})"
      "\n");
  const auto back = parse_attach_line(std::string_view(text).substr(kAttachMarker.size()));
  REQUIRE(back.ok());
  CHECK(back->version == kLine.version);
  CHECK(back->major == kLine.major);
  CHECK(back->vm_id == kLine.vm_id);
  CHECK(back->port == kLine.port);
  CHECK(back->nonce == kLine.nonce);
}

TEST_CASE("wire/attach_line: the JSON is strict") {
  const auto json = attach_line(kLine).substr(kAttachMarker.size());
  REQUIRE(parse_attach_line(json).ok());
  const struct {
    const char* name;
    std::string json;
  } bad[] = {
      {"no JSON", "{\"version\""},
      {"behind it", "{} {}"},
      {"an array", "[]"},
      {"empty", "{}"},
      {"a text as port",
       R"({"version":"","major":1,"vm_id":"","port":"1","nonce":"000102030405060708090a0b0c0d0e0f"})"},
      {"a negative port",
       R"({"version":"","major":1,"vm_id":"","port":-1,"nonce":"000102030405060708090a0b0c0d0e0f"})"},
      {"a port beyond 32 bits",
       R"({"version":"","major":1,"vm_id":"","port":4294967296,"nonce":"000102030405060708090a0b0c0d0e0f"})"},
      {"a fraction",
       R"({"version":"","major":1.5,"vm_id":"","port":1,"nonce":"000102030405060708090a0b0c0d0e0f"})"},
      {"a short nonce", R"({"version":"","major":1,"vm_id":"","port":1,"nonce":"00"})"},
      {"a member twice",
       R"({"version":"","major":1,"vm_id":"","port":1,"port":2,"nonce":"000102030405060708090a0b0c0d0e0f"})"},
  };
  for (const auto& one : bad) {
    CAPTURE(one.name);
    CHECK_FALSE(parse_attach_line(one.json).ok());
  }
  CHECK(
      parse_attach_line(
          R"({"version":"9","major":2,"vm_id":"","port":0,"nonce":"000102030405060708090a0b0c0d0e0f","more":[{"port":1}]})")
          .ok());
}

TEST_CASE("wire/attach_line: what is a VM's id") {
  CHECK(is_vm_id("b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b"));
  CHECK(is_vm_id("{B6A9A5F4-1C5E-4B8A-9F52-0D0F3D4F1A2B}"));
  for (const char* bad :
       {"", "wsl-1", "b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2", "b6a9a5f4 1c5e-4b8a-9f52-0d0f3d4f1a2b",
        "{b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b", "g6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b",
        "b6a9a5f4-1c5e-4b8a-9f52-0d0f3d4f1a2b\n"})
    CHECK_FALSE(is_vm_id(bad));
}
