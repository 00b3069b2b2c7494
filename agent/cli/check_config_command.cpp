// `causeway check-config`.
#include <unistd.h>

#include <cstdio>

#include "base/exit_code.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/config_check.h"
#include "cli/terminal.h"
#include "json/json.h"

namespace causeway::cli {
namespace {

using json::Json;

Json entries(const std::vector<ConfigReport::Entry>& from) {
  Json out = Json::array();
  for (const auto& entry : from)
    out.push(Json::object({{"file", entry.file}, {"message", entry.text}}));
  return out;
}

std::string json(const ConfigReport& report) {
  Json good = Json::array();
  for (const auto& file : report.good) good.push(file);
  return Json::object({{"problems", entries(report.problems)},
                       {"notes", entries(report.notes)},
                       {"good", std::move(good)}})
      .dump();
}

void print(const ConfigReport& report) {
  const auto terminal = Terminal::of(STDOUT_FILENO);
  auto line = [&](const char* word, Colour colour, const std::string& text) {
    std::printf("%s %s\n", terminal.paint(word, colour).c_str(), text::printable(text).c_str());
  };
  for (const auto& entry : report.problems)
    line("wrong", Colour::red, entry.file + ": " + entry.text);
  for (const auto& entry : report.notes)
    line("note ", Colour::yellow, entry.file + ": " + entry.text);
  for (const auto& file : report.good) line("good ", Colour::green, file);
}

}  // namespace

int run_check_config(const CheckConfigOptions& options) {
  const auto report = check_config(options);
  if (options.json) {
    std::printf("%s\n", json(report).c_str());
  } else {
    print(report);
  }
  return report.problems.empty() ? kDone : kNo;
}

}  // namespace causeway::cli
