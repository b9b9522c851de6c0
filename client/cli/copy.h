// Moving the bytes of one file, and what the commands that copy many files share.
//
// Thread-safe: Copier's members are called by its workers. Used by put, get, cp and cat.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "client/cli/context.h"
#include "client/cli/paths.h"
#include "client/cli/progress.h"
#include "client/cli/workers.h"

namespace cairn::cli {

inline constexpr size_t kCopyBytes = 1 << 20;

using ReadFn = std::function<absl::StatusOr<size_t>(std::span<char>)>;
using WriteFn = std::function<absl::Status(std::string_view)>;

// Reads until the end, or until `limit` bytes, and writes it all, a piece of at most kCopyBytes at
// a time. Ends with CANCELLED when the command should.
absl::Status CopyBytes(const Context& context, const ReadFn& read, const WriteFn& write,
                       Progress* progress = nullptr, std::optional<uint64_t> limit = std::nullopt);

// What is there now, for PlaceInTarget.
absl::StatusOr<Target> ClusterTargetOf(const ClusterPath& path);

// Makes a directory that a tree is copied into; one that is there is fine only with `merge`.
absl::Status MakeDirectory(const ClusterPath& path, bool merge,
                           std::optional<uint32_t> mode = std::nullopt);

}  // namespace cairn::cli
