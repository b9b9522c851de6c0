// The part of the random operations that is about files being written, reopened and recovered.
#include <algorithm>
#include <array>
#include <numeric>

#include "tests/unit/namenode/namespace/random_ops.h"

namespace cairn::namenode {

std::vector<BlockId> RandomOps::OpenBlocksOf(INodeId inode) const {
  std::vector<BlockId> open;
  for (const BlockId id : fs_.state.FindINode(inode)->blocks()) {
    if (fs_.state.FindBlock(id)->is_open()) open.push_back(id);
  }
  return open;
}

void RandomOps::FileStep() {
  const std::vector<INodeId> open = fs_.state.OpenFilesOf(fs_.holder);
  if (open.empty() || Pick(3) == 0) return CreateStep();
  const INodeId inode = open[Pick(open.size())];
  const std::string path = fs_.state.PathOf(inode);
  if (path.empty()) {  // deleted under its writer
    EXPECT_EQ(KindOf(fs_.AddBlock(inode)), ErrorKind::kLeaseLost);
    EXPECT_EQ(KindOf(fs_.NewStamp(inode, 1)), ErrorKind::kLeaseLost);
    return;
  }
  switch (Pick(6)) {
    case 0:
      return PipelineStep(inode);
    case 1:
      return AbandonStep(inode, path);
    case 2:
    case 3:
      if (OpenBlocksOf(inode).size() < 2) return AddStep(inode, path);
      [[fallthrough]];
    default:
      return CloseStep(inode, path);
  }
}

void RandomOps::CreateStep() {
  const std::string path = RandomPath();
  const bool overwrite = Pick(3) == 0;
  const uint32_t mode = Pick(3) == 0 ? Pick(01000) : 0666;
  fs_.replication = 1 + Pick(3);
  fs_.unpublished = Pick(2) == 0;
  fs_.with_block = Pick(2) == 0;
  fs_.consistency = static_cast<Consistency>(Pick(3));
  Expect(
      "create", path,
      model_.Create(fs_.caller, path, overwrite, mode, fs_.replication, fs_.with_block ? 4096 : 0),
      fs_.Create(path, overwrite, mode));
}

void RandomOps::Touch(INodeId inode, BlockId block) {
  fs_.retry.reset();
  ASSERT_THAT(fs_.NewStamp(inode, block), Succeeds());
  const GenerationStamp stamp = std::get<NewStampAnswer>(fs_.last.answer).generation;
  ASSERT_THAT(fs_.UpdatePipeline(inode, block, stamp, {1, 3}), Succeeds());
  EXPECT_EQ(fs_.state.FindBlock(block)->generation(), stamp);
}

void RandomOps::AddStep(INodeId inode, const std::string& path) {
  std::vector<FinishedBlock> finished;
  for (const BlockId id : OpenBlocksOf(inode)) {
    if (fs_.state.FindOpenBlock(id)->untouched) Touch(inode, id);
    finished.push_back(fs_.DoneById(id, 4096));
  }
  const absl::StatusCode expected = model_.AddBlock(path, 4096);
  Expect("add block", path, expected, fs_.AddBlock(inode, std::move(finished)));
  if (expected != absl::StatusCode::kOk) return;
  // All blocks but the new one are full now.
  EXPECT_EQ(model_.at(path).length, 4096 * (fs_.state.FindINode(inode)->blocks().size() - 1));
}

void RandomOps::PipelineStep(INodeId inode) {
  const std::vector<BlockId> open = OpenBlocksOf(inode);
  if (open.empty()) {
    EXPECT_THAT(fs_.NewStamp(inode, 0), Fails(kFailedPrecondition));
    return;
  }
  const BlockId block = open[Pick(open.size())];
  const GenerationStamp before = fs_.state.FindBlock(block)->generation();
  EXPECT_THAT(fs_.UpdatePipeline(inode, block, before, {1}), Fails(kInvalidArgument));
  ASSERT_THAT(fs_.NewStamp(inode, block), Succeeds());
  EXPECT_EQ(fs_.state.FindBlock(block)->generation(), before);
  if (Pick(2) == 0) return;  // its nodes failed too
  fs_.retry.reset();
  const GenerationStamp stamp = std::get<NewStampAnswer>(fs_.last.answer).generation;
  std::vector<NodeNumber> nodes = {1, 2, 3};
  nodes.erase(nodes.begin() + static_cast<int>(Pick(3)));
  EXPECT_THAT(fs_.UpdatePipeline(inode, block, stamp, nodes), Succeeds());
  EXPECT_EQ(fs_.state.FindBlockInfo(block)->pipeline, nodes);
  EXPECT_THAT(fs_.UpdatePipeline(inode, block, stamp, nodes), Fails(kInvalidArgument));
}

void RandomOps::AbandonStep(INodeId inode, const std::string& path) {
  const INode& file = *fs_.state.FindINode(inode);
  if (Pick(3) != 0) {
    const BlockId block = file.blocks().empty() ? 0 : file.blocks().back();
    const BlockMeta* meta = fs_.state.FindBlock(block);
    const bool may = meta != nullptr && meta->is_open() && meta->length() == 0;
    const auto status =
        fs_.Do(PlanAbandonBlock(fs_.state, fs_.caller, {inode, fs_.holder, block}, fs_.facts));
    EXPECT_EQ(status.ok(), may) << path << ": " << status;
    if (may) model_.at(path).promised -= 4096;
    return;
  }
  const Planned plan = PlanAbandonFile(fs_.state, fs_.caller, {inode, fs_.holder}, fs_.facts);
  if (fs_.state.FindOpenState(file)->appended) return EndLease(inode, path, plan);
  EXPECT_THAT(fs_.Do(plan), Succeeds()) << path;
  model_.Delete(FsFixture::Superuser(), path, false);
}

void RandomOps::CloseStep(INodeId inode, const std::string& path) {
  const INode& file = *fs_.state.FindINode(inode);
  std::vector<FinishedBlock> finished;
  uint64_t length = 0;
  for (const BlockId id : file.blocks()) {
    const BlockMeta& meta = *fs_.state.FindBlock(id);
    if (!meta.is_open()) {
      length += meta.length();
      continue;
    }
    const bool last = id == file.blocks().back();
    if (fs_.state.FindOpenBlock(id)->untouched && last && Pick(2) == 0) {
      finished.push_back(fs_.DoneById(id, meta.length(), {}));
    } else {
      if (fs_.state.FindOpenBlock(id)->untouched) Touch(inode, id);
      finished.push_back(fs_.DoneById(
          id, last && Pick(3) != 0 ? meta.length() + Pick(4097 - meta.length()) : uint64_t{4096}));
    }
    length += finished.back().block.length;
  }
  if (fs_.state.FindOpenState(file)->appended) {
    EXPECT_THAT(fs_.Complete(inode, std::move(finished)), Succeeds()) << path;
    model_.at(path).length = length;
    model_.at(path).open = false;
    model_.at(path).promised = 0;
    return;
  }
  const bool overwrite = Pick(2) == 0;
  const std::string to = Pick(2) == 0 ? RandomPath() : path;
  const absl::StatusCode expected = model_.Publish(fs_.caller, path, to, overwrite, length);
  Expect("complete", path + " " + to, expected,
         fs_.Complete(inode, std::move(finished), to, overwrite));
}

void RandomOps::ReopenStep() {
  std::string path = RandomPath();
  for (int i = 0; i < 8; ++i) {  // rather a closed file
    const std::string known = KnownPath();
    const ModelEntry& entry = model_.at(known);
    if (!entry.dir && (!entry.open || i == 7)) path = known;
  }
  if (Pick(2) == 0) {
    fs_.consistency = static_cast<Consistency>(Pick(3));
    Expect("append", path, model_.Append(fs_.caller, path, 4096), fs_.Append(path));
    return;
  }
  const auto there = model_.entries().find(path);
  const uint64_t length = there == model_.entries().end() ? 0 : there->second.length;
  const uint64_t to = Pick(3) == 0 ? Pick(length / 4096 + 2) * 4096 : Pick(length + 10);
  Expect("truncate", path, model_.Truncate(fs_.caller, path, to, 4096), fs_.Truncate(path, to));
}

// --- What the NameNode does by itself
// ---------------------------------------------------------------

void RandomOps::OwnStep(uint64_t kind) {
  if (kind == 23) return TakeOverStep();
  if (kind == 24) return RecoveryStep();
  if (Pick(4) == 0) return AdminStateStep();
  if (Pick(10) != 0) {
    EXPECT_THAT(fs_.Do(PlanReclaim(fs_.state, 1 + Pick(5))), Succeeds());
    return;
  }
  const Counters& now = fs_.state.counters();
  const Counters seen = {.epoch = now.epoch + Pick(2),
                         .next_block = now.next_block + Pick(5),
                         .next_generation = now.next_generation + Pick(5)};
  EXPECT_THAT(
      fs_.Do(PlanRaiseCounters(fs_.state, seen.next_block, seen.next_generation, seen.epoch)),
      Succeeds());
  EXPECT_GT(fs_.state.next_block(), seen.next_block);
  EXPECT_GT(fs_.state.next_generation(), seen.next_generation);
}

void RandomOps::AdminStateStep() {
  const NodeNumber node = 1 + Pick(3);
  if (Pick(3) == 0) {
    EXPECT_THAT(fs_.Do(PlanEndDecommission(fs_.state, node)), Succeeds());
    return;
  }
  const auto wanted = std::array{AdminState::kInService, AdminState::kDecommissioning,
                                 AdminState::kMaintenance}[Pick(3)];
  EXPECT_THAT(fs_.Do(PlanSetAdminState(fs_.state, FsFixture::Superuser(), {node, wanted})),
              Succeeds());
  const AdminState is = fs_.state.registry().FindNode(node)->admin;
  EXPECT_TRUE(is == wanted ||
              (is == AdminState::kDecommissioned && wanted == AdminState::kDecommissioning));
}

void RandomOps::TakeOverStep() {
  const std::vector<INodeId> open = fs_.state.OpenFilesOf(fs_.holder);
  if (open.empty()) return;
  const INodeId inode = open[Pick(open.size())];
  const std::string path = fs_.state.PathOf(inode);
  if (!path.empty()) EndLease(inode, path, PlanTakeOver(fs_.state, inode, fs_.holder));
}

void RandomOps::EndLease(INodeId inode, const std::string& path, const Planned& plan) {
  const bool unpublished = fs_.state.FindOpenState(*fs_.state.FindINode(inode))->unpublished;
  const std::vector<BlockId> blocks = OpenBlocksOf(inode);
  const bool as_it_was = !blocks.empty() && fs_.state.FindOpenBlock(blocks[0])->untouched;
  EXPECT_THAT(fs_.Do(plan), Succeeds());
  if (unpublished) {
    model_.Delete(FsFixture::Superuser(), path, false);
    return;
  }
  ModelEntry& entry = model_.at(path);
  entry.open = entry.recovering = !blocks.empty() && !as_it_was;
  if (!as_it_was) return;
  // The file ends with the block that nobody touched, which it ended with before the append.
  entry.promised = 0;
  const INode& file = *fs_.state.FindINode(inode);
  EXPECT_EQ(file.blocks().back(), blocks[0]);
  entry.length = 4096 * (file.blocks().size() - 1) + fs_.state.FindBlock(blocks[0])->length();
}

void RandomOps::RecoveryStep() {
  const std::vector<RecoveringFile> files = FilesInRecovery(fs_.state);
  if (files.empty()) return;
  const RecoveringFile& file = files[Pick(files.size())];
  const std::string path = fs_.state.PathOf(file.inode);
  const BlockId block = file.block.block.id;
  GenerationStamp stamp = file.block.recovery;
  if (stamp == 0 || Pick(2) == 0) stamp = fs_.BeginRecovery(file.inode);
  EXPECT_THAT(fs_.CommitRecovery(block, stamp - 1, 1), Fails(kFailedPrecondition));
  if (Pick(4) == 0) return;  // the primary is gone

  const BlockIds ids = fs_.state.FindINode(file.inode)->blocks();
  const std::vector<BlockId> before(ids.begin(), ids.end());
  const size_t index = file.block.offset / 4096;
  const uint64_t known = file.block.block.length;
  uint64_t length = Pick(4) == 0 ? 0 : Pick(2) == 0 ? 4096 : known + Pick(100);
  if (file.block.cut || length < known) length = known;
  length = std::min<uint64_t>(length, 4096);
  uint64_t expected = index * 4096 + length;
  bool open = false;
  for (size_t i = index + 1; length == 4096 && i < before.size(); ++i) {
    expected += fs_.state.FindBlock(before[i])->length();
    open = open || fs_.state.FindBlock(before[i])->is_open();
  }
  EXPECT_THAT(fs_.CommitRecovery(block, stamp, length), Succeeds());
  ModelEntry& entry = model_.at(path);
  // One that is short is the file's end.
  entry.promised = length == 4096 ? entry.promised - (4096 - known) : 0;
  entry.length = expected;
  entry.open = entry.recovering = open;
  if (length > 0) EXPECT_EQ(fs_.state.FindBlock(block)->generation(), stamp);
}

// What must hold between a file and its blocks, whatever happened.
void RandomOps::CheckBlocks(const std::string& path, INodeId id) {
  const INode& file = *fs_.state.FindINode(id);
  uint64_t length = 0;
  uint32_t open = 0;
  for (size_t i = 0; i < file.blocks().size(); ++i) {
    const BlockMeta& meta = *fs_.state.FindBlock(file.blocks()[i]);
    EXPECT_EQ(meta.inode(), id) << path;
    EXPECT_EQ(meta.index(), i) << path;
    EXPECT_LT(meta.generation(), fs_.state.next_generation()) << path;
    if (!meta.is_open()) EXPECT_GT(meta.length(), 0u) << path;
    if (!meta.is_open() && i + 1 < file.blocks().size()) EXPECT_EQ(meta.length(), 4096u) << path;
    length += meta.length();
    open += meta.is_open();
  }
  EXPECT_EQ(file.length(), length) << path;
  if (!file.is_open()) {
    EXPECT_EQ(open, 0u) << path;
    return;
  }
  EXPECT_EQ(fs_.state.FindOpenState(file)->open_blocks, open) << path;
  EXPECT_EQ(fs_.state.FindOpenState(file)->holder == kNameNodeHolder, model_.at(path).recovering)
      << path;
  if (fs_.state.FindOpenState(file)->holder == kNameNodeHolder) EXPECT_GT(open, 0u) << path;
  const auto held = fs_.state.OpenFilesOf(fs_.state.FindOpenState(file)->holder);
  EXPECT_TRUE(std::find(held.begin(), held.end(), id) != held.end()) << path;
}

}  // namespace cairn::namenode
