// The lines of a history's log: JSON, one event each.
//
// Why a file of its own: the record stays free of how it is written. Pure but for reading the file;
// used by history.cc alone.
#pragma once

#include <string>
#include <utility>

#include "tests/support/history.h"

namespace cairn::testing {

// Of an operation that begins, or ended (the later line counts).
std::string HistoryLine(const Operation& operation);
// Of bytes that were handed over: when, and up to where.
std::string HistoryLine(Version version, uint64_t base, std::pair<int64_t, uint64_t> handed);

// Adds what the log at `path` tells; its operations get new ids. Half a line at the end is none.
void AddHistoryLines(const std::string& path, Record* record);

}  // namespace cairn::testing
