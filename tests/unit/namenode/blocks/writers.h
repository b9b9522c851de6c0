// Writers of blocks at random, and the recoveries of what they left: new blocks, appends, cuts,
// pipelines that lose and gain nodes, block recoveries that are lost on their way.
//
// Keeps a model of what must hold: `acked` bytes of an open block are on a node's disk whatever is
// deleted, and a recovery ends at no less.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {

struct KnownBlock {  // of a closed file
  Block block;
  uint32_t replication = 0;
};

class Writers {
 public:
  // Blocks whose files are closed go to `closed`, and are taken from there to be opened again.
  Writers(FakeCluster* cluster, std::mt19937_64* random, std::map<BlockId, KnownBlock>* closed)
      : cluster_(*cluster), random_(*random), closed_(*closed) {}

  void OpenNew(const std::vector<NodeNumber>& targets, uint32_t replication);
  void Append(BlockId id);
  void Cut(BlockId id);
  // Some open block goes on: written, finished, left, or recovered.
  void Step();
  // Every writer leaves; one more try of every recovery. True when nothing is open any more.
  bool SettleAll();
  void Check() const;

 private:
  struct Open {
    Block block;         // as journaled
    uint64_t acked = 0;  // bytes; of a cut the target
    std::vector<NodeNumber> pipeline;
    uint32_t replication = 0;
    bool untouched = false;
    bool cut = false;
    bool writer = true;
    GenerationStamp recovery = 0;
  };

  uint64_t Draw(uint64_t below) { return random_() % below; }
  static bool HoldsAcked(const FakeNode& node, const Open& open);
  bool Healthy(NodeNumber number, const Open& open) const;
  void GoOn(Open& open);
  void RecoverPipeline(Open& open);
  void Leave(Open& open);
  void Finish(Open open);
  void OrderRecovery(Open& open);
  // What the orders that nodes have got lead to.
  void CarryOutOrders();
  void CarryOut(const RecoverBlock& order);

  FakeCluster& cluster_;
  std::mt19937_64& random_;
  std::map<BlockId, KnownBlock>& closed_;
  std::map<BlockId, Open> open_;
};

}  // namespace cairn::namenode
