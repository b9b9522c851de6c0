// What every plan does first: walk a path, check permissions, and note what was seen.
//
// A Lookup collects `observed`, the highest txid among what its caller came to know, on refusals
// too: that "No such file or directory" must not come out before the delete behind it is durable
// (P2). Permissions are HDFS's: x on every directory on the way, then what the operation needs.
// Pure; one Lookup serves one plan.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "namenode/namespace/fs_state.h"
#include "namenode/namespace/paths.h"
#include "namenode/namespace/plan.h"

namespace cairn::namenode {

inline constexpr uint32_t kExecute = 1;
inline constexpr uint32_t kWrite = 2;
inline constexpr uint32_t kRead = 4;

// Where a path leads, as far as it exists.
struct Walked {
  PathNames names;
  const INode* last = nullptr;  // the deepest that exists; the root for "/"
  size_t missing = 0;           // names behind it

  bool exists() const { return missing == 0; }
};

class Lookup {
 public:
  Lookup(const FsState& state, const Caller& caller, const Limits& limits)
      : state_(state), caller_(caller), limits_(limits) {}

  const FsState& state() const { return state_; }
  const Caller& caller() const { return caller_; }
  const Limits& limits() const { return limits_; }
  TxId observed() const { return observed_; }

  void Saw(TxId txid) { observed_ = std::max(observed_, txid); }
  void Saw(const INode& inode) { Saw(Aspect::kINode, inode.id()); }
  void SawChildren(const INode& dir) { Saw(Aspect::kChildren, dir.id()); }
  void SawTotals(const INode& dir) { Saw(Aspect::kTotals, dir.id()); }
  // What stat shows of it.
  void SawStatus(const INode& inode);

  // Follows the path; PERMISSION_DENIED where a directory on the way does not let the caller
  // through, FAILED_PRECONDITION "Not a directory" when a file is on the way.
  absl::StatusOr<Walked> Walk(std::string_view path);
  // The same for a path that must exist.
  absl::StatusOr<const INode*> Find(std::string_view path);
  // An existing path's parent; the root's is the root.
  const INode& ParentOf(const INode& inode) const;

  // A file by id that is open: attached, with a lease on it. Else kLeaseLost.
  absl::StatusOr<const INode*> FindOpen(INodeId id);
  // One that `holder`, a client, may write to. Else kLeaseLost.
  absl::StatusOr<const INode*> FindHeld(INodeId id, const ClientId& holder);

  // --- Permissions ---
  absl::Status Check(const INode& inode, uint32_t access) const;
  // Whether entries of `dir` differ in who may take them away: it is sticky and not the caller's.
  bool MindsOwners(const INode& dir) const;
  // A sticky directory gives up an entry only to the entry's owner, its own owner, a superuser.
  absl::Status CheckSticky(const INode& dir, const INode& entry) const;
  absl::Status CheckOwner(const INode& inode) const;
  absl::Status CheckSuperuser(std::string_view what) const;
  // A new entry in `dir`: w and x, and room for it.
  absl::Status CheckAdd(const INode& dir);
  // Deleting or renaming `entry` away: w and x on its directory, sticky.
  absl::Status CheckRemove(const INode& entry);
  // The caller's name, where it becomes an owner.
  absl::Status CheckCallerName() const;
  // Owners or groups that may be new: there is room for their names.
  absl::Status CheckPrincipalRoom(std::string_view a, std::string_view b);

 private:
  void Saw(Aspect aspect, INodeId id) { Saw(state_.touched().Find(aspect, id)); }
  bool Is(PrincipalId user) const { return state_.PrincipalName(user) == caller_.user; }

  const FsState& state_;
  const Caller& caller_;
  const Limits& limits_;
  TxId observed_ = 0;
};

// Refusals that several plans share.
absl::Status NoSuchFile();
absl::Status FileExists();
absl::Status NotADirectory();
absl::Status IsADirectory();
absl::Status CheckMode(uint32_t mode);
absl::Status CheckPrincipal(std::string_view what, std::string_view name);
absl::Status CheckReplication(uint32_t replication, const Limits& limits);
absl::Status CheckBlockSize(uint64_t block_size, const Limits& limits);
absl::Status CheckTime(int64_t time_ms);
// The clock's time, as a record can hold it.
inline int64_t ClampTime(int64_t now_ms) { return std::clamp<int64_t>(now_ms, 0, kMaxTimeMs); }
// The next `count` ids of INodes, and the next id and stamp of a block, are within their range.
absl::Status CheckNextINodes(const FsState& state, uint64_t count);
absl::Status CheckNextBlock(const FsState& state);
absl::Status CheckNextStamp(const FsState& state);
// The id that a writer holds its lease by may not be the NameNode's.
absl::Status CheckHolder(const ClientId& holder);
// UNAVAILABLE (kNotYetReplicated) when a block's storages are on fewer nodes than `needed`.
absl::Status CheckStorages(const FsState& state, const FinishedBlock& done, uint32_t needed);

// On how many nodes each block of a file must be to be finished.
inline uint32_t MinReplicas(Consistency consistency, const Facts& facts, uint32_t replication) {
  if (consistency != Consistency::kStrong) return 1;
  return std::max(1u, std::min(facts.min_replicas, replication));
}
// Of an open one; its replication may have been lowered since it was opened.
inline uint32_t MinReplicas(const FsState& state, const INode& file) {
  return std::min(state.FindOpenState(file)->min_replicas, file.replication());
}

// What a plan decides: no edit when nothing is to change.
struct Decision {
  std::optional<Edit> edit;
  Answer answer;
};

// Runs `decide` with a Lookup and puts its outcome and what it observed together.
template <typename Decide>
Planned MakePlan(const FsState& state, const Caller& caller, const Limits& limits,
                 Decide&& decide) {
  Lookup lookup(state, caller, limits);
  absl::StatusOr<Decision> decision = decide(lookup);
  Planned planned;
  planned.observed = lookup.observed();
  if (!decision.ok()) {
    planned.status = std::move(decision).status();
    return planned;
  }
  planned.edit = std::move(decision->edit);
  planned.answer = std::move(decision->answer);
  return planned;
}

template <typename T, typename Read>
ReadResult<T> MakeRead(const FsState& state, const Caller& caller, const Limits& limits,
                       Read&& read) {
  Lookup lookup(state, caller, limits);
  ReadResult<T> result;
  result.value = read(lookup);
  result.observed = lookup.observed();
  return result;
}

}  // namespace cairn::namenode
