// Quotas: how many names and how much space the tree of a directory may take.
//
// Why a table of its own: few directories have a quota, and those that have none should not pay for
// it. What a tree uses is not here but in its directory's totals. Quotas are journaled state, part
// of the digest. Not thread-safe; owned by FsState, changed by Apply alone.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/btree_map.h"
#include "common/ids.h"
#include "namenode/namespace/digest.h"

namespace cairn::namenode {

using QuotaLimit = std::optional<uint64_t>;  // nullopt: none

// The rules are HDFS's (HdfsQuotaAdminGuide). Names: files and directories in the tree, itself
// included. Space: bytes times replication; an open block takes its full size.
struct Quota {
  QuotaLimit names;
  QuotaLimit space;

  bool empty() const { return !names && !space; }
  friend bool operator==(const Quota&, const Quota&) = default;
};

class QuotaTable {
 public:
  bool empty() const { return quotas_.empty(); }
  size_t size() const { return quotas_.size(); }
  // nullptr: the directory has none.
  const Quota* Find(INodeId directory) const;
  Quota Of(INodeId directory) const;  // an empty one when it has none

  // Replaces what the directory had; an empty one removes it.
  void Set(INodeId directory, const Quota& quota);

  const Digest& digest() const { return digest_; }
  Digest RecomputeDigest() const;

 private:
  static Digest Hash(INodeId directory, const Quota& quota);

  absl::btree_map<INodeId, Quota> quotas_;
  Digest digest_;
};

}  // namespace cairn::namenode
