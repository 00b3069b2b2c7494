#include "cli/table.h"

#include <doctest/doctest.h>

using namespace causeway::cli;

namespace {
Table sample() {
  Table table({{"NAME", false, 6}, {"N", true}, {"WHAT"}});
  table.add({{"a"}, {"1"}, {"first"}});
  table.add({{"much longer"}, {"1000"}, {""}});
  return table;
}
}  // namespace

TEST_CASE("cli/table: columns are as wide as their widest cell, numbers stand right") {
  CHECK(sample().text({}) ==
        "NAME            N  WHAT\n"
        "a               1  first\n"
        "much longer  1000\n");
}

TEST_CASE("cli/table: a table wider than the terminal is cut where it may be, no further") {
  Terminal narrow;
  narrow.columns = 20;
  CHECK(sample().text(narrow) ==
        "NAME        N  WHAT\n"
        "a           1  first\n"
        "much l\u2026  1000\n");
  narrow.columns = 5;
  CHECK(sample().text(narrow) ==
        "NAME       N  WHAT\n"
        "a          1  first\n"
        "much \u2026  1000\n");
}

TEST_CASE("cli/table: a paragraph stands below its row, wrapped to the terminal") {
  Table table({{"NAME"}, {"STATE"}});
  table.add({{"dockerd"}, {"failed"}});
  table.add_below("exited with code 1, eight times in two minutes");
  table.add({{"k3s"}, {"off"}});
  Terminal terminal;
  terminal.columns = 40;
  CHECK(table.text(terminal) ==
        "NAME     STATE\n"
        "dockerd  failed\n"
        "         exited with code 1, eight times\n"
        "         in two minutes\n"
        "k3s      off\n");
}

TEST_CASE("cli/table: colours only where the terminal has them, and never in the widths") {
  Table table({{"A"}, {"B"}});
  table.add({{"x", Colour::red}, {"y"}});
  Terminal colourful;
  colourful.colours = true;
  CHECK(table.text(colourful) ==
        "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n"
        "\x1b[31mx\x1b[0m  y\n");
  CHECK(table.text({}) == "A  B\nx  y\n");
}

TEST_CASE("cli/table: text is cut and wrapped between characters") {
  CHECK(cut("äöü", 3) == "äöü");
  CHECK(cut("äöüß", 3) == "äö\u2026");
  CHECK(cut("abc", 0).empty());
  CHECK(wrapped("", 2, 80).empty());
  CHECK(wrapped("no limit at all", 2, 0) == "  no limit at all\n");
  CHECK(wrapped("ääääääääääääääääääääbb", 0, 20) == "ääääääääääääääääääää\nbb\n");
  CHECK(wrapped("twenty characters ok no", 0, 20) == "twenty characters ok\nno\n");
}
