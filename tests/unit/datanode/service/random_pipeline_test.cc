// A writer that goes on through random failures of its nodes, or leaves: what was acknowledged is
// never lost, and whatever can be read are bytes that it wrote.
#include <gmock/gmock.h>

#include <algorithm>
#include <optional>
#include <random>

#include "datanode/pipeline/block_recovery.h"
#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

constexpr BlockId kId = 77;
constexpr uint64_t kLimit = 8 << 20;

class RandomPipelineTest : public PipelineTest, public testing::WithParamInterface<int> {
 protected:
  RandomPipelineTest() : random_(static_cast<uint32_t>(GetParam())) {
    TestNode::Options options;
    options.receiver.alive_ms = 50;
    options.receiver.stall_ms = 5'000;
    Start(5, options);
    bytes_ = BytesOf(static_cast<uint64_t>(GetParam()), 300'000 + Random(500'000));
  }

  uint64_t Random(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  std::vector<const TestNode*> BehindFirst(const std::vector<size_t>& pipeline) {
    std::vector<const TestNode*> behind;
    for (size_t i = 1; i < pipeline.size(); ++i) behind.push_back(nodes_[pipeline[i]].get());
    return behind;
  }

  void Create() {
    pipeline_ = {0, 1, 2};
    std::shuffle(pipeline_.begin(), pipeline_.end(), random_);
    writer_ = std::make_unique<TestWriter>(*nodes_[pipeline_[0]]);
    writer_->Open({kId, generation_, kLimit}, BehindFirst(pipeline_));
    ASSERT_EQ(writer_->ReadCodes(), std::vector<int>(3, 0));
  }

  // Something happens to a node of the pipeline, and is over soon.
  void Harm() {
    TestNode& node = *nodes_[pipeline_[Random(pipeline_.size())]];
    switch (Random(4)) {
      case 0:
        node.Restart();
        break;
      case 1:  // its streams are cut
        node.transfers().FenceWrites(kId, stamp_ + 1'000).IgnoreError();
        break;
      case 2:
        FailOnce(node, FaultOp::kWrite, ENOSPC);
        break;
      default:  // while a packet is on its way
        harm_ = std::thread([&node] { node.Restart(); });
    }
  }
  static void FailOnce(TestNode& node, FaultOp which, int error) {
    const auto left = std::make_shared<std::atomic<int>>(1);
    node.env().SetHook([=](FaultOp op, const std::string& path) {
      if (op != which || left->fetch_sub(1) != 1) return absl::OkStatus();
      return ErrnoStatus(path, error);
    });
  }
  void EndHarm() {
    if (harm_.joinable()) harm_.join();
    for (const auto& node : nodes_) node->env().SetHook(nullptr);
  }

  // The first node with an error, by place; nullopt when all is well.
  std::optional<size_t> Culprit(const v1::WriteAck& ack) const {
    for (size_t i = 0; i < pipeline_.size(); ++i) {
      if (static_cast<int>(i) >= ack.nodes_size()) return 0;  // the stream has ended
      if (ack.nodes(static_cast<int>(i)).code() != 0) return i;
    }
    return std::nullopt;
  }

  // Goes on with those that are left and others. HDFS's recovery, as a client does it.
  void Recover(size_t culprit) {
    EndHarm();
    std::vector<size_t> survivors = pipeline_;
    survivors.erase(survivors.begin() + static_cast<ptrdiff_t>(culprit));
    for (int tries = 0; tries < 20; ++tries) {
      // A node that was left out may be taken back once nobody else is left.
      if (survivors.empty()) survivors = pipeline_;
      const GenerationStamp stamp = ++stamp_;
      std::vector<size_t> nodes = survivors;
      if (nodes.size() < 2) {
        const size_t newcomer = NotIn(pipeline_);
        const absl::Status sent =
            TestCaller(*nodes_[nodes[0]])
                .TransferBlock({kId, generation_, acked_}, {nodes_[newcomer]->Address()});
        if (!sent.ok()) continue;
        nodes.push_back(newcomer);
      }
      auto writer = std::make_unique<TestWriter>(*nodes_[nodes[0]]);
      writer->Open({kId, stamp, kLimit}, BehindFirst(nodes),
                   {.stage = v1::WriteHeader::RECOVER,
                    .from_generation = generation_,
                    .from_length = acked_});
      pipeline_.swap(nodes);
      const auto bad = Culprit(writer->ReadAck());
      if (!bad) {
        generation_ = stamp;  // UpdatePipeline
        writer_ = std::move(writer);
        seq_ = 0;
        return;
      }
      pipeline_.swap(nodes);
      const size_t wrong = nodes[*bad];
      survivors.erase(std::remove(survivors.begin(), survivors.end(), wrong), survivors.end());
    }
    FAIL() << "no pipeline after 20 tries";
  }
  size_t NotIn(const std::vector<size_t>& nodes) {
    while (true) {
      const size_t node = Random(nodes_.size());
      if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) return node;
    }
  }

  // Sends what follows the acknowledged bytes, until it is acknowledged.
  void WriteTo(uint64_t end, bool sync, bool last) {
    while (!HasFatalFailure()) {
      const uint64_t from = acked_ / kChunkBytes * kChunkBytes;
      v1::WritePacket packet =
          TestWriter::Packet(++seq_, from, bytes_.substr(from, end - from), last);
      packet.set_sync(sync);
      if (OneIn(8)) Harm();
      writer_->Send(packet);
      const v1::WriteAck ack = writer_->ReadAck();
      const auto culprit = Culprit(ack);
      if (culprit) {
        Recover(*culprit);
        continue;
      }
      EndHarm();
      for (const v1::NodeAck& node : ack.nodes()) {
        if (sync || last) EXPECT_EQ(node.durable_length(), end);
      }
      acked_ = end;
      return;
    }
  }

  // A node of the pipeline that a reader reaches has all that was acknowledged, and no other bytes.
  void ReadSomewhere() {
    TestCaller caller(*nodes_[pipeline_[Random(pipeline_.size())]]);
    const auto replica = caller.GetReplica({kId, generation_, 0});
    if (!replica.ok()) return;  // it was harmed since: the next packet will find out
    EXPECT_GE(replica->block().length(), acked_);
    const auto read = caller.Read({kId, generation_, acked_}, 0, 0);
    EXPECT_TRUE(read.status.ok()) << read.status;
    EXPECT_GE(read.bytes.size(), acked_);
    EXPECT_TRUE(read.bytes == bytes_.substr(0, read.bytes.size()));
  }

  // The writer is gone: its pipeline's members settle the block.
  void Settle() {
    writer_.reset();
    RecoveryOrder order{.block = {kId, generation_, 0}, .recovery = ++stamp_, .members = {}};
    for (const size_t node : pipeline_) order.members.push_back(nodes_[node]->AsTarget());
    const auto result = RecoverBlock(order, &nodes_[pipeline_.back()]->peers());
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GE(result->block.length, acked_);
    ASSERT_EQ(result->storages.empty(), result->block.length == 0);
    for (const StorageNumber storage : result->storages) {
      ReplicaStore& store = nodes_[storage / 10 - 1]->store();
      const auto got = Get(store, {kId, result->block.generation, 0});
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_TRUE(*got == bytes_.substr(0, result->block.length));
    }
  }

  std::mt19937 random_;
  std::string bytes_;
  std::vector<size_t> pipeline_;  // as journaled
  GenerationStamp generation_ = 1;
  GenerationStamp stamp_ = 1;  // the highest given out
  uint64_t acked_ = 0;
  uint64_t seq_ = 0;
  std::unique_ptr<TestWriter> writer_;
  std::thread harm_;
};

TEST_P(RandomPipelineTest, NothingAcknowledgedIsLost) {
  Create();
  const bool completes = OneIn(2);
  const uint64_t enough = completes ? bytes_.size() : Random(bytes_.size());
  while (acked_ < enough && !HasFatalFailure()) {
    const uint64_t end = std::min(bytes_.size(), acked_ + 1 + Random(OneIn(3) ? 5'000 : 150'000));
    WriteTo(end, OneIn(5), completes && end == bytes_.size());
    if (acked_ < enough && OneIn(3)) ReadSomewhere();
  }
  ASSERT_FALSE(HasFatalFailure());
  if (completes) {
    for (const size_t node : pipeline_) {
      nodes_[node]->CutPower();
      EXPECT_TRUE(*Get(nodes_[node]->store(), {kId, generation_, 0}) == bytes_);
    }
  } else {
    Settle();
  }
  writer_.reset();
  ExpectAllIdle();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPipelineTest, testing::Range(1, 13));

}  // namespace
}  // namespace cairn::datanode
