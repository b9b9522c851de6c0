// What may be read of a file that is still being written.
//
// Why: the NameNode knows an open block's nodes but not how far its writer has got; the nodes do.
// Blocks behind the first one that is not full are not read. Thread-safe: functions. For this room
// alone.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/namenode.pb.h"

namespace cairn {

class ClientCore;

struct ReadableFile {
  // The first blocks of a closed file, the last ones of an open one. An open block has the length
  // that may be read, and the nodes that have it come first.
  v1::GetBlockLocationsReply located;
  uint64_t length = 0;  // bytes that may be read
};

// "Is a directory"; an error when no node of an open block tells what may be read of it, unless all
// say that they have nothing. Nodes that the NameNode does not see are waited for (MissingWait).
absl::StatusOr<ReadableFile> LocateReadable(ClientCore& core, std::string_view path);

}  // namespace cairn
