// How files look in lists: the columns of `ls -l`, dates, and tables of right size.
//
// Pure functions and one small table; not thread-safe. Used by ls, stat, du, df, count and the
// reports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/types.h"

namespace cairn::cli {

// "1234", or "1.3K" with `human`.
std::string SizeColumn(uint64_t bytes, bool human);
// "2026-01-31 12:00" in the local time zone.
std::string FormatTime(int64_t ms);

// Rows of columns, printed with the width that each column needs.
class Table {
 public:
  enum class Align { kLeft, kRight };
  // The last column is not padded.
  explicit Table(std::vector<Align> columns)
      : columns_(std::move(columns)), widths_(columns_.size()) {}

  void Add(std::vector<std::string> row);
  size_t rows() const { return rows_.size(); }
  // Takes the rows as lines. Widths stay for the rows that follow, and only grow: a long listing is
  // printed in pieces.
  std::string Take();

 private:
  const std::vector<Align> columns_;
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

// The columns of `hdfs dfs -ls`: mode, replication, owner, group, size, date, path.
Table LongListing();
std::vector<std::string> LongListingRow(std::string_view path, const FileStatus& status,
                                        bool human);

}  // namespace cairn::cli
