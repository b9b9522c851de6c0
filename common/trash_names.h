// The names of the trash, which clients make and the NameNode empties: HDFS's TrashPolicyDefault.
//
// /user/NAME/.Trash/Current has what was removed last, under its full path; a checkpoint renames it
// to the time, yyMMddHHmmss (in UTC, so that all agree), with -1, -2, ... behind where that name is
// taken. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

inline constexpr std::string_view kHomes = "/user";
inline constexpr std::string_view kTrash = ".Trash";
inline constexpr std::string_view kTrashCurrent = "Current";
inline constexpr uint32_t kTrashMode = 0700;

std::string TrashRootOf(std::string_view user);    // "/user/NAME/.Trash"
std::string TrashCheckpointName(int64_t wall_ms);  // "261128021105"
// The time of a checkpoint, in ms since the epoch; nullopt for any other name.
std::optional<int64_t> ParseTrashCheckpoint(std::string_view name);

}  // namespace cairn
