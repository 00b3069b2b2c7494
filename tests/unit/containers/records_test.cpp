#include <doctest/doctest.h>

#include <array>
#include <cstdlib>

#include "base/file.h"
#include "containers/container_records.h"

using namespace causeway;
using containers::ContainerRecord;

namespace {

// As dockerd 20.10 and 26 write them, with what matters here.
constexpr const char* kConfig = R"({"ID":"c1","Name":"/web","HasBeenManuallyStopped":false,
 "State":{"Running":true,"ExitCode":0,"Error":""},
 "MountPoints":{
  "/w":{"Source":"/mnt/distro/Ubuntu/home/dev","Destination":"/w","RW":true,"Name":"","Driver":"","Type":"bind"},
  "/v":{"Source":"","Destination":"/v","Name":"data","Driver":"local","Type":"volume"},
  "/p":{"Source":"","Destination":"/p","Name":"plain","Driver":"local","Type":"volume"},
  "/n":{"Source":"","Destination":"/n","Name":"net","Driver":"nfs","Type":"volume"}}})";
constexpr const char* kHost = R"({"RestartPolicy":{"Name":"always","MaximumRetryCount":0}})";

struct Root {
  Root() {
    std::array<char, 40> name{"/tmp/causeway-records-XXXXXX"};
    path = mkdtemp(name.data());
  }
  ~Root() { std::system(("rm -rf " + path).c_str()); }  // NOLINT: a path made here
  void put(const std::string& file, const std::string& content) const {
    const std::string whole = path + "/" + file;
    REQUIRE(file::make_directories(whole.substr(0, whole.rfind('/'))).ok());
    REQUIRE(file::write_atomic(whole, content).ok());
  }
  std::string path;
};

}  // namespace

TEST_CASE("containers/container_records: a record names its sources, and volumes their devices") {
  Root root;
  root.put("volumes/data/opts.json",
           R"({"MountType":"none","MountOpts":"rw,bind","MountDevice":"/mnt/distro/Debian/srv"})");
  root.put("volumes/plain/_data/x", "");
  root.put("volumes/net/opts.json",
           R"({"MountType":"nfs","MountOpts":"addr=1.2.3.4","MountDevice":":/x"})");
  const auto record = containers::parse_record(kConfig, kHost, root.path);
  REQUIRE(record.ok());
  CHECK(record->id == "c1");
  CHECK(record->name == "web");
  CHECK(record->restart_policy == "always");
  CHECK(record->running);
  CHECK(containers::distros_of(*record) == std::set<std::string>{"Debian", "Ubuntu"});
  CHECK(record->sources.size() == 2);
}

TEST_CASE(
    "containers/container_records: what can't be read is an error, and left out of the list") {
  Root root;
  CHECK(!containers::parse_record("{", kHost, root.path).ok());
  CHECK(!containers::parse_record(kConfig, "[", root.path).ok());
  CHECK(!containers::parse_record("{}", kHost, root.path).ok());
  root.put("containers/c1/config.v2.json", kConfig);
  root.put("containers/c1/hostconfig.json", kHost);
  root.put("containers/c2/config.v2.json", "half");
  root.put("containers/c2/hostconfig.json", kHost);
  root.put("containers/c3/hostconfig.json", kHost);
  CHECK(containers::read_records(root.path).size() == 1);
  CHECK(containers::read_records(root.path + "/nowhere").empty());
  const auto missing = containers::read_record(root.path, "c9");
  REQUIRE(!missing.ok());
  CHECK(missing.error().code == ENOENT);
  for (const char* name : {"", ".", "..", "../containers/c1", "a/b"})
    CHECK(!containers::read_record(root.path, name).ok());
}

TEST_CASE("containers/container_records: which containers dockerd starts by itself") {
  struct Row {
    const char* policy;
    bool running, stopped_by_user;
    int exit_code;
    bool expected;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"no", true, false, 137, false},
           {"always", true, false, 0, true},
           {"always", false, true, 0, true},  // dockerd does so, whoever stopped it
           {"unless-stopped", true, false, 0, true},
           {"unless-stopped", false, false, 255, true},
           {"unless-stopped", false, true, 0, false},
           {"on-failure", true, false, 0, true},
           {"on-failure", false, false, 1, true},
           {"on-failure", false, false, 0, false},
           {"", true, false, 1, false},
       }) {
    CAPTURE(row.policy);
    ContainerRecord record;
    record.restart_policy = row.policy;
    record.running = row.running;
    record.stopped_by_user = row.stopped_by_user;
    record.exit_code = row.exit_code;
    CHECK(containers::starts_by_itself(record) == row.expected);
  }
}

TEST_CASE("containers/container_records: the distros that a container binds from") {
  ContainerRecord record;
  for (const auto* elsewhere : {"/mnt/distro", "/mnt/distro/", "/mnt/distros/Ubuntu", "/home",
                                "/srv/mnt/distro/Ubuntu", "/mnt/distro/../x", "volume", ""})
    record.sources.emplace_back(elsewhere);
  CHECK(containers::distros_of(record).empty());
  record.sources.insert(record.sources.end(), {"/mnt/distro/Ubuntu", "/mnt/distro/Debian/x/y"});
  CHECK(containers::distros_of(record) == std::set<std::string>{"Debian", "Ubuntu"});
}
