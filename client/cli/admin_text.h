// The reports of `cairn admin` for people. Pure functions, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "client/admin_client.h"

namespace cairn::cli {

std::string ReportText(const AdminReport& report);
std::string NodesText(const std::vector<DataNodeReport>& nodes);
std::string HealthText(const HealthReport& health);
std::string RepairText(const RepairRound& round);

}  // namespace cairn::cli
