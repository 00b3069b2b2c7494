// SettingsFile reads the sections of settings.json: strictly, all or none. Each key belongs to one
// section; one that no section reads is an error, which names its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "settings/section.h"

namespace causeway::settings {

class SettingsFile {
 public:
  // The sections outlive it.
  SettingsFile(std::string path, std::vector<AnySection*> sections)
      : path_(std::move(path)), sections_(std::move(sections)) {}

  const std::string& path() const { return path_; }
  const std::vector<AnySection*>& sections() const { return sections_; }

  // At the start. Without a file, with an empty one, and with one that can't be used, the defaults
  // are in force.
  Status load();
  // The file again. One that can't be used changes nothing; else the owners of what has changed are
  // told, once all is read.
  Status reload();

  // It is there, and nothing is in it: the defaults are in force.
  bool empty() const { return empty_; }

  struct Note {
    bool problem = false;
    std::string text;
  };
  // What is wrong with the file, and what of it isn't in force yet.
  std::vector<Note> notes() const;

 private:
  Status read();
  Status parse(std::string_view content);

  const std::string path_;
  const std::vector<AnySection*> sections_;
  std::string problem_;
  bool empty_ = false;  // what is in force is of an empty file
};

}  // namespace causeway::settings
