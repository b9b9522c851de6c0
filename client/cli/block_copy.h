// Copies a file of the cluster into a local one, several blocks at once.
//
// Why: the blocks of a file are on different DataNodes; read one after the other they come as fast
// as a single disk and a single connection. Each thread takes the next block, reads it as a stream
// from its nearest replica, and writes it to its place. Used by get.
#pragma once

#include <cstdint>

#include "client/cli/context.h"
#include "client/cli/local_file.h"
#include "client/cli/progress.h"
#include "client/input_stream.h"
#include "common/status.h"

namespace cairn::cli {

struct BlockCopyResult {
  absl::Status read;   // the cluster's side, or CANCELLED
  absl::Status write;  // the local file's
};

// Bytes [offset, offset + length) of `in`, which are within it, to the start of `target`.
BlockCopyResult CopyBlocks(const Context& context, InputStream& in, uint64_t offset,
                           uint64_t length, LocalTarget& target, Progress* progress);

}  // namespace cairn::cli
