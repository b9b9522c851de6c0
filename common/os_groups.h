// The groups of a user as this machine knows them, and who may do everything by them.
//
// Why: users are asserted, and their groups are resolved by the daemon's own system, as HDFS does,
// so that all clients see the same ones: in the NameNode for all that it is asked, in a DataNode
// for what administrators ask of it. Functions, thread-safe; the system's answer may take a while
// (a directory service). Used by both daemons' services.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

inline constexpr char kSuperuserGroup[] = "supergroup";

// Names; a user that this machine does not know has none.
std::vector<std::string> OsGroupsOf(const std::string& user);

// root, the daemon's own user (`superuser`), and members of `superuser_group`.
bool IsSuperuser(std::string_view user, const std::vector<std::string>& groups,
                 std::string_view superuser, std::string_view superuser_group);

// Whether a caller may call itself that: not empty, UTF-8, at most 255 bytes, no '/', ':' or NUL.
bool IsUserName(std::string_view user);

}  // namespace cairn
