#include "common/os_groups.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "common/strings.h"

namespace cairn {
namespace {

constexpr int kMaxGroups = 1024;
constexpr size_t kMaxUserBytes = 255;

}  // namespace

std::vector<std::string> OsGroupsOf(const std::string& user) {
  std::vector<std::string> names;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 << 10);
  if (getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return names;
  }
  std::vector<gid_t> ids(kMaxGroups);
  int count = kMaxGroups;
  if (getgrouplist(user.c_str(), entry.pw_gid, ids.data(), &count) < 0) count = kMaxGroups;
  for (int i = 0; i < count; ++i) {
    group group_entry{};
    group* group_found = nullptr;
    if (getgrgid_r(ids[i], &group_entry, buffer.data(), buffer.size(), &group_found) == 0 &&
        group_found != nullptr) {
      names.emplace_back(group_entry.gr_name);
    }
  }
  return names;
}

bool IsSuperuser(std::string_view user, const std::vector<std::string>& groups,
                 std::string_view superuser, std::string_view superuser_group) {
  return user == superuser || user == "root" ||
         std::find(groups.begin(), groups.end(), superuser_group) != groups.end();
}

bool IsUserName(std::string_view user) {
  return !user.empty() && user.size() <= kMaxUserBytes &&
         user.find_first_of(std::string_view("/:\0", 3)) == std::string_view::npos &&
         IsValidUtf8(user);
}

}  // namespace cairn
