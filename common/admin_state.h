// What an administrator wants a DataNode to be. Journaled (so the numbers never change), counted by
// and shown in reports: a word that rooms exchange. Values alone.
#pragma once

#include <cstdint>
#include <string_view>

namespace cairn {

enum class AdminState : uint32_t {
  kInService = 0,
  kDecommissioning = 1,  // leaves for good: what it holds is being copied to others
  kDecommissioned = 2,   // nothing depends on it any more
  kMaintenance = 3,  // may be gone for a while: what it holds counts, and is kept once elsewhere
};
inline constexpr uint32_t kAdminStates = 4;

std::string_view ToString(AdminState state);  // "in_service", ...

}  // namespace cairn
