// Reads, verification and copies over gRPC.
#include <gmock/gmock.h>

#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using testing::HasSubstr;

constexpr Block kBlock{.id = 9, .generation = 2, .length = 8 << 20};
const std::string kData = "/d0/current/finalized/subdir0/subdir0/blk_9";

class ReadTest : public PipelineTest {
 protected:
  using Result = TestCaller::ReadResult;
  Result Read(const Block& block, uint64_t offset, uint64_t length) {
    return TestCaller(*nodes_[0]).Read({block.id, block.generation, 0}, offset, length);
  }
  absl::StatusOr<bool> Verify(const Block& block) {
    const auto reply = TestCaller(*nodes_[0]).VerifyBlock({block.id, block.generation, 0});
    if (!reply.ok()) return reply.status();
    return reply->good();
  }
};

TEST_F(ReadTest, RangesComeInWholeChunks) {
  Start(1);
  const std::string bytes = BytesOf(1, (2 << 20) + 5'000);
  ASSERT_TRUE(Put(nodes_[0]->store(), kBlock, bytes).ok());
  struct {
    uint64_t offset, length, start, end;
  } const cases[] = {{0, 0, 0, bytes.size()},
                     {0, 1, 0, 4096},
                     {5'000, 10, 4096, 8192},
                     {4095, 2, 0, 8192},
                     {(2 << 20) + 4'999, 1, (2 << 20) + 4096, bytes.size()},
                     {1 << 20, 999'999'999, 1 << 20, bytes.size()}};
  for (const auto& c : cases) {
    const Result result = Read(kBlock, c.offset, c.length);
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.offset, c.start);
    EXPECT_EQ(result.replica_length, bytes.size());
    EXPECT_TRUE(result.bytes == bytes.substr(c.start, c.end - c.start));
  }
  EXPECT_TRUE(Read(kBlock, bytes.size(), 0).status.ok());
  EXPECT_TRUE(absl::IsOutOfRange(Read(kBlock, bytes.size() + 1, 0).status));
  EXPECT_TRUE(Read({9, 1, 0}, 0, 0).status.ok());  // as good or better
  EXPECT_EQ(KindOf(Read({9, 3, 0}, 0, 0).status), ErrorKind::kStaleReplica);
  EXPECT_TRUE(absl::IsNotFound(Read({10, 2, 0}, 0, 0).status));
}

TEST_F(ReadTest, VerificationFindsTheBadReplica) {
  Start(1);
  ASSERT_TRUE(Put(nodes_[0]->store(), kBlock, BytesOf(1, 10'000)).ok());
  EXPECT_TRUE(*Verify(kBlock));
  EXPECT_EQ(KindOf(Verify({9, 3, 0}).status()), ErrorKind::kStaleReplica);
  nodes_[0]->env().Flip(kData, 100, 1);
  EXPECT_FALSE(*Verify(kBlock));
  EXPECT_EQ(KindOf(Read(kBlock, 0, 0).status), ErrorKind::kChecksum);
}

TEST_F(ReadTest, AReadThatMeetsACutFileHasItMarked) {
  Start(1);
  ASSERT_TRUE(Put(nodes_[0]->store(), kBlock, BytesOf(1, 10'000)).ok());
  auto file = nodes_[0]->env().Open(kData, OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->Truncate(5'000).ok());
  EXPECT_EQ(KindOf(Read(kBlock, 0, 0).status), ErrorKind::kChecksum);
  EXPECT_EQ(nodes_[0]->store().BadReplicas().size(), 1u);
}

TEST_F(ReadTest, CopiesToOthers) {
  Start(3);
  for (const size_t size : {0, 1, 4096, 12 << 20}) {
    const Block block{.id = 100 + size, .generation = 2, .length = 16 << 20};
    const std::string bytes = BytesOf(size, size);
    ASSERT_TRUE(Put(nodes_[0]->store(), block, bytes).ok());
    const absl::Status sent = nodes_[0]->Sender().Copy(
        {block.id, block.generation, 0}, {nodes_[1]->AsTarget(), nodes_[2]->AsTarget()});
    EXPECT_TRUE(sent.ok()) << sent;
    EXPECT_TRUE(*Get(nodes_[1]->store(), block) == bytes);
    EXPECT_TRUE(*Get(nodes_[2]->store(), block) == bytes);
  }
  ExpectAllIdle();
}

TEST_F(ReadTest, ACopySaysWhatWentWrong) {
  Start(3);
  ASSERT_TRUE(Put(nodes_[0]->store(), kBlock, BytesOf(1, 3 << 20)).ok());
  const auto copy = [&](const Block& block, std::vector<Target> targets) {
    return nodes_[0]->Sender().Copy(block, std::move(targets));
  };
  EXPECT_TRUE(absl::IsNotFound(copy({8, 2, 0}, {nodes_[1]->AsTarget()})));
  EXPECT_TRUE(absl::IsInvalidArgument(copy({9, 2, 0}, {})));
  nodes_[2]->Kill();
  EXPECT_TRUE(absl::IsUnavailable(copy({9, 2, 0}, {nodes_[2]->AsTarget()})));
  const absl::Status behind = copy({9, 2, 0}, {nodes_[1]->AsTarget(), nodes_[2]->AsTarget()});
  EXPECT_THAT(MessageOf(behind), HasSubstr(nodes_[2]->address()));
  EXPECT_TRUE(Eventually([&] { return nodes_[1]->IsIdle(); }));
}

TEST_F(ReadTest, ABadSourceIsFoundByItsCopyAndNotSpread) {
  Start(2);
  ASSERT_TRUE(Put(nodes_[0]->store(), kBlock, BytesOf(1, 3 << 20)).ok());
  nodes_[0]->env().Flip(kData, (2 << 20) + 1, 1);
  const absl::Status sent = nodes_[0]->Sender().Copy({9, 2, 0}, {nodes_[1]->AsTarget()});
  EXPECT_EQ(KindOf(sent), ErrorKind::kChecksum) << sent;
  EXPECT_EQ(nodes_[0]->store().BadReplicas().size(), 1u);
  EXPECT_TRUE(Eventually([&] { return nodes_[1]->IsIdle(); }));
  EXPECT_TRUE(nodes_[1]->store().Replicas(0).empty());
}

}  // namespace
}  // namespace cairn::datanode
