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
