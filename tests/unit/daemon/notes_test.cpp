#include "daemon/notes.h"

#include <doctest/doctest.h>

using namespace causeway;
using namespace causeway::daemon;

TEST_CASE("daemon/notes: those that stay come first, the others are asked for each time") {
  Notes notes;
  int asked = 0;
  notes.add_source([&] {
    ++asked;
    return std::vector<control_api::Note>{{false, "b"}};
  });
  notes.add_source([] { return std::vector<control_api::Note>{{true, "c"}}; });
  notes.add(true, "a");
  std::string all;
  for (const auto& note : notes.all()) all += (note.warning ? "!" : "-") + note.text;
  CHECK(all == "!a-b!c");
  CHECK(notes.all().size() == 3);
  CHECK(asked == 2);
}

TEST_CASE("daemon/notes: what is a problem to a part is a warning") {
  struct PartNote {
    bool problem;
    std::string text;
  };
  const auto notes = as_notes(std::vector<PartNote>{{true, "a"}, {false, "b"}});
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].warning);
  CHECK(notes[0].text == "a");
  CHECK(!notes[1].warning);
}
