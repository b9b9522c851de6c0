// The option --consistency, of the commands that write. Used by put and append.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "common/consistency.h"
#include "common/options.h"

namespace cairn::cli {

inline void DeclareConsistency(OptionTable& table, const std::shared_ptr<std::string>& value) {
  table
      .AddString("consistency", value.get(),
                 "when bytes count as written; strong: on the disks of several nodes; eventual: in "
                 "the memory of all, on disk within 5 s; weak: in the memory of one")
      .Value("strong|eventual|weak")
      .Check([value] {
        if (ParseConsistency(*value)) return absl::OkStatus();
        return absl::InvalidArgumentError(
            fmt::format("'{}' is not one of strong|eventual|weak", *value));
      });
}

}  // namespace cairn::cli
