// What clients may ask for, in domain terms: where the two states meet.
//
// Why: most calls are one plan through the door, but writing and reading blocks need both states:
// placement's choice goes into a plan as a fact, and journaled blocks come back with the nodes that
// hold them. The services translate the wire to these calls and decide nothing.
//
// A call that is one plan or one read goes through the door at once, or, with CallContext::batch,
// when the batch does: the context must live until then. Calls of several steps (Append, Truncate,
// RecoverLease) always go by themselves. Thread-safe; `reply` may run on another thread, or before
// the call returns.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn::namenode {

// What the NameNode was configured with that plans must know.
struct NamespaceConfig {
  std::string cluster;
  Limits limits;
  uint32_t default_replication = 3;
  uint64_t default_block_size = 128ull << 20;
  uint32_t min_replicas = 2;
  uint32_t umask = 022;
  std::string superuser;  // the user that the NameNode runs as
  std::string superuser_group = "supergroup";
  int64_t lease_soft_limit_ms = 60'000;
  int64_t lease_hard_limit_ms = 20 * 60'000;
  int64_t trash_interval_ms = 0;  // 0: no trash
  // Go on, counters raised, where DataNodes know of later ids than the journal.
  bool accept_older_journal = false;
};

// Who calls, from where, and which call it is.
struct CallContext {
  Caller caller;
  RetryKey key;  // of a mutating call
  std::string host;
  std::string rack;
  int64_t expires_us = 0;      // steady time: nobody waits for the answer from then on; 0: never
  DoorBatch* batch = nullptr;  // where to put it instead of going through the door
  std::string ip;              // of the connection
  // Where the audit log wants to hear whose the file is (audit.h), of a call that goes through the
  // door now; null: nobody asks.
  std::string* perm = nullptr;
};

// A block with the nodes to write it to, or to read it from.
struct LocatedBlock {
  Block block;
  uint64_t offset = 0;
  std::vector<NodeAddress> nodes;
  bool open = false;
  bool corrupt = false;
};
struct CreatedFile {
  INodeId inode = 0;
  std::optional<LocatedBlock> block;
  uint32_t replication = 0;
  uint64_t block_size = 0;
  uint32_t min_replicas = 0;
};
struct AppendedFile {
  INodeId inode = 0;
  uint64_t length = 0;
  uint32_t replication = 0;
  uint64_t block_size = 0;
  uint32_t min_replicas = 0;
  std::optional<LocatedBlock> block;  // the last one, open again; absent when it is full
};
struct IssuedStamp {
  GenerationStamp generation = 0;
  std::vector<NodeAddress> additional;  // to be taken into the pipeline
};
// Nodes for a pipeline that has lost some.
struct Replacements {
  std::vector<NodeNumber> survivors;
  std::vector<NodeNumber> excluded;  // that failed this writer
  uint32_t wanted = 0;               // fewer may be found
};
struct LocatedFile {
  FileStatus status;
  std::vector<LocatedBlock> blocks;
};

template <typename T>
using Reply = std::function<void(absl::StatusOr<T>)>;
using StatusReply = std::function<void(absl::Status)>;

class ClientOperations {
 public:
  ClientOperations(Namesystem* namesystem, BlockManager* blocks, Clock* clock,
                   NamespaceConfig config);

  const NamespaceConfig& config() const { return config_; }

  // Takes what was put into a batch through the door, in order. `released` runs after each group of
  // replies that came together.
  void EnterBatch(DoorBatch batch, const std::function<void()>& released) {
    namesystem_->CommitBatch(std::move(batch), released);
  }

  // --- Files that are written (client_operations_writing.cc)
  // Here and in Mkdirs, a mode of 0 is the default: 0666 or 0777 less the umask.
  void Create(const CallContext& call, CreateRequest request, Reply<CreatedFile> reply);
  // `excluded`: nodes that failed this writer.
  void AddBlock(const CallContext& call, AddBlockRequest request,
                const std::vector<NodeNumber>& excluded, Reply<LocatedBlock> reply);
  void AbandonBlock(const CallContext& call, AbandonBlockRequest request, StatusReply reply);
  void NewStamp(const CallContext& call, NewStampRequest request, const Replacements& replacements,
                Reply<IssuedStamp> reply);
  void UpdatePipeline(const CallContext& call, UpdatePipelineRequest request, StatusReply reply);
  void Complete(const CallContext& call, CompleteRequest request, StatusReply reply);
  void AbandonFile(const CallContext& call, AbandonFileRequest request, StatusReply reply);
  void RenewLease(const CallContext& call);

  // --- Files that are opened again (client_operations_writing.cc)
  // A file whose writer was silent for the soft limit is taken from it first: the caller may get
  // kRecoveryInProgress until its blocks are settled.
  void Append(const CallContext& call, AppendRequest request, Reply<AppendedFile> reply);
  // True: done; false: the last block is still being cut.
  void Truncate(const CallContext& call, TruncateRequest request, Reply<bool> reply);
  // Takes the file from whoever writes it. True: it is closed; false: its blocks are being settled.
  void RecoverLease(const CallContext& call, const std::string& path, Reply<bool> reply);

  // --- The tree
  void Mkdirs(const CallContext& call, MkdirsRequest request, StatusReply reply);
  void Rename(const CallContext& call, RenameRequest request, StatusReply reply);
  void Delete(const CallContext& call, DeleteRequest request, StatusReply reply);
  void SetReplication(const CallContext& call, std::string path, uint32_t replication,
                      StatusReply reply);
  void SetTimes(const CallContext& call, std::string path, int64_t mtime_ms, int64_t atime_ms,
                StatusReply reply);
  void SetOwner(const CallContext& call, std::string path, std::string owner, std::string group,
                StatusReply reply);
  void SetPermission(const CallContext& call, std::string path, uint32_t mode, StatusReply reply);
  void SetQuota(const CallContext& call, SetQuotaRequest request, StatusReply reply);
  void Concat(const CallContext& call, ConcatRequest request, StatusReply reply);

  void GetFileInfo(const CallContext& call, std::string path, Reply<FileStatus> reply);
  void List(const CallContext& call, std::string path, std::string start_after, uint32_t limit,
            Reply<ListPage> reply);
  void GetBlockLocations(const CallContext& call, std::string path, uint64_t offset,
                         uint64_t length, Reply<LocatedFile> reply);
  void GetContentSummary(const CallContext& call, std::string path, Reply<ContentSummary> reply);

 private:
  Facts FactsNow() const;
  // Through the door, or into the call's batch. `plan` and `read` own what they need but `call`.
  template <typename Plan, typename Done>
  void Commit(const CallContext& call, Plan plan, Done done);
  template <typename Plan>
  void CommitStatus(const CallContext& call, Plan plan, StatusReply reply);
  template <typename T, typename ReadFn, typename Done>
  void Read(const CallContext& call, ReadFn read, Done done);
  void Enter(const CallContext& call, std::unique_ptr<DoorCall> door_call);
  // What a plan came to, noted for the audit log where that wants it.
  static Planned Noted(const CallContext& call, const FsState& state, Planned planned);
  TargetRequest TargetsFor(const CallContext& call, uint32_t count, uint32_t min_required,
                           uint64_t block_size, const std::vector<NodeNumber>& excluded) const;
  // Placement's choice, as a fact of the plan.
  absl::Status ChooseTargets(const TargetRequest& request, Facts* facts);
  // Runs `next` once a writer of the file that was silent for the soft limit has lost it.
  void TakeFromSilent(const CallContext& call, const std::string& path, StatusReply next);
  // Ends the lease and wakes who recovers the file's blocks.
  void TakeOver(const OpenHolder& open, StatusReply next);
  // Facts with the nodes of the block that an append or a truncation to `length` would open.
  void FindReplicas(const CallContext& call, const std::string& path, uint64_t length,
                    std::function<void(Facts)> next);
  void CommitAppend(const CallContext& call, const AppendRequest& request, const Facts& facts,
                    Reply<AppendedFile> reply);
  void CommitTruncate(const CallContext& call, const TruncateRequest& request, const Facts& facts,
                      Reply<bool> reply);
  LocatedBlock Locate(const NewBlock& block, uint64_t length = 0) const;
  LocatedBlock Locate(const BlockInfo& info, std::string_view host, std::string_view rack) const;

  Namesystem* const namesystem_;
  BlockManager* const blocks_;
  Clock* const clock_;
  const NamespaceConfig config_;
};

// --- Used by both client_operations*.cc

template <typename Plan, typename Done>
void ClientOperations::Commit(const CallContext& call, Plan plan, Done done) {
  Enter(call, MakeChange(Origin::kClient, call.key, std::move(plan), std::move(done)));
}

template <typename Plan>
void ClientOperations::CommitStatus(const CallContext& call, Plan plan, StatusReply reply) {
  Commit(
      call, [&call, plan = std::move(plan)](const FsState& s) { return Noted(call, s, plan(s)); },
      [reply = std::move(reply)](absl::StatusOr<Answer> answer) { reply(answer.status()); });
}

template <typename T, typename ReadFn, typename Done>
void ClientOperations::Read(const CallContext& call, ReadFn read, Done done) {
  Enter(call, MakeQuery<T>(std::move(read), std::move(done)));
}

}  // namespace cairn::namenode
