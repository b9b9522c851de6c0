#include "client/file_checksum.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "client/client_core.h"
#include "client/connect.h"
#include "client/datanode_calls.h"
#include "client/missing_wait.h"
#include "client/open_file.h"
#include "common/crc32c.h"
#include "common/status.h"

namespace cairn {
namespace {

constexpr uint64_t kBlocksPerFetch = 128;  // locations asked for at once

}  // namespace

absl::StatusOr<FileChecksum> ChecksumFile(ClientCore& core, std::string_view path) {
  ASSIGN_OR_RETURN(ReadableFile file, LocateReadable(core, path));
  const v1::FileStatus status = file.located.status();
  FileChecksum checksum;
  MissingWait wait(&core);
  while (checksum.length < file.length) {
    const auto& blocks = file.located.blocks();
    const auto next = std::find_if(blocks.begin(), blocks.end(), [&](const v1::LocatedBlock& b) {
      return b.offset() == checksum.length && b.block().length() > 0;
    });
    if (next != blocks.end() && !HasLiveNode(*next) && wait.Again(next->corrupt())) {
      file.located.clear_blocks();  // asks for them anew
      continue;
    }
    if (next != blocks.end()) {
      ASSIGN_OR_RETURN(const uint32_t crc, BlockChecksum(core, *next));
      wait.End();
      checksum.crc32c = Crc32cCombine(checksum.crc32c, crc, next->block().length());
      checksum.length += next->block().length();
      continue;
    }
    v1::GetBlockLocationsRequest request;
    request.set_path(std::string(path));
    request.set_offset(checksum.length);
    request.set_length(
        std::min(file.length - checksum.length, kBlocksPerFetch * status.block_size()));
    ASSIGN_OR_RETURN(file.located, core.namenode().GetBlockLocations(std::move(request)));
    for (v1::LocatedBlock& block : *file.located.mutable_blocks()) {
      if (!block.open() || block.offset() >= file.length) continue;
      // What may be read of it was learned when the file was located.
      block.mutable_block()->set_length(
          std::min(file.length - block.offset(), std::max<uint64_t>(status.block_size(), 1)));
    }
    const auto& fetched = file.located.blocks();
    if (file.located.status().inode() != status.inode() || fetched.empty() ||
        fetched[0].offset() != checksum.length || fetched[0].block().length() == 0) {
      return absl::FailedPreconditionError("the file was changed while it was read");
    }
  }
  return checksum;
}

}  // namespace cairn
