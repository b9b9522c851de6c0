#include "datanode/scrubber/replica_scan.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "datanode/scrubber/scan_progress.h"
#include "tests/unit/datanode/scrubber/scan_fixture.h"

namespace cairn::datanode {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// With what it costs to find one, two of these are 1 MiB.
constexpr size_t kHalf = (512 - 64) << 10;
constexpr uint64_t kTwoPerSecond = 1 << 20;
constexpr char kScanFile[] = "/d0/current/scan";

class ReplicaScanTest : public ScanTest {
 protected:
  void SetUp() override { store_ = Open(); }
  void PutHalves(BlockId count) {
    for (BlockId id = 1; id <= count; ++id) PutReplica(id, kHalf);
    observer_.Take();
  }
  void StartScan(int64_t period_ms, uint64_t rate = kTwoPerSecond) {
    scan_ = std::make_unique<ReplicaScan>(ReplicaScan::Options{period_ms, rate}, 0, "/d0",
                                          store_.get(), &clock_, &metrics_, &stop_);
    ASSERT_TRUE(scan_->RunOnce().ok());
  }
  // The node ends, in good order or not, and starts again after a while.
  void Restart(int64_t period_ms, bool in_order = true, int64_t after_ms = 0) {
    if (in_order) ASSERT_TRUE(scan_->SaveProgress().ok());
    scan_.reset();
    store_.reset();
    env_.Crash();
    clock_.AdvanceMs(after_ms);
    store_ = Open();
    StartScan(period_ms);
  }
  void Seconds(int count) {
    for (int i = 0; i < count; ++i) {
      clock_.AdvanceMs(1'000);
      ASSERT_TRUE(scan_->RunOnce().ok());
    }
  }
  double Replicas() { return Counted("replicas_total"); }
  // The blocks whose data is opened from now on, in this order.
  void RecordOpens(std::vector<std::string>* opened) {
    env_.SetHook([opened](FaultOp op, const std::string& path) {
      const std::string name = path.substr(path.rfind('/') + 1);
      const bool data = name.starts_with("blk_") && !name.ends_with(".meta");
      if (op == FaultOp::kOpen && data) opened->push_back(name);
      return absl::OkStatus();
    });
  }

  std::unique_ptr<ReplicaScan> scan_;
};

TEST_F(ReplicaScanTest, ReadsEachReplicaOnceInAPeriodAtTheRate) {
  PutHalves(10);
  StartScan(100'000);
  EXPECT_EQ(Replicas(), 0);
  for (int second = 1; second <= 5; ++second) {
    Seconds(1);
    EXPECT_EQ(Replicas(), 2 * second);
    EXPECT_EQ(Gauged("rate_bytes"), second < 5 ? kTwoPerSecond : Gauged("rate_bytes"));
  }
  Seconds(1);
  EXPECT_EQ(Gauged("rate_bytes"), 0);
  EXPECT_GT(Gauged("last_pass_seconds"), 4);
  EXPECT_LT(Gauged("last_pass_seconds"), 7);
  EXPECT_EQ(Counted("bytes_total"), 10 * kHalf);
  Seconds(93);
  EXPECT_EQ(Replicas(), 10);  // the next pass begins a period after this one
  Seconds(7);
  EXPECT_EQ(Replicas(), 20);
  EXPECT_EQ(Counted("bad_total"), 0);
  EXPECT_THAT(observer_.Take(), IsEmpty());
}

TEST_F(ReplicaScanTest, APauseIsNotMadeUpForInOneBreath) {
  PutHalves(20);
  StartScan(10'000'000);
  clock_.AdvanceMs(60'000);
  ASSERT_TRUE(scan_->RunOnce().ok());
  EXPECT_EQ(Replicas(), 4);
}

TEST_F(ReplicaScanTest, ALargeReplicaTakesSeveralSlices) {
  PutReplica(1, 5 << 20);
  StartScan(100'000);
  Seconds(2);
  EXPECT_EQ(Replicas(), 0);
  EXPECT_GE(Counted("bytes_total"), 1 << 20);
  EXPECT_LE(Counted("bytes_total"), 3 << 20);
  Seconds(5);
  EXPECT_EQ(Replicas(), 1);
  EXPECT_EQ(Counted("bytes_total"), 5 << 20);
}

TEST_F(ReplicaScanTest, KeepsItsPeriodByReadingFaster) {
  PutHalves(40);
  StartScan(100'000, /*rate=*/4096);
  Seconds(50);
  EXPECT_GT(Gauged("rate_bytes"), 200 << 10);
  EXPECT_LT(Gauged("rate_bytes"), 220 << 10);
  EXPECT_GT(Replicas(), 18);
  EXPECT_LT(Replicas(), 22);  // and not faster than it has to
  Seconds(49);
  EXPECT_EQ(Replicas(), 40);
}

TEST_F(ReplicaScanTest, TheOneVerifiedLongestAgoComesFirst) {
  for (const BlockId id : {7, 3, 200, 5}) PutReplica(id, 100);
  StartScan(100'000);
  std::vector<std::string> opened;
  RecordOpens(&opened);
  Seconds(2);
  EXPECT_THAT(opened, ElementsAre("blk_3", "blk_5", "blk_7", "blk_200"));
  Seconds(99);
  EXPECT_THAT(opened, ElementsAre("blk_3", "blk_5", "blk_7", "blk_200", "blk_3", "blk_5", "blk_7",
                                  "blk_200"));
}

TEST_F(ReplicaScanTest, GoesOnWhereItWasAfterARestart) {
  PutHalves(10);
  StartScan(100'000);
  Seconds(2);
  EXPECT_EQ(Replicas(), 4);
  std::vector<std::string> opened;
  Restart(100'000);
  RecordOpens(&opened);
  Seconds(4);
  EXPECT_EQ(Replicas(), 10);
  EXPECT_EQ(opened.front(), "blk_5");
  // Nothing is due before the period is over, restarted or not.
  Restart(100'000);
  Seconds(90);
  EXPECT_EQ(Replicas(), 10);
  Seconds(10);
  EXPECT_EQ(Replicas(), 20);
}

TEST_F(ReplicaScanTest, KeepsHowFarItIsNowAndThen) {
  for (BlockId id = 1; id <= 200; ++id) PutReplica(id, kHalf);
  StartScan(1'000'000);
  const uint64_t before = env_.changes();
  Seconds(59);
  EXPECT_EQ(env_.changes(), before);  // not for each replica
  Seconds(1);
  EXPECT_GT(env_.changes(), before);
  Seconds(10);
  EXPECT_EQ(Replicas(), 140);
  std::vector<std::string> opened;
  Restart(1'000'000, /*in_order=*/false);
  RecordOpens(&opened);
  Seconds(1);
  EXPECT_EQ(opened.front(), "blk_121");
}

TEST_F(ReplicaScanTest, AFileThatIsTornOrGoneOnlyMeansReadingAgain) {
  PutHalves(4);
  StartScan(100'000);
  Seconds(3);
  EXPECT_EQ(Replicas(), 4);
  const std::string progress = *env_.ReadFile(kScanFile);
  double expected = 4;
  for (const std::string& found :
       {progress.substr(0, 20), std::string("nonsense"), std::string()}) {
    WriteByHand(env_, kScanFile, found);
    StartScan(100'000);
    Seconds(3);
    expected += 4;
    EXPECT_EQ(Replicas(), expected);
  }
  ASSERT_TRUE(env_.Remove(kScanFile).ok());
  StartScan(100'000);
  Seconds(3);
  EXPECT_EQ(Replicas(), expected + 4);
}

TEST_F(ReplicaScanTest, AWallClockThatWasSetBackHoldsNothingUp) {
  PutHalves(2);
  WriteByHand(env_, kScanFile,
              EncodeScanProgress({.began_ms = clock_.WallMs() + 900'000'000, .finished = true}));
  StartScan(100'000);
  Seconds(99);
  EXPECT_EQ(Replicas(), 0);
  Seconds(3);
  EXPECT_EQ(Replicas(), 2);
}

TEST_F(ReplicaScanTest, AfterALongTimeOffTheRestIsReadInATenthOfThePeriod) {
  PutHalves(40);
  WriteByHand(env_, kScanFile,
              EncodeScanProgress({.began_ms = clock_.WallMs() - 90'000'000, .done = 20}));
  StartScan(1'000'000, /*rate=*/4096);
  Seconds(50);
  EXPECT_GT(Replicas(), 8);
  EXPECT_LT(Replicas(), 12);
  Seconds(52);
  EXPECT_EQ(Replicas(), 20);
}

TEST_F(ReplicaScanTest, ABadReplicaIsMarkedAndTold) {
  PutHalves(6);
  env_.Flip(DataOf(2), 300'000, 0x04);
  WriteByHand(env_, DataOf(4), BytesOf(4, kHalf).substr(0, 100'000));
  StartScan(100'000);
  Seconds(4);
  EXPECT_EQ(Replicas(), 4);
  EXPECT_EQ(Counted("bad_total"), 2);
  EXPECT_THAT(observer_.Take(), ElementsAre("bad 2/1", "bad 4/1"));
  EXPECT_EQ(store_->BadReplicas().size(), 2u);
  Seconds(100);
  EXPECT_EQ(Replicas(), 8);  // what is known to be bad is not read again
  EXPECT_EQ(Counted("bad_total"), 2);
}

TEST_F(ReplicaScanTest, AFileThatIsGoneIsForgottenAndTold) {
  PutHalves(3);
  ASSERT_TRUE(env_.Remove(DataOf(2)).ok());
  StartScan(100'000);
  Seconds(2);
  EXPECT_EQ(Replicas(), 2);
  EXPECT_EQ(Counted("vanished_total"), 1);
  EXPECT_EQ(Counted("bad_total"), 0);
  EXPECT_THAT(observer_.Take(), ElementsAre("deleted 2/1"));
}

TEST_F(ReplicaScanTest, AReplicaThatCannotBeReadIsBad) {
  PutHalves(3);
  StartScan(100'000);
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kRead && path == DataOf(2) ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  Seconds(2);
  EXPECT_THAT(observer_.Take(), ElementsAre("bad 2/1"));
  EXPECT_FALSE(store_->Volumes()[0].failed);
}

TEST_F(ReplicaScanTest, ADiskThatDoesNotTakeTheMarkHasFailed) {
  PutHalves(6);
  env_.Flip(DataOf(2), 5, 0x04);
  StartScan(100'000);
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kRename ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  Seconds(2);
  EXPECT_TRUE(store_->Volumes()[0].failed);
  const double before = Replicas();
  Seconds(10);
  EXPECT_EQ(Replicas(), before);
  EXPECT_TRUE(scan_->SaveProgress().ok());  // there is nothing to write to
}

TEST_F(ReplicaScanTest, AFullDiskSaysNothingAgainstIt) {
  PutHalves(2);
  StartScan(100'000);
  env_.SetHook([](FaultOp op, const std::string& path) {
    const bool ours = path.find("/scan") != std::string::npos;
    return ours && op == FaultOp::kWrite ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  clock_.AdvanceMs(2'000);
  EXPECT_EQ(KindOf(scan_->RunOnce()), ErrorKind::kNoSpace);
  EXPECT_EQ(Replicas(), 2);
  EXPECT_FALSE(store_->Volumes()[0].failed);
  env_.SetHook({});
  EXPECT_TRUE(scan_->SaveProgress().ok());
  EXPECT_TRUE(DecodeScanProgress(*env_.ReadFile(kScanFile))->finished);
}

// Under the reader's hands, between two slices of it.
class ScannedReplicaTest : public ReplicaScanTest {
 protected:
  static constexpr uint64_t kLength = (4 << 20) + 1'000;
  static constexpr Block kBlock{.id = 1, .generation = 1, .length = kLength};

  void SetUp() override {
    store_ = Open();
    PutReplica(1, kLength);
    PutReplica(2, 100);
    StartScan(100'000);
    Seconds(2);
    ASSERT_GT(Counted("bytes_total"), 0);
    ASSERT_EQ(Replicas(), 0);
    observer_.Take();
  }
  void ExpectNothingBad() {
    Seconds(10);
    EXPECT_EQ(Counted("bad_total"), 0);
    EXPECT_EQ(Counted("vanished_total"), 0);
    EXPECT_THAT(store_->BadReplicas(), IsEmpty());
    EXPECT_THAT(observer_.Take(), Not(Contains(testing::StartsWith("bad"))));
    EXPECT_GE(Replicas(), 1);  // it went on
  }
};

TEST_F(ScannedReplicaTest, Deleted) {
  ASSERT_TRUE(store_->Delete(kBlock).ok());
  ExpectNothingBad();
  EXPECT_EQ(Replicas(), 1);
}

TEST_F(ScannedReplicaTest, AppendedTo) {
  const std::string bytes = BytesOf(1, kLength) + BytesOf(9, 100'000);
  auto writer = store_->Reopen({1, 2, bytes.size()}, 1, kLength);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(GrowTo(**writer, bytes, kLength + 5'000).ok());
  Seconds(2);
  ASSERT_TRUE(GrowTo(**writer, bytes, bytes.size()).ok());
  ASSERT_TRUE((*writer)->Finalize().ok());
  ExpectNothingBad();
}

TEST_F(ScannedReplicaTest, Truncated) {
  ASSERT_TRUE(store_->StartRecovery(kBlock, 2).ok());
  ASSERT_TRUE(store_->FinishRecovery({1, 1, 1'000'001}, 2).ok());
  ExpectNothingBad();
}

TEST_F(ScannedReplicaTest, Replaced) {
  ASSERT_TRUE(store_->Delete(kBlock).ok());
  ASSERT_TRUE(Put(*store_, {1, 3, kLength}, BytesOf(77, kLength)).ok());
  ExpectNothingBad();
}

TEST_F(ReplicaScanTest, AStopIsHeeded) {
  PutHalves(4);
  StartScan(100'000);
  stop_.store(true);
  Seconds(2);
  EXPECT_EQ(Replicas(), 0);
}

TEST_F(ReplicaScanTest, WaitsForAStoreThatHasJoinedNoCluster) {
  auto store = ReplicaStore::Open(&env_, OptionsFor({"/new"}));
  ASSERT_TRUE(store.ok());
  ReplicaScan scan({100'000, kTwoPerSecond}, 0, "/new", store->get(), &clock_, &metrics_, &stop_);
  EXPECT_TRUE(scan.RunOnce().ok());
  EXPECT_TRUE(scan.SaveProgress().ok());
  ASSERT_TRUE((*store)->AdoptCluster(kCluster).ok());
  EXPECT_TRUE(scan.RunOnce().ok());
  EXPECT_TRUE(DecodeScanProgress(*env_.ReadFile("/new/current/scan"))->finished);
}

}  // namespace
}  // namespace cairn::datanode
