#include <doctest/doctest.h>

#include "shares/drives.h"
#include "shares/known_distros.h"
#include "shares/share_record.h"
#include "support/sandbox.h"

using namespace causeway;
using namespace causeway::shares;

TEST_CASE("shares/share_record: what is written is read again") {
  ShareRecords records;
  records["Ubuntu-24.04"] = {
      {"/mnt/wsl", {{"/mnt/c", 'c', ""}, {"/mnt/my music", 'd', "/Music/\"old\""}}},
      "/run/docker.sock",
      {{"/", {"8:1", "/"}}, {"/home/ü", {"0:45", "/a b"}}}};
  records["minimal"] = {};
  const auto read = parse_share_records(to_json(records));
  REQUIRE(read);
  CHECK(*read == records);
  REQUIRE(parse_share_records(to_json({})));
  CHECK(parse_share_records(to_json({}))->empty());
}

TEST_CASE("shares/share_record: what can't be is an error") {
  const std::string head = R"({"distros":[{"name":"U","table":{"wsl":"","drives":[)";
  for (const std::string& bad : {
           std::string(""),
           std::string("[]"),
           std::string("{}"),
           std::string(R"({"distros":{}})"),
           std::string(R"({"distros":[1]})"),
           std::string(R"({"distros":[{}]})"),
           std::string(R"({"distros":[{"name":"../x"}]})"),
           head + R"({"point":"/c","letter":"cc","below":""}]}}]})",
           head + R"({"point":"/c","letter":"c"}]}}]})",
           std::string(
               R"({"distros":[{"name":"U","mounts":[{"point":"x","device":"","root":""}]}]})"),
           std::string(
               R"({"distros":[{"name":"U","mounts":[{"point":"/x","device":1,"root":""}]}]})"),
       }) {
    CAPTURE(bad);
    CHECK_FALSE(parse_share_records(bad));
  }
}

TEST_CASE("shares/share_record: slots are named by a hash, and the store takes the names") {
  // FNV-1a's published test vectors.
  CHECK(SlotNames("").pid == "d.cbf29ce484222325.pid");
  CHECK(SlotNames("a").sock == "d.af63dc4c8601ec8c.sock");
  CHECK(SlotNames("foobar").api == "d.85944171f73967e8.api");
  for (const auto& name : {SlotNames("Ubuntu").pid, SlotNames("Ubuntu").sock, SlotNames("x").api,
                           std::string(kWindowsSlot)})
    CHECK(fd_store::valid_store_name(name));
}

TEST_CASE("shares/known_distros: the file") {
  const auto good = KnownDistros::parse(R"({"Ubuntu": {"enabled": false}, "b-1.x": {}})");
  REQUIRE(good);
  CHECK(*good == KnownDistros::Enabled{{"Ubuntu", false}, {"b-1.x", true}});
  CHECK(*KnownDistros::parse(KnownDistros::to_json(*good)) == *good);
  for (const char* bad :
       {"", "[]", "1", R"({"a": true})", R"({"a": {"enabled": 1}})", R"({"a": {"enbled": true}})",
        R"({"..": {}})", R"({"-a": {}})", R"({"a/b": {}})", R"({"a": {}, "a": {}})"}) {
    CAPTURE(bad);
    CHECK_FALSE(KnownDistros::parse(bad));
  }
}

TEST_CASE("shares/known_distros: two spellings are one distro, and the first one stays") {
  const auto parsed =
      KnownDistros::parse(R"({"Ubuntu": {}, "a": {}, "UBUNTU": {"enabled": false}})");
  REQUIRE(parsed);
  CHECK(KnownDistros::to_json(*parsed).find("UBUNTU") == std::string::npos);
  CHECK(parsed->size() == 2);
  CHECK_FALSE(parsed->at("ubuntu"));
  const testing::Sandbox sandbox;
  KnownDistros known(sandbox / "distros.json");
  REQUIRE(known.set("Ubuntu", true));
  REQUIRE(known.set("ubuntu", false));
  CHECK(known.all().size() == 1);
  CHECK(known.has("UBUNTU"));
  CHECK_FALSE(known.enabled("Ubuntu"));
  CHECK(known.spelling("uBuNtU") == "Ubuntu");
  CHECK(known.spelling("Debian") == "Debian");
  REQUIRE(known.set("Debian", true));
  REQUIRE(known.forget("ubuntu"));
  REQUIRE(known.forget("nobody"));
  CHECK(testing::content(sandbox / "distros.json") == KnownDistros::to_json({{"Debian", true}}));
}

TEST_CASE("shares/known_distros: a file that was edited on Windows, or emptied") {
  using namespace std::string_literals;
  const testing::Sandbox sandbox;
  struct Case {
    std::string content;
    bool knows;
  };
  for (const auto& c :
       {Case{"\xEF\xBB\xBF{\"U\": {}}", true}, Case{"\xFF\xFE{\0\"\0U\0\"\0:\0{\0}\0}\0"s, true},
        Case{"", false}, Case{"\r\n", false}}) {
    testing::write_file(sandbox / "distros.json", c.content);
    KnownDistros known(sandbox / "distros.json");
    REQUIRE(known.load());
    CHECK(known.has("U") == c.knows);
    REQUIRE(known.set("Other", true));
    CHECK(testing::content(sandbox / "distros.json").find("Other") != std::string::npos);
  }
}

TEST_CASE("shares/drives: whole drives only, the first of several, never our own copies") {
  const std::string root = "1 0 8:1 / / rw - ext4 a rw\n";
  const auto letters = [&](const std::string& lines) {
    const auto mounts = paths::parse_mountinfo(root + lines);
    std::string out;
    for (const auto& [letter, mount] : choose_drives(mounts, {"/mnt/host", "/mnt/distro"}))
      out += std::string(1, letter) + "=" + mount->mount_point + " ";
    return out;
  };
  const struct {
    const char* name;
    std::string mounts;
    std::string expected;
  } cases[] = {
      {"none", "", ""},
      {"a drive", "2 1 0:1 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs\n", "c=/mnt/c "},
      {"a part", "2 1 0:1 / /music rw - 9p C:\\134Music rw,aname=drvfs\n", ""},
      {"our copy",
       "2 1 0:1 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs\n"
       "3 1 0:9 / /mnt/host rw - tmpfs causeway rw\n"
       "4 3 0:1 / /mnt/host/c rw - 9p C:\\134 rw,aname=drvfs\n",
       "c=/mnt/c "},
      {"in a share", "2 1 0:1 / /mnt/distro/U/mnt/e rw - 9p E:\\134 rw,aname=drvfs\n", ""},
      {"two of one",
       "2 1 0:1 / /a/c rw - 9p C:\\134 rw,aname=drvfs\n"
       "3 1 0:1 / /b/c rw - 9p C:\\134 rw,aname=drvfs\n",
       "c=/a/c "},
  };
  for (const auto& test : cases) {
    CAPTURE(test.name);
    CHECK(letters(test.mounts) == test.expected);
  }
}
