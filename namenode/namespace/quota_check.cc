#include "namenode/namespace/quota_check.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "common/status.h"

namespace cairn::namenode {
namespace {

// A quota that has less left than is wanted.
struct Exceeded {
  const INode* dir = nullptr;
  uint64_t limit = 0;
  uint64_t used = 0;
  uint64_t wanted = 0;

  // May be below 0: a quota may be set below usage.
  int64_t left() const { return static_cast<int64_t>(limit - used); }
};

void NoteExceeded(const INode& dir, const QuotaLimit& limit, uint64_t used, int64_t wanted,
                  std::optional<Exceeded>& tightest) {
  if (!limit || wanted <= 0) return;
  const auto more = static_cast<uint64_t>(wanted);
  if (used <= *limit && more <= *limit - used) return;
  const Exceeded found{&dir, *limit, used, more};
  if (!tightest || found.left() < tightest->left()) tightest = found;
}

absl::Status QuotaExceeded(std::string message) {
  return WithKind(absl::ResourceExhaustedError(std::move(message)), ErrorKind::kQuotaExceeded);
}

absl::Status NamesExceeded(const std::string& path, const Exceeded& quota) {
  return QuotaExceeded(fmt::format(
      "the quota of {} is {} names; {} are used and {} more wanted; remove files there or have it "
      "raised (cairn admin quota)",
      path, quota.limit, quota.used, quota.wanted));
}

absl::Status SpaceExceeded(const std::string& path, const Exceeded& quota) {
  return QuotaExceeded(fmt::format(
      "the quota of {} is {} bytes with all copies; {} are used and {} more wanted, for an open "
      "block its full size; remove files there or have it raised (cairn admin quota)",
      path, quota.limit, quota.used, quota.wanted));
}

size_t DepthOf(const FsState& state, const INode* inode) {
  size_t depth = 0;
  for (; inode->parent() != 0; inode = state.FindINode(inode->parent())) ++depth;
  return depth;
}

// The deepest directory that is, or holds, both.
const INode* CommonAncestor(const FsState& state, const INode* a, const INode* b) {
  size_t depth_a = DepthOf(state, a);
  size_t depth_b = DepthOf(state, b);
  for (; depth_a > depth_b; --depth_a) a = state.FindINode(a->parent());
  for (; depth_b > depth_a; --depth_b) b = state.FindINode(b->parent());
  while (a != b) {
    a = state.FindINode(a->parent());
    b = state.FindINode(b->parent());
  }
  return a;
}

}  // namespace

Growth GrowthOf(const Totals& totals) {
  return {.names = static_cast<int64_t>(totals.files + totals.directories),
          .space = static_cast<int64_t>(totals.space + totals.promised)};
}

absl::Status CheckQuotaAbove(Lookup& lookup, const INode& dir, const Growth& growth,
                             const INode* common) {
  if (growth.names <= 0 && growth.space <= 0) return absl::OkStatus();
  const FsState& state = lookup.state();
  std::optional<Exceeded> names;
  std::optional<Exceeded> space;
  for (const INode* at = &dir; at != nullptr && at != common; at = state.FindINode(at->parent())) {
    const Quota* quota = state.quotas().Find(at->id());
    if (quota == nullptr) continue;
    lookup.Saw(*at);
    lookup.SawTotals(*at);
    const Totals& totals = at->dir().totals;
    NoteExceeded(*at, quota->names, totals.files + totals.directories, growth.names, names);
    NoteExceeded(*at, quota->space, totals.space + totals.promised, growth.space, space);
  }
  if (names) return NamesExceeded(state.PathOf(*names->dir), *names);
  if (space) return SpaceExceeded(state.PathOf(*space->dir), *space);
  return absl::OkStatus();
}

absl::Status CheckQuotaOfMove(Lookup& lookup, const INode& from_parent, const INode& to_parent,
                              const Growth& growth) {
  const FsState& state = lookup.state();
  if (state.quotas().empty() || &from_parent == &to_parent) return absl::OkStatus();
  return CheckQuotaAbove(lookup, to_parent, growth,
                         CommonAncestor(state, &from_parent, &to_parent));
}

Growth GrowthOfClosed(const FsState& state, const INode& inode,
                      const std::vector<FinishedBlock>& finished) {
  uint64_t length = inode.length();
  for (const FinishedBlock& done : finished) {
    length += done.block.length - state.FindBlock(done.block.id)->length();
  }
  return {.names = 1, .space = static_cast<int64_t>(length * inode.replication())};
}

}  // namespace cairn::namenode
