#include "client/cli/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "client/cli/mode.h"
#include "common/units.h"

namespace cairn::cli {
namespace {

// Columns that a terminal needs for it: characters, not bytes.
size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string SizeColumn(uint64_t bytes, bool human) {
  return human ? FormatSize(bytes) : std::to_string(bytes);
}

std::string FormatTime(int64_t ms) {
  const time_t seconds = static_cast<time_t>(ms / 1000);
  tm parts{};
  localtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts));
}

void Table::Add(std::vector<std::string> row) {
  for (size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], DisplayWidth(row[i]));
  rows_.push_back(std::move(row));
}

std::string Table::Take() {
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths_[i] - DisplayWidth(row[i]), ' ');
      if (i > 0) line += ' ';
      if (columns_[i] == Align::kRight) line += padding;
      line += row[i];
      if (columns_[i] == Align::kLeft && i + 1 < row.size()) line += padding;
    }
    // An empty last column leaves no blanks; a path that ends in one keeps it.
    if (!row.empty() && row.back().empty()) line.erase(line.find_last_not_of(' ') + 1);
    text += line;
    text += '\n';
  }
  rows_.clear();
  return text;
}

Table LongListing() {
  constexpr auto kLeft = Table::Align::kLeft;
  constexpr auto kRight = Table::Align::kRight;
  return Table({kLeft, kRight, kLeft, kLeft, kRight, kLeft, kLeft});
}

std::vector<std::string> LongListingRow(std::string_view path, const FileStatus& status,
                                        bool human) {
  return {FormatMode(status.mode, status.is_directory()),
          status.is_directory() ? "-" : std::to_string(status.replication),
          status.owner,
          status.group,
          SizeColumn(status.length, human),
          FormatTime(status.mtime_ms),
          std::string(path)};
}

}  // namespace cairn::cli
