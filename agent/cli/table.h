// Text tables and paragraphs for people: columns as wide as their widest cell, two blanks between.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"

namespace causeway::cli {

struct Cell {
  std::string text;
  Colour colour = Colour::none;
};

class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;     // numbers
    std::size_t least = 0;  // so narrow it may be cut when the table is wider than the terminal
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<Cell> row);
  // A paragraph below the last row, from the second column on; wrapped.
  void add_below(std::string text, Colour colour = Colour::none);
  // Lines with a newline each, none with blanks at its end.
  std::string text(const Terminal& terminal) const;

 private:
  struct Row {
    std::vector<Cell> cells;
    std::vector<Cell> below;
  };
  std::vector<std::size_t> widths(std::size_t limit) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

// Code points, which is what text of ours takes in columns.
std::size_t display_width(std::string_view text);
// At most `width` columns, the last one an ellipsis when something was cut.
std::string cut(std::string_view text, std::size_t width);
// Lines of at most `columns` (0: one line), each after `indent` blanks; broken at blanks where
// there are any.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns);

}  // namespace causeway::cli
