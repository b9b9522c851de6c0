#include "datanode/pipeline/open_transfers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "common/metrics.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {
namespace {

using Kind = OpenTransfers::Kind;
using Reason = OpenTransfers::Reason;
using Wait = OpenTransfers::Ticket::Wait;

class OpenTransfersTest : public testing::Test {
 protected:
  std::unique_ptr<OpenTransfers::Ticket> Admit(Kind kind, const Block& block) {
    auto ticket = transfers_.Admit(kind, block, [this](Reason) { ++cancelled_; });
    return ticket.ok() ? *std::move(ticket) : nullptr;
  }

  Metrics metrics_;
  OpenTransfers transfers_{{.memory_bytes = 3 * kMaxPacketBytes}, &metrics_};
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

TEST_F(OpenTransfersTest, CountsErrorsByKindAndBytesByDirection) {
  auto read = Admit(Kind::kRead, {1, 1, 0});
  auto write = Admit(Kind::kWrite, {2, 1, 0});
  read->Done(absl::OkStatus(), 100);
  write->Done(absl::OkStatus(), 7);
  write->Done(absl::InternalError("EIO"), 3);
  write->Done(absl::DataLossError("damaged"), 0);
  read->Done(WithKind(absl::DataLossError("bad chunk"), ErrorKind::kChecksum), 11);
  write->Done(absl::UnavailableError("another node"), 0);
  write->Done(absl::AlreadyExistsError(""), 0);
  const TransferLoad load = transfers_.load();
  EXPECT_EQ(load.bytes_read, 111u);
  EXPECT_EQ(load.bytes_written, 10u);
  EXPECT_EQ(load.errors, 4u);
  EXPECT_EQ(load.disk_errors, 1u);
  EXPECT_EQ(load.checksum_errors, 2u);
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

TEST_F(OpenTransfersTest, ARecoveryCancelsOlderWritesAlone) {
  auto read = Admit(Kind::kRead, {1, 1, 0});
  auto older = Admit(Kind::kWrite, {1, 2, 0});
  auto newer = Admit(Kind::kWrite, {});
  newer->SetBlock({1, 3, 0});  // known only after its header came
  EXPECT_TRUE(transfers_.FenceWrites(2, 9).ok());
  EXPECT_EQ(KindOf(transfers_.FenceWrites(1, 2)), ErrorKind::kStaleReplica);
  EXPECT_EQ(cancelled_, 0);
  EXPECT_TRUE(transfers_.FenceWrites(1, 3).ok());
  EXPECT_EQ(cancelled_, 1);
  EXPECT_TRUE(transfers_.FenceWrites(1, 4).ok());
  EXPECT_EQ(cancelled_, 3);
}

TEST_F(OpenTransfersTest, WaitsUntilAllStreamsHaveEnded) {
  EXPECT_TRUE(transfers_.WaitUntilNone(0));
  auto read = Admit(Kind::kRead, {1, 1, 0});
  EXPECT_FALSE(transfers_.WaitUntilNone(5));
  std::thread ends([&] { read.reset(); });
  EXPECT_TRUE(transfers_.WaitUntilNone(20'000));
  ends.join();
}

TEST(IdleTransfers, AreEndedOnceForEachSilence) {
  Metrics metrics;
  OpenTransfers transfers({.writer_silence_ms = 10'000, .reader_idle_ms = 10'000}, &metrics);
  std::atomic<int> silent = 0;
  std::atomic<int> others = 0;
  const auto admit = [&](Kind kind, std::atomic<int>* counter) {
    return *transfers.Admit(kind, {1, 1, 0}, [counter](Reason reason) {
      EXPECT_EQ(reason, Reason::kIdle);
      ++*counter;
    });
  };
  const auto writer = admit(Kind::kWrite, &silent);
  const auto reader = admit(Kind::kRead, &silent);
  const auto at_work = admit(Kind::kWrite, &others);
  const auto busy = admit(Kind::kWrite, &others);
  const Wait writer_waits(writer.get(), Wait::kReceive);
  const Wait reader_waits(reader.get(), Wait::kSend);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (silent < 2 && std::chrono::steady_clock::now() < deadline) {
    const Wait wait(busy.get(), Wait::kReceive);  // its peer sends and sends
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(silent, 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(400));  // some more looks
  EXPECT_EQ(silent, 2);
  EXPECT_EQ(others, 0);
}

}  // namespace
}  // namespace cairn::datanode
