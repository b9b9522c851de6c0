#include "common/admin_state.h"

namespace cairn {

std::string_view ToString(AdminState state) {
  switch (state) {
    case AdminState::kInService:
      return "in_service";
    case AdminState::kDecommissioning:
      return "decommissioning";
    case AdminState::kDecommissioned:
      return "decommissioned";
    case AdminState::kMaintenance:
      return "maintenance";
  }
  return "in_service";
}

}  // namespace cairn
