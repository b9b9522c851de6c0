// Quotas for people: the lines of `admin quota` and the columns of `count -q`. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/types.h"

namespace cairn::cli {

// A line for names and one for space.
std::string QuotaText(const ContentSummary& summary);
// The columns of `hdfs dfs -count -q`: quota of names and what is left of it, the same of space,
// directories, files, bytes, path. "none" and "inf" where there is no quota; what is left is below
// 0 where more is used.
std::vector<std::string> CountQuotaRow(std::string_view path, const ContentSummary& summary);

}  // namespace cairn::cli
