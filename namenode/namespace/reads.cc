// Reads: plans without an edit.
#include <algorithm>
#include <string>

#include "common/status.h"
#include "namenode/namespace/lookup.h"

namespace cairn::namenode {
namespace {

constexpr uint32_t kMaxListEntries = 1000;

absl::StatusOr<ListPage> List(Lookup& lookup, std::string_view path, std::string_view start_after,
                              uint32_t limit) {
  const FsState& state = lookup.state();
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
  ListPage page;
  if (!inode->is_directory()) {
    page.entries.push_back(state.StatusOf(*inode));
    return page;
  }
  RETURN_IF_ERROR(lookup.Check(*inode, kRead | kExecute));
  lookup.SawChildren(*inode);
  const size_t most = limit == 0 ? kMaxListEntries : std::min(limit, kMaxListEntries);
  const auto& children = inode->dir().children;
  auto it = start_after.empty() ? children.begin() : children.UpperBound(start_after);
  for (; it != children.end() && page.entries.size() < most; ++it) {
    const INode& child = *state.FindINode((*it).id());
    lookup.SawStatus(child);
    page.entries.push_back(state.StatusOf(child));
  }
  page.has_more = it != children.end();
  return page;
}

absl::StatusOr<FileBlocks> Blocks(Lookup& lookup, std::string_view path, uint64_t offset,
                                  uint64_t length) {
  const FsState& state = lookup.state();
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
  if (inode->is_directory()) return IsADirectory();
  RETURN_IF_ERROR(lookup.Check(*inode, kRead));
  const BlockIds blocks = inode->blocks();
  const uint64_t block_size = inode->block_size();
  FileBlocks result{state.StatusOf(*inode), {}};
  const uint64_t end = length == 0 || length > UINT64_MAX - offset ? UINT64_MAX : offset + length;
  for (uint64_t i = offset / block_size; i < blocks.size(); ++i) {
    if (i * block_size >= end) break;
    const BlockId id = blocks[i];
    const BlockMeta& meta = *state.FindBlock(id);
    const bool behind = !meta.is_open() && i * block_size + meta.length() <= offset;
    if (!behind) result.blocks.push_back(state.InfoOf(id, meta));
  }
  return result;
}

absl::StatusOr<ContentSummary> Summary(Lookup& lookup, std::string_view path) {
  ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
  if (inode->is_directory()) {
    RETURN_IF_ERROR(lookup.Check(*inode, kRead | kExecute));
    lookup.SawTotals(*inode);
  }
  const Totals totals = lookup.state().TotalsOf(*inode);
  return ContentSummary{totals.files, totals.directories, totals.length,
                        totals.space, totals.promised,    lookup.state().quotas().Of(inode->id())};
}

}  // namespace

ReadResult<FileStatus> ReadFileInfo(const FsState& state, const Caller& caller,
                                    std::string_view path, const Facts& facts) {
  return MakeRead<FileStatus>(state, caller, facts.limits,
                              [&](Lookup& lookup) -> absl::StatusOr<FileStatus> {
                                ASSIGN_OR_RETURN(const INode* inode, lookup.Find(path));
                                lookup.SawStatus(*inode);
                                return state.StatusOf(*inode);
                              });
}

ReadResult<ListPage> ReadList(const FsState& state, const Caller& caller, std::string_view path,
                              std::string_view start_after, uint32_t limit, const Facts& facts) {
  return MakeRead<ListPage>(state, caller, facts.limits,
                            [&](Lookup& lookup) { return List(lookup, path, start_after, limit); });
}

ReadResult<FileBlocks> ReadBlocks(const FsState& state, const Caller& caller, std::string_view path,
                                  uint64_t offset, uint64_t length, const Facts& facts) {
  return MakeRead<FileBlocks>(state, caller, facts.limits,
                              [&](Lookup& lookup) { return Blocks(lookup, path, offset, length); });
}

ReadResult<ContentSummary> ReadContentSummary(const FsState& state, const Caller& caller,
                                              std::string_view path, const Facts& facts) {
  return MakeRead<ContentSummary>(state, caller, facts.limits,
                                  [&](Lookup& lookup) { return Summary(lookup, path); });
}

}  // namespace cairn::namenode
