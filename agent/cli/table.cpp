#include "cli/table.h"

#include <algorithm>
#include <utility>

namespace causeway::cli {
namespace {

constexpr std::size_t kGap = 2;
// Wrapped text narrower than this can't be read: then lines may overflow.
constexpr std::size_t kLeastText = 20;

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The byte behind the first `width` code points.
std::size_t bytes_of(std::string_view text, std::size_t width) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!continues(text[at]) && width-- == 0) return at;
    ++at;
  }
  return at;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string cut(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  return std::string(text.substr(0, bytes_of(text, width - 1))) + "\u2026";
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns) {
  const std::string blanks(indent, ' ');
  const std::size_t width = columns == 0
                                ? std::string::npos
                                : std::max(columns > indent ? columns - indent : 0, kLeastText);
  std::string out;
  while (!text.empty()) {
    std::size_t end = bytes_of(text, width);
    std::size_t next = end;
    if (end < text.size()) {
      const auto blank = text.rfind(' ', end);
      if (blank != std::string_view::npos && blank > 0) {
        end = blank;
        next = blank + 1;
      }
    }
    out += blanks;
    out += text.substr(0, end);
    out += '\n';
    text.remove_prefix(next);
  }
  return out;
}

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size());
  rows_.push_back({std::move(row), {}});
}

void Table::add_below(std::string text, Colour colour) {
  if (!rows_.empty()) rows_.back().below.push_back({std::move(text), colour});
}

std::vector<std::size_t> Table::widths(std::size_t limit) const {
  std::vector<std::size_t> out;
  std::size_t total = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row.cells[i].text));
    out.push_back(width);
    total += width + (i == 0 ? 0 : kGap);
  }
  for (std::size_t i = 0; i < columns_.size() && limit > 0 && total > limit; ++i) {
    if (columns_[i].least == 0 || out[i] <= columns_[i].least) continue;
    const std::size_t less = std::min(total - limit, out[i] - columns_[i].least);
    out[i] -= less;
    total -= less;
  }
  return out;
}

std::string Table::text(const Terminal& terminal) const {
  const auto width = widths(terminal.columns);
  std::string out;
  auto line = [&](auto cell_at) {
    std::string pending;  // blanks, only written in front of something
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Cell cell = cell_at(i);
      const std::string text = cut(cell.text, width[i]);
      const std::string fill(width[i] - display_width(text), ' ');
      if (i > 0) pending.append(kGap, ' ');
      if (columns_[i].right) pending += fill;
      if (!text.empty()) {
        out += std::exchange(pending, {});
        out += terminal.paint(text, cell.colour);
      }
      if (!columns_[i].right) pending += fill;
    }
    out += '\n';
  };
  line([&](std::size_t i) { return Cell{columns_[i].title, Colour::bold}; });
  for (const auto& row : rows_) {
    line([&](std::size_t i) { return row.cells[i]; });
    for (const auto& below : row.below) {
      const std::string paragraph = wrapped(below.text, width[0] + kGap, terminal.columns);
      out +=
          terminal.paint(std::string_view(paragraph).substr(0, paragraph.size() - 1), below.colour);
      out += '\n';
    }
  }
  return out;
}

}  // namespace causeway::cli
