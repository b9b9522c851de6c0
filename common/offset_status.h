// Errors about a file that name the byte: a status that carries an offset.
//
// Why beside status.h: few need it (readers of files, and the tools that tell where damage is).
// Annotate keeps it. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace cairn {

// `status` with the byte of the file that it is about. An OK status is returned as it is.
absl::Status WithOffset(absl::Status status, uint64_t offset);
std::optional<uint64_t> OffsetOf(const absl::Status& status);  // nullopt: it names none

}  // namespace cairn
