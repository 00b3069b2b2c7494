// The file with the agent's sections, and with one of this test's own.
#include "settings/settings_file.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "settings/settings.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::settings;

namespace {

struct Folder : test::TempDir {
  std::string file() const { return path + "/settings.json"; }
  void write(std::string_view content) const { REQUIRE(file::write_atomic(file(), content).ok()); }
};

// What a new capability brings: its settings, and how they are read.
struct Lamp {
  std::string colour = "white";
  std::int64_t watts = 5;
  bool operator==(const Lamp&) const = default;
};

void read_lamp(json::ObjectReader& file, Lamp& out) {
  file.object("lamp", [&](json::ObjectReader& lamp) {
    lamp.read("colour", out.colour);
    lamp.read("watts", out.watts, 1, 100);
  });
}

struct World {
  World() {
    lamp.on_change([this](const Lamp& old, const Lamp& now) {
      told.push_back(old.colour + std::to_string(old.watts) + " " + now.colour +
                     std::to_string(now.watts));
      return old.watts == now.watts ? std::string() : "at the next dawn";
    });
  }
  // Whether it could be read, and what status says.
  std::string reload(std::string_view content) {
    folder.write(content);
    const auto done = file.reload();
    std::string out = done ? "" : "error; ";
    for (const auto& note : file.notes()) out += (note.problem ? "problem: " : "") + note.text;
    return out;
  }

  Folder folder;
  Section<link::Settings> link{"link", link::read_settings};
  Section<Lamp> lamp{"lamp", read_lamp};
  SettingsFile file{folder.file(), {&link, &lamp}};
  std::vector<std::string> told;
};

}  // namespace

TEST_CASE("settings/settings_file: a section's owner is told what has changed, and only then") {
  World world;
  REQUIRE(world.file.load().ok());  // no file
  CHECK(world.lamp.in_force() == Lamp{});
  CHECK(world.reload(R"({"lamp":{"colour":"red"}})").empty());
  CHECK(world.told == std::vector<std::string>{"white5 red5"});
  CHECK(world.lamp.in_force().colour == "red");
  CHECK(world.reload(R"({"lamp": {"colour": "red"}, "link": {}})").empty());
  CHECK(world.told.size() == 1);  // the same in other words
  REQUIRE(::unlink(world.folder.file().c_str()) == 0);
  REQUIRE(world.file.reload().ok());
  CHECK(world.told.back() == "red5 white5");
}

TEST_CASE("settings/settings_file: what can't change at once waits, and is told until it needn't") {
  World world;
  REQUIRE(world.file.load().ok());
  const std::string note = world.folder.file() + ": \"lamp\" takes effect at the next dawn";
  CHECK(world.reload(R"({"lamp":{"watts":9}})") == note);
  CHECK(world.lamp.in_force().watts == 5);
  CHECK(world.reload(R"({"lamp":{"watts":9}})") == note);
  CHECK(world.told.size() == 1);
  CHECK(world.reload(R"({"lamp":{"watts":8}})") == note);
  CHECK(world.told.back() == "white5 white8");  // from what is in force
  CHECK(world.reload("{}").empty());            // back to it
  CHECK(world.told.size() == 2);
  CHECK(world.reload(R"({"lamp":{"watts":9}})") == note);
  world.lamp.take_effect();
  CHECK(world.lamp.in_force().watts == 9);
  CHECK(world.file.notes().empty());
  // An owner who doesn't listen: at the next start.
  CHECK(world.reload(R"({"lamp":{"watts":9},"link":{"vsock":"off"}})") ==
        world.folder.file() + ": \"link\" takes effect at the next start");
  CHECK(world.link.in_force().vsock == link::Vsock::automatic);
}

TEST_CASE("settings/settings_file: a file that can't be used changes nothing and is named") {
  World world;
  world.folder.write(R"({"lamp":{"colour":"red","watts":7}})");
  REQUIRE(world.file.load().ok());
  CHECK(world.told.empty());  // the start
  CHECK(world.lamp.in_force() == Lamp{"red", 7});
  for (const char* bad : {"[]", "{", "\xFF\xFE{", R"({"lamp":{"colour":"blue"},"x":1})",
                          R"({"lamp":{"colour":"blue","size":1}})",
                          R"({"lamp":{"colour":"blue"},"link":{"vsock":1}})"}) {
    CAPTURE(bad);
    const auto said = world.reload(bad);
    CHECK(said.starts_with("error; problem: " + world.folder.file() + ": "));
    CHECK(said.ends_with("; the settings before it stay in force"));
    CHECK(world.lamp.in_force() == Lamp{"red", 7});
    CHECK(world.told.empty());
  }
  CHECK(world.reload(R"({"lamp":{"colour":"blue","watts":7}})").empty());
  CHECK(world.told == std::vector<std::string>{"red7 blue7"});
}

TEST_CASE("settings/settings_file: as Windows' tools leave it, and emptied") {
  using namespace std::string_literals;
  World world;
  world.folder.write("\xEF\xBB\xBF{\"lamp\":{\"colour\":\"red\"}}\r\n");
  REQUIRE(world.file.load().ok());
  CHECK(world.lamp.in_force().colour == "red");
  CHECK(world.file.notes().empty());
  CHECK(world.reload("\xFF\xFE{\0}\0\r\0\n\0"s).empty());
  CHECK(world.told == std::vector<std::string>{"red5 white5"});
  CHECK(world.reload(R"({"lamp":{"colour":"red"}})").empty());
  for (const auto& empty : {""s, " \r\n"s, "\xEF\xBB\xBF"s, "\xFF\xFE\r\0\n\0"s}) {
    CHECK(world.reload(empty) == world.folder.file() + " is empty: the default settings are used");
    CHECK(world.lamp.in_force() == Lamp{});
    CHECK(world.file.empty());
  }
  CHECK(world.reload("{").starts_with("error; problem: "));
  CHECK(world.reload(R"({"lamp":{"colour":"red"}})").empty());
  CHECK_FALSE(world.file.empty());
}

TEST_CASE("settings/settings_file: at the start the defaults stand in for a file of no use") {
  World world;
  world.folder.write(R"({"lamp":{"colour":"red"},"lamb":1})");
  CHECK(world.file.load().error().message == world.folder.file() + ": /lamb: unknown key");
  CHECK(world.lamp.in_force() == Lamp{});
  REQUIRE(world.file.notes().size() == 1);
  CHECK(world.file.notes()[0].problem);
  CHECK(world.file.notes()[0].text.ends_with("/lamb: unknown key; the default settings are used"));
}

TEST_CASE("settings/settings: all the agent's sections are read from one file") {
  const Folder folder;
  folder.write(R"({"live_restore":false,"host_setup":false,"log":{"files":1},
                   "link":{"vsock":"off"}})");
  Settings settings(folder.path);
  REQUIRE(settings.file.load().ok());
  CHECK_FALSE(settings.engine.in_force().live_restore);
  CHECK_FALSE(settings.host.in_force().host_setup);
  CHECK(settings.log.in_force().files == 1);
  CHECK(settings.link.in_force().vsock == link::Vsock::off);
  folder.write(R"({"live_restore":false,"lamp":{}})");
  CHECK_FALSE(settings.file.reload().ok());
  Settings nothing("/nowhere");
  CHECK(nothing.file.load().ok());
  CHECK(nothing.log.in_force() == supervise::LogLimits{});
}
