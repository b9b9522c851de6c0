#include "datanode/pipeline/open_transfers.h"

#include <gtest/gtest.h>

#include "common/metrics.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {
namespace {

using Kind = OpenTransfers::Kind;

class OpenTransfersTest : public testing::Test {
 protected:
  std::unique_ptr<OpenTransfers::Ticket> Admit(Kind kind, const Block& block) {
    auto ticket = transfers_.Admit(kind, block, [this] { ++cancelled_; });
    return ticket.ok() ? *std::move(ticket) : nullptr;
  }

  Metrics metrics_;
  OpenTransfers transfers_{3 * kMaxPacketBytes, &metrics_};
  int cancelled_ = 0;
};

TEST_F(OpenTransfersTest, BoundsTheStreams) {
  auto a = Admit(Kind::kRead, {1, 1, 0});
  auto b = Admit(Kind::kWrite, {2, 1, 0});
  auto c = Admit(Kind::kWrite, {3, 1, 0});
  EXPECT_EQ(Admit(Kind::kRead, {4, 1, 0}), nullptr);
  EXPECT_EQ(transfers_.load().active_reads, 1u);
  EXPECT_EQ(transfers_.load().active_writes, 2u);
  b.reset();
  EXPECT_NE(Admit(Kind::kRead, {4, 1, 0}), nullptr);
  EXPECT_EQ(transfers_.load().read_requests, 3u);
}

TEST_F(OpenTransfersTest, CountsErrorsOfThisNodeAlone) {
  auto ticket = Admit(Kind::kRead, {1, 1, 0});
  ticket->Done(absl::OkStatus(), 100);
  ticket->Done(absl::CancelledError(""), 0);
  ticket->Done(absl::NotFoundError(""), 0);
  EXPECT_EQ(transfers_.load().errors, 0u);
  ticket->Done(absl::InternalError(""), 0);
  EXPECT_EQ(transfers_.load().errors, 1u);
}

TEST_F(OpenTransfersTest, CancelsTheWritesOfAReplica) {
  auto read = Admit(Kind::kRead, {1, 1, 0});
  auto write = Admit(Kind::kWrite, {1, 1, 0});
  transfers_.CancelWrites({1, 2, 0});
  transfers_.CancelWrites({2, 1, 0});
  EXPECT_EQ(cancelled_, 0);
  transfers_.CancelWrites({1, 1, 0});
  EXPECT_EQ(cancelled_, 1);
  transfers_.Stop();
  EXPECT_EQ(cancelled_, 3);
  read.reset();
  EXPECT_EQ(Admit(Kind::kRead, {1, 1, 0}), nullptr);
}

}  // namespace
}  // namespace cairn::datanode
