// Local files of tests: contents to store, snapshots to compare, bytes to damage.
//
// Why: integration tests write the same files, look at the same folders of the daemons, and harm
// them in the same ways. Everything throws what std::filesystem throws: a test that cannot touch
// its own folder has nothing to say. Thread-safe: functions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::testing {

// The same bytes for the same seed; incompressible, and no 4 KiB of them are alike.
std::string RandomBytes(uint64_t seed, size_t bytes);

void WriteWholeFile(const std::string& path, std::string_view bytes);

// Inverts the byte at `offset`; a negative one counts from the end.
void FlipByte(const std::string& path, int64_t offset);

// Every file below `dir` by its path from there, with its bytes; directories with a slash at the
// end. Locks and sockets are left out: they say nothing about data.
std::map<std::string, std::string> Snapshot(const std::string& dir);

// The paths of all files below `dir` whose names satisfy `wanted`, sorted. A folder that changes
// meanwhile is fine.
std::vector<std::string> FilesBelow(const std::string& dir,
                                    const std::function<bool(std::string_view name)>& wanted);

// Names in `dir` that begin with `prefix`, sorted.
std::vector<std::string> NamesWithPrefix(const std::string& dir, std::string_view prefix);

}  // namespace cairn::testing
