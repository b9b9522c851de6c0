// Clients that write, DataNodes that are told what to do, and the monitor that settles what is left
// open, around a door whose journal flows. DataNodes here are registrations and reports: what they
// would do, a test says for them.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "namenode/codec/edit_codec.h"
#include "namenode/namesystem/cluster_operations.h"
#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {

// The reply of `ask(reply)`.
template <typename T, typename Ask>
T AwaitReply(Ask&& ask) {
  Slot<T> slot;
  ask(slot.Reply());
  std::optional<T> value = slot.Await();
  if (!value.has_value()) {
    ADD_FAILURE() << "no reply within 60 s";
    std::abort();
  }
  return *std::move(value);
}

class Writing {
 public:
  struct Node {
    NodeNumber number = 0;
    StorageNumber storage = 0;
    std::string id;
  };

  explicit Writing(FsState state = FsState::Format("root", "supergroup", 0),
                   NamespaceConfig config = {})
      : door(std::move(state)),
        forced(&door.blocks),
        cluster(&door.namesystem, &door.blocks, &forced, config, "cluster-1", 3000) {
    door.journal.Flow();
  }

  // --- DataNodes
  absl::StatusOr<RegisteredNode> Register(const std::string& id, BlockId highest_block = 0,
                                          GenerationStamp highest_generation = 0,
                                          uint64_t highest_epoch = 0) {
    RegisterNode request;
    request.node.id = id;
    request.node.incarnation = 1;
    request.node.addresses = {id + ":9866"};
    StorageReport storage;
    storage.id = "storage-" + id;
    storage.capacity_bytes = storage.remaining_bytes = 1ull << 40;
    request.node.storages = {storage};
    request.highest_block = highest_block;
    request.highest_generation = highest_generation;
    request.highest_epoch = highest_epoch;
    return AwaitReply<absl::StatusOr<RegisteredNode>>(
        [&](auto reply) { cluster.Register(request, std::move(reply)); });
  }
  // Registers and reports these replicas in full.
  Node AddNode(const std::string& id, const std::vector<ReplicaRecord>& replicas = {}) {
    const absl::StatusOr<RegisteredNode> registered = Register(id);
    EXPECT_TRUE(registered.ok()) << registered.status();
    const Node node{registered->number, registered->storages[0], id};
    EXPECT_EQ(door.blocks.FullReportPiece(id, 1, node.storage, true, true, replicas),
              absl::OkStatus());
    return node;
  }
  // Three of them, by number.
  std::map<NodeNumber, Node> AddNodes() {
    std::map<NodeNumber, Node> nodes;
    for (const char* id : {"n1", "n2", "n3"}) {
      const Node node = AddNode(id);
      nodes[node.number] = node;
    }
    return nodes;
  }
  std::vector<NodeCommand> Beat(const Node& node) {
    auto commands = door.blocks.Heartbeat(node.id, 1, {});
    EXPECT_TRUE(commands.ok()) << commands.status();
    return commands.ok() ? *std::move(commands) : std::vector<NodeCommand>();
  }
  void Report(const Node& node, ReplicaChange::Kind kind, const Block& block) {
    EXPECT_EQ(door.blocks.IncrementalReport(node.id, 1, 0, {{kind, node.storage, block}}),
              absl::OkStatus());
  }
  absl::Status Commit(const Node& node, const Block& block, std::vector<StorageNumber> storages) {
    return AwaitReply<absl::Status>([&](auto reply) {
      cluster.CommitRecovery({node.id, 1, block, std::move(storages)}, std::move(reply));
    });
  }

  // --- Clients: `who` is one of several
  CallContext Call(uint8_t who, const std::string& user = "root") {
    CallContext call = door.Call(calls_[who].fetch_add(1) + 1, user);
    call.key.client[1] = who;
    return call;
  }
  absl::StatusOr<CreatedFile> Create(uint8_t who, CreateRequest request) {
    return AwaitReply<absl::StatusOr<CreatedFile>>(
        [&](auto reply) { door.operations.Create(Call(who), request, std::move(reply)); });
  }
  // With a first block at three nodes.
  CreatedFile Create(uint8_t who, const std::string& path, uint64_t block_size = 1 << 20) {
    CreateRequest request;
    request.path = path;
    request.block_size = block_size;
    request.with_block = true;
    absl::StatusOr<CreatedFile> created = Create(who, request);
    EXPECT_TRUE(created.ok()) << created.status();
    return *std::move(created);
  }
  absl::StatusOr<LocatedBlock> AddBlock(uint8_t who, INodeId inode,
                                        std::vector<FinishedBlock> finished = {}) {
    return AwaitReply<absl::StatusOr<LocatedBlock>>([&](auto reply) {
      door.operations.AddBlock(Call(who), {inode, {}, std::move(finished)}, {}, std::move(reply));
    });
  }
  absl::Status Complete(uint8_t who, INodeId inode, std::vector<FinishedBlock> finished) {
    CompleteRequest request;
    request.inode = inode;
    request.finished = std::move(finished);
    return AwaitReply<absl::Status>(
        [&](auto reply) { door.operations.Complete(Call(who), request, std::move(reply)); });
  }
  // A closed file of one block with `length` bytes, reported by its nodes.
  LocatedBlock WriteFile(const std::string& path, uint64_t length,
                         const std::map<NodeNumber, Node>& nodes, uint64_t block_size = 1 << 20) {
    const CreatedFile file = Create(99, path, block_size);
    LocatedBlock block = *file.block;
    block.block.length = length;
    std::vector<StorageNumber> storages;
    for (const NodeAddress& node : block.nodes) storages.push_back(nodes.at(node.number).storage);
    EXPECT_EQ(Complete(99, file.inode, {{block.block, storages}}), absl::OkStatus());
    for (const auto& [number, node] : nodes) {
      Report(node, ReplicaChange::Kind::kReceived, block.block);
    }
    return block;
  }
  absl::StatusOr<AppendedFile> Append(uint8_t who, const std::string& path,
                                      const std::string& user = "root") {
    return Append(Call(who, user), path);
  }
  absl::StatusOr<AppendedFile> Append(const CallContext& call, const std::string& path) {
    return AwaitReply<absl::StatusOr<AppendedFile>>([&](auto reply) {
      door.operations.Append(call, {path, {}}, std::move(reply));
    });
  }
  absl::StatusOr<bool> Truncate(uint8_t who, const std::string& path, uint64_t length) {
    return AwaitReply<absl::StatusOr<bool>>([&](auto reply) {
      door.operations.Truncate(Call(who), {path, length}, std::move(reply));
    });
  }
  absl::StatusOr<bool> RecoverLease(uint8_t who, const std::string& path,
                                    const std::string& user = "root") {
    return AwaitReply<absl::StatusOr<bool>>(
        [&](auto reply) { door.operations.RecoverLease(Call(who, user), path, std::move(reply)); });
  }
  absl::StatusOr<IssuedStamp> NewStamp(uint8_t who, INodeId inode, const Block& block,
                                       const Replacements& replacements = {}) {
    return AwaitReply<absl::StatusOr<IssuedStamp>>([&](auto reply) {
      door.operations.NewStamp(Call(who), {inode, {}, block}, replacements, std::move(reply));
    });
  }
  absl::Status UpdatePipeline(uint8_t who, INodeId inode, const Block& block,
                              GenerationStamp generation, std::vector<NodeNumber> nodes) {
    return AwaitReply<absl::Status>([&](auto reply) {
      door.operations.UpdatePipeline(Call(who), {inode, {}, block, generation, std::move(nodes)},
                                     std::move(reply));
    });
  }
  void Renew(uint8_t who) { door.operations.RenewLease(Call(who)); }

  // --- What there is
  LocatedFile Locate(const std::string& path) {
    auto located = AwaitReply<absl::StatusOr<LocatedFile>>([&](auto reply) {
      door.operations.GetBlockLocations(Call(0), path, 0, 0, std::move(reply));
    });
    EXPECT_TRUE(located.ok()) << located.status();
    return located.ok() ? *std::move(located) : LocatedFile();
  }
  bool Exists(const std::string& path) {
    return AwaitReply<absl::StatusOr<FileStatus>>(
               [&](auto reply) { door.operations.GetFileInfo(Call(0), path, std::move(reply)); })
        .ok();
  }
  // The namespace as a restart finds it.
  FsState Reloaded() const {
    FsState state = FsState::Format("root", "supergroup", 0);
    TxId txid = 0;
    for (const std::string& record : door.journal.records()) {
      const absl::StatusOr<EditRecord> decoded = DecodeEdit(record);
      EXPECT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_TRUE(Apply(state, ++txid, *decoded).ok());
    }
    return state;
  }

  static std::vector<NodeNumber> Numbers(const LocatedBlock& block) {
    std::vector<NodeNumber> numbers;
    for (const NodeAddress& node : block.nodes) numbers.push_back(node.number);
    return numbers;
  }

  Door door;
  ForcedSafeMode forced;
  ClusterOperations cluster;

 private:
  std::array<std::atomic<uint64_t>, 256> calls_{};
};

}  // namespace cairn::namenode
