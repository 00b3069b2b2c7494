// Text at the border to Windows: UTF-8 inside, UTF-16 in its calls, and what its errors mean.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::shim {

// What can't be converted becomes U+FFFD.
std::wstring to_wide(std::string_view utf8);
std::string to_utf8(std::wstring_view wide);

// "what: the system's text for the error (5)". Both GetLastError() and WSAGetLastError() codes.
Error windows_error(std::string_view what, std::uint32_t code);

// One command line that CommandLineToArgvW and the C run-time take apart into `argv` again
// (Microsoft, "Parsing C command-line arguments").
std::string join_arguments(const std::vector<std::string>& argv);

}  // namespace causeway::shim
