// FileSystem::Checksum: a file's CRC32C out of those of its blocks. Thread-safe: a function. For
// this room alone.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "client/types.h"

namespace cairn {

class ClientCore;

absl::StatusOr<FileChecksum> ChecksumFile(ClientCore& core, std::string_view path);

}  // namespace cairn
