// Files of known content in a cluster, and the folder that holds them while a benchmark runs.
//
// Used by all benchmarks of `cairn bench`. Thread-safe as FileSystem is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "client/bench/content.h"
#include "client/bench/measure.h"
#include "client/file_system.h"
#include "common/status.h"

namespace cairn::bench {

// Calls `work` with a new folder "PARENT/PREFIX-<id>" and removes the folder with all that is in it
// afterwards, whatever became of the work; PARENT too, if it was made for this and is empty.
absl::Status InClusterFolder(FileSystem* fs, const std::string& parent, const std::string& prefix,
                             const std::function<absl::Status(const std::string& dir)>& work);

// Writes file `file` of the content, as `cairn put` does: nothing is there unless it was closed.
// Each byte counts as progress unless `progress` is null.
absl::Status PutContent(const Target& target, const std::string& path, const Content& content,
                        uint64_t file, uint64_t bytes, CreateOptions options, Progress* progress);

// Reads all of a file in pieces of 1 MiB. DATA_LOSS unless it has this length and CRC32C.
absl::Status CheckContent(const Target& target, const std::string& path, uint64_t bytes,
                          uint32_t crc, Progress* progress);

// Removes a file whose replicas have `stored` bytes together and, if they are many and the target
// can tell, waits until they have left the disks: that would slow what is measured next.
absl::Status RemoveContent(const Target& target, const std::string& path, uint64_t stored);

// Reads all of a small file at once. DATA_LOSS unless it is file `file` of the content.
absl::Status GetSmall(const Target& target, const std::string& path, const Content& content,
                      uint64_t file, uint64_t bytes);

}  // namespace cairn::bench
