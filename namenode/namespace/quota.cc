#include "namenode/namespace/quota.h"

namespace cairn::namenode {

const Quota* QuotaTable::Find(INodeId directory) const {
  if (quotas_.empty()) return nullptr;
  const auto it = quotas_.find(directory);
  return it == quotas_.end() ? nullptr : &it->second;
}

Quota QuotaTable::Of(INodeId directory) const {
  const Quota* quota = Find(directory);
  return quota == nullptr ? Quota() : *quota;
}

void QuotaTable::Set(INodeId directory, const Quota& quota) {
  if (const auto it = quotas_.find(directory); it != quotas_.end()) {
    digest_ -= Hash(directory, it->second);
    quotas_.erase(it);
  }
  if (quota.empty()) return;
  quotas_.emplace(directory, quota);
  digest_ += Hash(directory, quota);
}

Digest QuotaTable::RecomputeDigest() const {
  Digest sum;
  for (const auto& [directory, quota] : quotas_) sum += Hash(directory, quota);
  return sum;
}

Digest QuotaTable::Hash(INodeId directory, const Quota& quota) {
  return EntityBytes('q')
      .Add(directory)
      .Add(quota.names.has_value())
      .Add(quota.names.value_or(0))
      .Add(quota.space.has_value())
      .Add(quota.space.value_or(0))
      .Hash();
}

}  // namespace cairn::namenode
