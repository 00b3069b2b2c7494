#include "link/hv_socket.h"

#include <winsock2.h>

#include <hvsocket.h>

#include <algorithm>

#include "windows/windows_text.h"

namespace causeway::shim::link {
namespace {

constexpr int kFamily = 34;  // AF_HYPERV, which MinGW's headers don't have
constexpr std::uint32_t kLastPort = 0x7fffffff;

std::string address(const GUID& vm, const GUID& service) {
  SOCKADDR_HV out{};
  out.Family = kFamily;
  out.VmId = vm;
  out.ServiceId = service;
  return std::string(reinterpret_cast<const char*>(&out), sizeof out);
}

Status set(SOCKET socket, int option, ULONG value, const char* what) {
  if (setsockopt(socket, HV_PROTOCOL_RAW, option, reinterpret_cast<const char*>(&value),
                 sizeof value) == 0)
    return Ok{};
  return windows_error(what, static_cast<std::uint32_t>(WSAGetLastError()));
}

}  // namespace

std::optional<GUID> parse_guid(std::string_view text) {
  if (text.size() == 38 && text.front() == '{' && text.back() == '}')
    text = text.substr(1, text.size() - 2);
  if (text.size() != 36) return std::nullopt;
  std::uint8_t bytes[16]{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    int value = -1;
    if (c >= '0' && c <= '9') value = c - '0';
    if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
    if (dash ? c != '-' : value < 0) return std::nullopt;
    if (dash) continue;
    bytes[digits / 2] = static_cast<std::uint8_t>(bytes[digits / 2] * 16 + value);
    ++digits;
  }
  GUID guid{};
  guid.Data1 =
      (static_cast<unsigned long>(bytes[0]) << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3];
  guid.Data2 = static_cast<unsigned short>((bytes[4] << 8) | bytes[5]);
  guid.Data3 = static_cast<unsigned short>((bytes[6] << 8) | bytes[7]);
  std::copy(bytes + 8, bytes + 16, guid.Data4);
  return guid;
}

std::optional<GUID> service_guid(std::uint32_t port) {
  if (port > kLastPort) return std::nullopt;
  GUID guid = HV_GUID_VSOCK_TEMPLATE;
  guid.Data1 = port;
  return guid;
}

Result<SocketTarget> hv_target(std::string_view vm_id, std::uint32_t port,
                               std::uint32_t timeout_ms) {
  const auto vm = parse_guid(vm_id);
  if (!vm) return make_error("\"" + std::string(vm_id) + "\" is not the GUID of a VM");
  const auto service = service_guid(port);
  if (!service || port == 0)
    return make_error("the vsock port " + std::to_string(port) + " can't be reached from Windows");
  SocketTarget target;
  target.family = kFamily;
  target.protocol = HV_PROTOCOL_RAW;
  target.local = address(HV_GUID_WILDCARD, HV_GUID_WILDCARD);
  target.remote = address(*vm, *service);
  target.name = "hvsocket port " + std::to_string(port) + " of VM " + std::string(vm_id);
  target.prepare = [timeout_ms](SOCKET socket) -> Status {
    // Else the connection dies when the machine sleeps.
    if (auto done = set(socket, HVSOCKET_CONNECTED_SUSPEND, 1, "keep it over sleep"); !done)
      return done;
    return set(socket, HVSOCKET_CONNECT_TIMEOUT,
               std::min<std::uint32_t>(timeout_ms, HVSOCKET_CONNECT_TIMEOUT_MAX),
               "set the time-out");
  };
  return target;
}

}  // namespace causeway::shim::link
