// Any bytes as the edits behind a known state: each fits it or is refused, and what was applied
// leaves a digest that a count from nothing gives.
//
// Input: records, each with its length in one byte before it. A record that is refused ends the
// run, as it ends a start.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "namenode/codec/edit_codec.h"
#include "namenode/namespace/apply.h"
#include "namenode/namespace/plan.h"

namespace cairn::namenode {
namespace {

void Do(FsState& state, const Planned& planned) {
  if (!planned.status.ok() || !planned.edit) std::abort();
  const EditRecord record{1, std::nullopt, *planned.edit, planned.answer};
  if (!Apply(state, state.applied_txid() + 1, record).ok()) std::abort();
}

// A node; a directory with a quota; two files whose blocks are full; a file of two blocks, one that
// is open, one that is being recovered.
FsState Known() {
  FsState state = FsState::Format("root", "supergroup", 0);
  const Caller root{"root", {}, true};
  Facts facts;
  facts.targets = {1};
  Do(state, PlanRegisterNode(state, {"n", "/r", {"s"}}));
  Do(state, PlanMkdirs(state, root, {"/d"}, facts));
  Do(state, PlanSetQuota(state, root, {"/d", QuotaLimit(9), QuotaLimit(9)}, facts));
  for (const char* path : {"/full", "/more"}) {
    CreateRequest create{.path = path, .replication = 1, .block_size = 4096, .with_block = true};
    Do(state, PlanCreate(state, root, create, facts));
    const BlockId id = state.next_block() - 1;
    CompleteRequest complete{.inode = state.next_inode() - 1};
    complete.finished = {{{id, state.FindBlock(id)->generation(), 4096}, {1}}};
    Do(state, PlanComplete(state, root, complete, facts));
  }
  for (const char* path : {"/closed", "/open", "/held"}) {
    CreateRequest create{.path = path, .replication = 1, .block_size = 4096, .with_block = true};
    Do(state, PlanCreate(state, root, create, facts));
    const INodeId inode = state.next_inode() - 1;
    const auto last = [&](uint64_t length) {
      const BlockId id = state.next_block() - 1;
      return FinishedBlock{{id, state.FindBlock(id)->generation(), length}, {1}};
    };
    Do(state, PlanAddBlock(state, root, {inode, {}, {last(4096)}}, facts));
    if (path == std::string_view("/closed")) {
      CompleteRequest complete{.inode = inode, .finished = {last(9)}};
      Do(state, PlanComplete(state, root, complete, facts));
    } else if (path == std::string_view("/held")) {
      Do(state, PlanTakeOver(state, inode, {}));
      Do(state, PlanBeginRecovery(state, inode));
    }
  }
  return state;
}

void Run(std::string_view bytes) {
  FsState state = Known();
  while (!bytes.empty()) {
    const size_t size = std::min<size_t>(static_cast<uint8_t>(bytes[0]), bytes.size() - 1);
    const auto record = DecodeEdit(bytes.substr(1, size));
    bytes.remove_prefix(1 + size);
    if (!record.ok()) return;
    const auto* reclaim = std::get_if<ReclaimEdit>(&record->edit);
    if (reclaim != nullptr && reclaim->max_inodes > 1000) return;
    if (!Apply(state, state.applied_txid() + 1, *record).ok()) return;
    if (state.digest() != state.RecomputeDigest()) std::abort();
  }
  (void)FilesInRecovery(state);
}

}  // namespace
}  // namespace cairn::namenode

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cairn::namenode::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
