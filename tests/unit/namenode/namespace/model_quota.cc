// The part of the reference model that is about quotas and joined files. What a directory holds is
// counted anew, entry by entry, each time.
#include "tests/unit/namenode/namespace/reference_model.h"

namespace cairn::namenode {

ModelUsage ReferenceModel::UsageOf(const std::string& path) const {
  ModelUsage usage;
  const std::string prefix = path == "/" ? path : path + "/";
  for (const auto& [at, entry] : entries_) {
    if (at != path && !at.starts_with(prefix)) continue;
    usage.names += 1;
    usage.files += !entry.dir;
    usage.length += entry.length;
    usage.space += entry.length * entry.replication;
    usage.promised += entry.promised * entry.replication;
  }
  return usage;
}

bool ReferenceModel::Fits(const std::string& dir, int64_t names, int64_t space,
                          const std::string& from) const {
  for (std::string at = dir;; at = ParentPath(at)) {
    // What is above `from` holds it already.
    const std::string prefix = at == "/" ? at : at + "/";
    if (!from.empty() && from.starts_with(prefix)) return true;
    const ModelEntry& entry = entries_.at(at);
    const ModelUsage usage = UsageOf(at);
    const auto names_after = static_cast<int64_t>(usage.names) + names;
    const auto space_after = static_cast<int64_t>(usage.space + usage.promised) + space;
    if (names > 0 && entry.quota.names && names_after > static_cast<int64_t>(*entry.quota.names)) {
      return false;
    }
    if (space > 0 && entry.quota.space && space_after > static_cast<int64_t>(*entry.quota.space)) {
      return false;
    }
    if (at == "/") return true;
  }
}

ReferenceModel::Code ReferenceModel::SetQuota(const Caller& who, const std::string& path,
                                              const Quota& quota) {
  if (!who.superuser) return Code::kPermissionDenied;
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  if (walked.missing > 0) return Code::kNotFound;
  ModelEntry& entry = entries_.at(path);
  if (!entry.dir) return Code::kFailedPrecondition;
  entry.quota = quota;
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::AddBlock(const std::string& path, uint64_t block_size) {
  ModelEntry& entry = entries_.at(path);
  const auto space = static_cast<int64_t>(block_size * entry.replication);
  if (!Fits(ParentPath(path), 0, space)) return Code::kResourceExhausted;
  // What was open before is full now.
  entry.length += entry.promised;
  entry.promised = block_size;
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::Concat(const Caller& who, const std::string& target,
                                            const std::vector<std::string>& sources,
                                            uint64_t block_size) {
  const Code code = MayReopen(who, target);
  if (code != Code::kOk) return code;
  ModelEntry& to = entries_.at(target);
  uint64_t length = to.length;
  int64_t space = 0;
  std::vector<std::string> seen{target};
  for (const std::string& path : sources) {
    // Only the last one may end within a block.
    if (path == sources.front() && length % block_size != 0) return Code::kInvalidArgument;
    const Walked walked = Walk(who, path);
    if (walked.code != Code::kOk) return walked.code;
    if (walked.missing > 0) return Code::kNotFound;
    const ModelEntry& from = entries_.at(path);
    if (from.dir) return Code::kFailedPrecondition;
    if (!May(who, from, 4) || !MayRemove(who, path)) return Code::kPermissionDenied;
    if (path == target || ParentPath(path) != ParentPath(target)) return Code::kInvalidArgument;
    if (from.recovering) return Code::kUnavailable;
    if (from.open) return Code::kFailedPrecondition;
    if (from.length == 0) return Code::kInvalidArgument;
    for (const std::string& before : seen) {
      if (before == path) return Code::kInvalidArgument;
    }
    if (seen.size() < sources.size() && from.length % block_size != 0) {
      return Code::kInvalidArgument;
    }
    seen.push_back(path);
    length += from.length;
    space += static_cast<int64_t>(from.length * to.replication) -
             static_cast<int64_t>(from.length * from.replication);
  }
  if (!Fits(ParentPath(target), 0, space)) return Code::kResourceExhausted;
  to.length = length;
  for (const std::string& path : sources) Erase(path);
  return Code::kOk;
}

}  // namespace cairn::namenode
