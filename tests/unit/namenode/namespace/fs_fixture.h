// A namespace with the door's part played by hand: plans run, their edits are applied, and after
// every edit the incremental digest must be what a full count gives. For tests of namespace/ and
// codec/.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "common/status.h"
#include "namenode/namespace/apply.h"
#include "namenode/namespace/fs_state.h"
#include "namenode/namespace/plan.h"

namespace cairn::namenode {

inline ClientId Client(uint8_t number) {
  ClientId id{};
  id.fill(number);
  return id;
}

class FsFixture {
 public:
  FsFixture() : state(FsState::Format("hdfs", "supergroup", 1000)) {
    facts.now_ms = 2000;
    facts.targets = {1, 2, 3};
  }

  // Carries a plan out; its status is the outcome.
  absl::Status Do(Planned planned) {
    last = std::move(planned);
    if (!last.status.ok() || !last.edit) return last.status;
    EditRecord record{facts.now_ms, retry, *last.edit, last.answer};
    absl::StatusOr<Effects> applied = Apply(state, state.applied_txid() + 1, record);
    if (!applied.ok()) return absl::InternalError(applied.status().ToString());
    effects = *applied;
    last.observed = state.applied_txid();
    if (on_edit) on_edit(record, effects);
    if (check_digest) EXPECT_EQ(state.digest(), state.RecomputeDigest());
    return absl::OkStatus();
  }

  absl::Status Mkdir(const std::string& path, bool parents = false, uint32_t mode = 0755) {
    return Do(PlanMkdirs(state, caller, {path, mode, parents}, facts));
  }
  absl::Status Create(const std::string& path, bool overwrite = false, uint32_t mode = 0644) {
    CreateRequest request;
    request.path = path;
    request.mode = mode;
    request.overwrite = overwrite;
    request.unpublished = unpublished;
    request.with_block = with_block;
    request.block_size = block_size;
    request.replication = replication;
    request.holder = holder;
    request.consistency = consistency;
    return Do(PlanCreate(state, caller, request, facts));
  }
  absl::Status Complete(INodeId inode, std::vector<FinishedBlock> finished = {},
                        const std::string& publish_as = "", bool overwrite = false) {
    CompleteRequest request;
    request.inode = inode;
    request.holder = holder;
    request.finished = std::move(finished);
    request.publish_as = publish_as;
    request.overwrite = overwrite;
    return Do(PlanComplete(state, caller, request, facts));
  }
  absl::Status AddBlock(INodeId inode, std::vector<FinishedBlock> finished = {}) {
    return Do(PlanAddBlock(state, caller, {inode, holder, std::move(finished)}, facts));
  }
  // With the block that would be opened looked up, and facts.targets as its nodes.
  absl::Status Append(const std::string& path) {
    LookUpLast(path, kToAppend);
    return Do(PlanAppend(state, caller, {path, holder, consistency}, facts));
  }
  absl::Status Truncate(const std::string& path, uint64_t length) {
    LookUpLast(path, length);
    return Do(PlanTruncate(state, caller, {path, length}, facts));
  }
  absl::Status NewStamp(INodeId inode, BlockId id) {
    const BlockMeta* meta = state.FindBlock(id);
    const Block block{id, meta == nullptr ? 0 : meta->generation(), 0};
    return Do(PlanNewStamp(state, caller, {inode, holder, block}, facts));
  }
  absl::Status UpdatePipeline(INodeId inode, BlockId id, GenerationStamp generation,
                              std::vector<NodeNumber> nodes) {
    const BlockMeta* meta = state.FindBlock(id);
    const Block block{id, meta == nullptr ? 0 : meta->generation(), 0};
    const UpdatePipelineRequest request{inode, holder, block, generation, std::move(nodes)};
    return Do(PlanUpdatePipeline(state, caller, request, facts));
  }
  absl::Status CommitRecovery(BlockId id, GenerationStamp generation, uint64_t length,
                              std::vector<StorageNumber> storages = {1, 3}) {
    return Do(PlanCommitRecovery(state, {id, generation, length}, storages));
  }
  // Begins a recovery of the file's first open block; 0: none began.
  GenerationStamp BeginRecovery(INodeId inode) {
    EXPECT_TRUE(Do(PlanBeginRecovery(state, inode)).ok());
    const auto* answer = std::get_if<NewStampAnswer>(&last.answer);
    return answer == nullptr ? 0 : answer->generation;
  }
  absl::Status Rename(const std::string& from, const std::string& to) {
    return Do(PlanRename(state, caller, {from, to}, facts));
  }
  absl::Status Delete(const std::string& path, bool recursive = false) {
    return Do(PlanDelete(state, caller, {path, recursive}, facts));
  }
  absl::Status Chmod(const std::string& path, uint32_t mode) {
    return Do(PlanSetPermission(state, caller, path, mode, facts));
  }
  absl::Status Chown(const std::string& path, const std::string& owner,
                     const std::string& group = "") {
    return Do(PlanSetOwner(state, caller, path, owner, group, facts));
  }
  // Replaces both limits.
  absl::Status SetQuota(const std::string& path, const Quota& quota) {
    return Do(PlanSetQuota(state, caller, {path, quota.names, quota.space}, facts));
  }
  absl::Status Concat(const std::string& target, std::vector<std::string> sources) {
    return Do(PlanConcat(state, caller, {target, std::move(sources)}, facts));
  }
  void RegisterNodes(int count) {  // node n has the storages 2n-1 and 2n
    for (int i = 1; i <= count; ++i) {
      const std::string id = "node-" + std::to_string(i);
      ASSERT_TRUE(Do(PlanRegisterNode(state, {id, "/r", {id + "-a", id + "-b"}})).ok());
    }
  }
  // Creates, fills with whole and one last short block, and closes.
  absl::Status Put(const std::string& path, std::vector<uint64_t> lengths, bool overwrite = false) {
    RETURN_IF_ERROR(Create(path, overwrite));
    const INodeId inode = std::get<CreatedAnswer>(last.answer).inode;
    std::vector<FinishedBlock> finished;
    for (const uint64_t length : lengths) {
      RETURN_IF_ERROR(AddBlock(inode, std::move(finished)));
      finished = {Done(std::get<NewBlockAnswer>(last.answer).block, length)};
    }
    return Complete(inode, std::move(finished));
  }

  static FinishedBlock Done(const NewBlock& block, uint64_t length,
                            std::vector<StorageNumber> storages = {1, 3}) {
    return {{block.id, block.generation, length}, std::move(storages)};
  }
  FinishedBlock DoneById(BlockId id, uint64_t length,
                         std::vector<StorageNumber> storages = {1, 3}) {
    return {{id, state.FindBlock(id)->generation(), length}, std::move(storages)};
  }

  absl::StatusOr<FileStatus> Stat(const std::string& path) {
    return ReadFileInfo(state, Superuser(), path, facts).value;
  }
  bool Exists(const std::string& path) { return Stat(path).ok(); }
  INodeId IdOf(const std::string& path) { return Stat(path).ok() ? Stat(path)->inode : 0; }
  std::vector<std::string> Names(const std::string& path) {
    std::vector<std::string> names;
    const auto page = ReadList(state, Superuser(), path, "", 0, facts);
    if (!page.value.ok()) return {page.value.status().ToString()};
    for (const FileStatus& entry : page.value->entries) names.push_back(entry.name);
    return names;
  }
  void LookUpLast(const std::string& path, uint64_t length) {
    const auto block = ReadLastBlock(state, caller, path, length, facts).value;
    facts.targets_block = block.ok() && *block ? (*block)->block : Block{};
  }
  int Count(BlockEffect::Kind kind) const {
    int count = 0;
    for (const BlockEffect& effect : effects) count += effect.kind == kind;
    return count;
  }

  static Caller Superuser() { return {"hdfs", {"supergroup"}, true}; }
  static Caller User(const std::string& name, std::vector<std::string> groups = {}) {
    return {name, std::move(groups), false};
  }

  FsState state;
  Facts facts;
  Caller caller = Superuser();
  ClientId holder = Client(1);
  std::optional<RetryKey> retry;
  bool unpublished = false;
  bool with_block = false;
  uint64_t block_size = 4096;
  uint32_t replication = 3;
  Consistency consistency = Consistency::kStrong;
  Planned last;
  Effects effects;
  bool check_digest = true;
  std::function<void(const EditRecord&, const Effects&)> on_edit;
};

class FsTest : public testing::Test, public FsFixture {};

MATCHER_P(Fails, code, "") {
  *result_listener << arg.ToString();
  return arg.code() == code;
}
MATCHER_P2(Fails, code, message, "") {
  *result_listener << arg.ToString();
  return arg.code() == code && MessageOf(arg).find(message) != std::string_view::npos;
}
MATCHER(Succeeds, "") {
  *result_listener << arg.ToString();
  return arg.ok();
}

using enum absl::StatusCode;

}  // namespace cairn::namenode
