// Section `notes`: what a person should know.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace causeway::json {
class Json;
}

namespace causeway::control_api {

struct Note {
  bool warning = false;
  std::string text;
};

std::string to_json(const std::vector<Note>& notes);
Status read(const json::Json& json, std::vector<Note>& out);

}  // namespace causeway::control_api
