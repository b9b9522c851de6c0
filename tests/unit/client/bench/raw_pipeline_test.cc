#include "client/bench/raw_pipeline.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>

#include "client/bench/raw_packet.h"
#include "tests/support/cluster.h"

namespace cairn::bench {
namespace {

bool Never() { return false; }

TEST(RawPacketTest, EveryFlippedBitOfAChunkIsNoticed) {
  std::string payload(2 * kChunkBytes + 100, 'x');
  const PacketHead head = HeadOf(1'000'000, payload, /*last=*/true);
  EXPECT_EQ(CheckPacket(head, payload), absl::OkStatus());
  for (const size_t at : {size_t{0}, size_t{5000}, payload.size() - 1}) {
    payload[at] ^= 4;
    const absl::Status status = CheckPacket(head, payload);
    EXPECT_EQ(KindOf(status), ErrorKind::kChecksum) << at;
    payload[at] ^= 4;
  }
}

class RawPipelineTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  testing::TempDir dir_;
  const Content content_;
  Progress progress_;
};

TEST_P(RawPipelineTest, EveryHopHasTheFile) {
  auto pipeline = RawPipeline::Open(dir_.path(), 3, GetParam());
  ASSERT_TRUE(pipeline.ok()) << pipeline.status();
  for (uint64_t file = 0; file < 2; ++file) {  // the same files again
    const auto measured = (*pipeline)->Run(content_, file, Never, &progress_);
    ASSERT_TRUE(measured.ok()) << measured.status();
    EXPECT_GT(measured->seconds, 0);
    EXPECT_EQ((*pipeline)->Verify(content_, file, Never), absl::OkStatus());
    EXPECT_TRUE(absl::IsDataLoss((*pipeline)->Verify(content_, file + 1, Never)));
  }
  EXPECT_EQ(progress_.done, 2 * GetParam());
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));  // its files have no names
}

INSTANTIATE_TEST_SUITE_P(Sizes, RawPipelineTest,
                         ::testing::Values(1, 4096, 100'000, 1 << 20, (3 << 20) + 17));

TEST_F(RawPipelineTest, ACorruptedByteFailsTheHopThatGetsIt) {
  auto link = RawSocket::Pair(Never);
  ASSERT_TRUE(link.ok()) << link.status();
  auto file = RawFile::Create(dir_.path(), 10'000, /*direct=*/true);
  ASSERT_TRUE(file.ok()) << file.status();
  absl::Status hop;
  std::thread running([&] { hop = RunHop(&link->second, nullptr, file->get()); });
  std::string payload(content_.Piece(0, 0, 10'000));
  const PacketHead head = HeadOf(0, payload, /*last=*/true);
  payload[9'999] ^= 1;
  EXPECT_EQ(SendPacket(&link->first, head, payload), absl::OkStatus());
  running.join();
  EXPECT_EQ(KindOf(hop), ErrorKind::kChecksum) << hop;
}

TEST_F(RawPipelineTest, StopsWhenTold) {
  auto pipeline = RawPipeline::Open(dir_.path(), 2, 64 << 20);
  ASSERT_TRUE(pipeline.ok()) << pipeline.status();
  // Calls ask only when they had to wait, so a run may well have ended before.
  const auto measured = (*pipeline)->Run(
      content_, 0, [] { return true; }, &progress_);
  EXPECT_TRUE(measured.ok() || absl::IsCancelled(measured.status())) << measured.status();
  EXPECT_TRUE(absl::IsCancelled((*pipeline)->Verify(content_, 0, [] { return true; })));
}

TEST_F(RawPipelineTest, NeedsItsFolder) {
  EXPECT_TRUE(absl::IsNotFound(RawPipeline::Open(dir_ / "none", 1, 10).status()));
}

TEST(RawSocketTest, SaysThatTheOtherEndHasClosed) {
  auto link = RawSocket::Pair(Never);
  ASSERT_TRUE(link.ok()) << link.status();
  link->first.Shutdown();
  char byte = 0;
  EXPECT_TRUE(absl::IsUnavailable(link->second.Receive({&byte, 1})));
}

TEST(RawSocketTest, WaitingEndsWhenStopped) {
  auto link = RawSocket::Pair([] { return true; });
  ASSERT_TRUE(link.ok()) << link.status();
  char byte = 0;
  EXPECT_TRUE(absl::IsCancelled(link->second.Receive({&byte, 1})));
}

}  // namespace
}  // namespace cairn::bench
