#include "namenode/namespace/lookup.h"

#include <fmt/format.h>

#include <string>

#include "common/status.h"
#include "common/strings.h"

namespace cairn::namenode {
namespace {

constexpr size_t kMaxPrincipalBytes = 255;

std::string AccessText(uint32_t access) {
  std::string text;
  if (access & kRead) text += 'r';
  if (access & kWrite) text += 'w';
  if (access & kExecute) text += 'x';
  return text;
}

absl::Status LeaseLost(std::string_view why) {
  return WithKind(absl::FailedPreconditionError(fmt::format("the lease is lost: {}", why)),
                  ErrorKind::kLeaseLost);
}

}  // namespace

void Lookup::SawStatus(const INode& inode) {
  Saw(inode);
  if (inode.is_directory()) SawChildren(inode);  // mtime and the number of children
}

absl::StatusOr<Walked> Lookup::Walk(std::string_view path) {
  Walked walked;
  ASSIGN_OR_RETURN(walked.names, SplitPath(path, limits_));
  walked.last = &state_.root();
  walked.missing = walked.names.size();
  Saw(*walked.last);
  for (const std::string_view name : walked.names) {
    if (!walked.last->is_directory()) return NotADirectory();
    RETURN_IF_ERROR(Check(*walked.last, kExecute));
    const NameRef child = walked.last->dir().children.Find(name);
    if (!child) {
      SawChildren(*walked.last);
      return walked;
    }
    Saw(Aspect::kINode, child.id());
    walked.last = state_.FindINode(child.id());
    --walked.missing;
  }
  return walked;
}

absl::StatusOr<const INode*> Lookup::Find(std::string_view path) {
  ASSIGN_OR_RETURN(const Walked walked, Walk(path));
  if (!walked.exists()) return NoSuchFile();
  return walked.last;
}

const INode& Lookup::ParentOf(const INode& inode) const {
  return inode.parent() == 0 ? inode : *state_.FindINode(inode.parent());
}

absl::StatusOr<const INode*> Lookup::FindOpen(INodeId id) {
  const INode* inode = state_.FindINode(id);
  if (inode == nullptr) {
    Saw(state_.applied_txid());  // some edit took it away; which one is not kept
    return LeaseLost("the file was deleted");
  }
  const INode* above = inode;
  for (; above->parent() != 0; above = state_.FindINode(above->parent())) Saw(*above);
  Saw(*above);
  if (above != &state_.root()) return LeaseLost("the file was deleted or replaced");
  if (inode->is_directory()) return IsADirectory();
  if (!inode->is_open()) return LeaseLost("the file was closed");
  return inode;
}

absl::StatusOr<const INode*> Lookup::FindHeld(INodeId id, const ClientId& holder) {
  ASSIGN_OR_RETURN(const INode* inode, FindOpen(id));
  const ClientId& held_by = state_.FindOpenState(*inode)->holder;
  if (held_by == kNameNodeHolder) return LeaseLost("the file is being recovered");
  if (held_by != holder) return LeaseLost("another client writes the file");
  return inode;
}

// --- Permissions
// ------------------------------------------------------------------------------------

absl::Status Lookup::Check(const INode& inode, uint32_t access) const {
  if (caller_.superuser) return absl::OkStatus();
  const std::string& group = state_.PrincipalName(inode.group());
  uint32_t granted = inode.mode() & 7;
  if (Is(inode.owner())) {
    granted = (inode.mode() >> 6) & 7;
  } else if (std::find(caller_.groups.begin(), caller_.groups.end(), group) !=
             caller_.groups.end()) {
    granted = (inode.mode() >> 3) & 7;
  }
  if ((granted & access) == access) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format(
      "Permission denied: {} needs {} on {} ({}:{} {:04o})", caller_.user, AccessText(access),
      state_.PathOf(inode), state_.PrincipalName(inode.owner()), group, inode.mode()));
}

bool Lookup::MindsOwners(const INode& dir) const {
  return (dir.mode() & 01000) != 0 && !caller_.superuser && !Is(dir.owner());
}

absl::Status Lookup::CheckSticky(const INode& dir, const INode& entry) const {
  if (!MindsOwners(dir) || Is(entry.owner())) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("Permission denied: {} is sticky and {} owns neither it nor {}",
                  state_.PathOf(dir), caller_.user, state_.PathOf(entry)));
}

absl::Status Lookup::CheckOwner(const INode& inode) const {
  if (caller_.superuser || Is(inode.owner())) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format("Permission denied: {} is not the owner ({})",
                                                 caller_.user,
                                                 state_.PrincipalName(inode.owner())));
}

absl::Status Lookup::CheckSuperuser(std::string_view what) const {
  if (caller_.superuser) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("Permission denied: only a superuser may {}", what));
}

absl::Status Lookup::CheckAdd(const INode& dir) {
  RETURN_IF_ERROR(Check(dir, kWrite | kExecute));
  if (dir.dir().children.size() < limits_.max_dir_entries) return absl::OkStatus();
  SawChildren(dir);
  return absl::ResourceExhaustedError(
      fmt::format("the directory is full: {} entries, the most allowed", limits_.max_dir_entries));
}

absl::Status Lookup::CheckRemove(const INode& entry) {
  const INode& dir = ParentOf(entry);
  RETURN_IF_ERROR(Check(dir, kWrite | kExecute));
  return CheckSticky(dir, entry);
}

absl::Status Lookup::CheckCallerName() const { return CheckPrincipal("user", caller_.user); }

absl::Status Lookup::CheckPrincipalRoom(std::string_view a, std::string_view b) {
  const size_t added = state_.NewPrincipals(a, b);
  if (added == 0 || state_.principals() + added <= limits_.max_principals) return absl::OkStatus();
  Saw(state_.applied_txid());  // which edit brought the last one is not kept
  return absl::ResourceExhaustedError(
      fmt::format("the NameNode knows {} names of users and groups and can take no more; use one "
                  "that owns something already",
                  state_.principals()));
}

// --- Refusals
// ---------------------------------------------------------------------------------------

absl::Status NoSuchFile() { return absl::NotFoundError("No such file or directory"); }
absl::Status FileExists() { return absl::AlreadyExistsError("File exists"); }
absl::Status NotADirectory() { return absl::FailedPreconditionError("Not a directory"); }
absl::Status IsADirectory() { return absl::FailedPreconditionError("Is a directory"); }

absl::Status CheckMode(uint32_t mode) {
  if (mode <= kMaxMode) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("mode {:o} is not within 0 to 1777 (octal)", mode));
}

absl::Status CheckPrincipal(std::string_view what, std::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError(fmt::format("the {} has no name", what));
  if (name.size() > kMaxPrincipalBytes) {
    return absl::InvalidArgumentError(fmt::format("the {}'s name is too long: {} bytes, at most {}",
                                                  what, name.size(), kMaxPrincipalBytes));
  }
  const bool printable =
      std::all_of(name.begin(), name.end(), [](char c) { return c < 0 || (c >= ' ' && c != 127); });
  if (!printable || name.find(':') != std::string_view::npos || !IsValidUtf8(name)) {
    return absl::InvalidArgumentError(
        fmt::format("the {}'s name may not contain \":\" or control characters", what));
  }
  return absl::OkStatus();
}

absl::Status CheckReplication(uint32_t replication, const Limits& limits) {
  if (replication >= 1 && replication <= limits.max_replication) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("replication {} is not within 1 to {}", replication, limits.max_replication));
}

absl::Status CheckBlockSize(uint64_t block_size, const Limits& limits) {
  if (block_size >= limits.min_block_size && block_size <= limits.max_block_size &&
      block_size % kChunkBytes == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("block size {} is not a multiple of {} within {} to {} bytes", block_size,
                  kChunkBytes, limits.min_block_size, limits.max_block_size));
}

absl::Status CheckNextINodes(const FsState& state, uint64_t count) {
  if (state.next_inode() + count - 1 <= kMaxId) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("all {} inode ids were given out; this namespace can take no more", kMaxId));
}

absl::Status CheckNextBlock(const FsState& state) {
  if (state.next_block() > kMaxId) {
    return absl::ResourceExhaustedError(
        fmt::format("all {} block ids were given out; this namespace can take no more", kMaxId));
  }
  return CheckNextStamp(state);
}

absl::Status CheckNextStamp(const FsState& state) {
  if (state.next_generation() <= kMaxId) return absl::OkStatus();
  return absl::ResourceExhaustedError(fmt::format(
      "all {} generation stamps were given out; this namespace can take no more", kMaxId));
}

absl::Status CheckHolder(const ClientId& holder) {
  if (holder != kNameNodeHolder) return absl::OkStatus();
  return absl::InvalidArgumentError("the client id is reserved for the NameNode");
}

absl::Status CheckStorages(const FsState& state, const FinishedBlock& done, uint32_t needed) {
  absl::InlinedVector<NodeNumber, 8> nodes;
  for (const StorageNumber number : done.storages) {
    const StorageEntry* storage = state.registry().FindStorage(number);
    if (storage == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("block {} cannot be on storage {}: it is not known", done.block.id, number));
    }
    nodes.push_back(storage->node);
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  if (nodes.size() >= needed) return absl::OkStatus();
  return WithKind(
      absl::UnavailableError(fmt::format("block {} is durable on {} DataNodes, {} are needed",
                                         done.block.id, nodes.size(), needed)),
      ErrorKind::kNotYetReplicated);
}

absl::Status CheckTime(int64_t time_ms) {
  if (time_ms < 0) {
    return absl::InvalidArgumentError(fmt::format("time {} ms lies before 1970", time_ms));
  }
  if (time_ms <= kMaxTimeMs) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("time {} ms lies behind {} ms, the latest allowed", time_ms, kMaxTimeMs));
}

}  // namespace cairn::namenode
