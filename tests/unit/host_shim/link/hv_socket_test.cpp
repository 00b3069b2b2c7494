#include "link/hv_socket.h"

#include <doctest/doctest.h>

#include <hvsocket.h>
#include <cstring>

#include "link/tcp_transport.h"
#include "wire/ports.h"

using namespace causeway::shim;
using namespace causeway::shim::link;

TEST_CASE("host_shim/link/hv_socket: the service GUID is the port in the template of vsock") {
  const auto service = service_guid(causeway::wire::kLinkPort);
  REQUIRE(service);
  const auto same = parse_guid("43570001-facb-11e6-bd58-64006a7986d3");
  REQUIRE(same);
  CHECK(std::memcmp(&*service, &*same, sizeof(GUID)) == 0);
  CHECK(service_guid(0x7fffffff));
  CHECK_FALSE(service_guid(0x80000000));
}

TEST_CASE("host_shim/link/hv_socket: a GUID, and what is none") {
  const auto plain = parse_guid("01234567-89ab-cdef-0123-456789ABCDEF");
  const auto braced = parse_guid("{01234567-89AB-CDEF-0123-456789abcdef}");
  REQUIRE(plain);
  REQUIRE(braced);
  CHECK(std::memcmp(&*plain, &*braced, sizeof(GUID)) == 0);
  CHECK(plain->Data1 == 0x01234567);
  CHECK(plain->Data4[7] == 0xef);
  for (const char* text :
       {"", "01234567-89ab-cdef-0123-456789abcde", "01234567-89ab-cdef-0123-456789abcdeg",
        "0123456789ab-cdef-0123-456789abcdef--", "(01234567-89ab-cdef-0123-456789abcdef)",
        "{01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef "})
    CHECK_FALSE(parse_guid(text));
}

TEST_CASE("host_shim/link/hv_socket: the address holds VM and service") {
  const auto target = hv_target("01234567-89ab-cdef-0123-456789abcdef", 0x43570001, 5000);
  REQUIRE(target.ok());
  CHECK(target->family == 34);
  CHECK(target->protocol == 1);
  SOCKADDR_HV remote{};
  REQUIRE(target->remote.size() == sizeof remote);
  std::memcpy(&remote, target->remote.data(), sizeof remote);
  CHECK(remote.Family == 34);
  CHECK(remote.VmId.Data1 == 0x01234567);
  CHECK(remote.ServiceId.Data1 == 0x43570001);
  CHECK(remote.ServiceId.Data2 == 0xfacb);
  CHECK_FALSE(hv_target("", 1, 5000).ok());
  CHECK_FALSE(hv_target("01234567-89ab-cdef-0123-456789abcdef", 0, 5000).ok());
}

TEST_CASE("host_shim/link/hv_socket: TCP goes to the loopback only") {
  CHECK(tcp_target("127.0.0.1:1").ok());
  for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                           "127.0.0.1:1x", "127.0.0.1:-1", "10.0.0.1:1", "localhost:1"}) {
    CAPTURE(text);
    CHECK_FALSE(tcp_target(text).ok());
  }
}
