#include "datanode/scrubber/directory_scan.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/datanode/scrubber/scan_fixture.h"

namespace cairn::datanode {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr int64_t kInterval = 60'000;

class DirectoryScanTest : public ScanTest {
 protected:
  void SetUp() override {
    store_ = Open();
    scan_ = std::make_unique<DirectoryScan>(kInterval, 0, "/d0", store_.get(), &clock_, &metrics_,
                                            &stop_);
    ASSERT_TRUE(scan_->RunOnce().ok());
  }
  void ScanNow() {
    clock_.AdvanceMs(kInterval);
    ASSERT_TRUE(scan_->RunOnce().ok());
  }

  std::unique_ptr<DirectoryScan> scan_;
};

TEST_F(DirectoryScanTest, SettlesWhatDiffers) {
  for (BlockId id = 1; id <= 5; ++id) PutReplica(id, 10'000);
  const std::string data = *env_.ReadFile(DataOf(5));
  const std::string checksums = *env_.ReadFile(ChecksumsOf(5));
  ASSERT_TRUE(store_->Delete({5, 1, 0}).ok());
  observer_.Take();
  ASSERT_TRUE(env_.Remove(DataOf(1)).ok());
  WriteByHand(env_, DataOf(2), "short");
  WriteByHand(env_, DataOf(5), data);
  WriteByHand(env_, ChecksumsOf(5), checksums);
  WriteByHand(env_, DataOf(6), data);

  clock_.AdvanceMs(kInterval - 1);
  ASSERT_TRUE(scan_->RunOnce().ok());
  EXPECT_THAT(observer_.Take(), IsEmpty());  // not before its time
  clock_.AdvanceMs(1);
  ASSERT_TRUE(scan_->RunOnce().ok());
  EXPECT_THAT(observer_.Take(), UnorderedElementsAre("deleted 1/1", "bad 2/1", "received 5/1"));
  EXPECT_EQ(Counted("vanished_total"), 1);
  EXPECT_EQ(Counted("bad_total"), 1);
  EXPECT_EQ(Counted("added_total"), 1);
  EXPECT_EQ(Gauged("left_alone_files"), 1);
  EXPECT_TRUE(*env_.Exists(DataOf(6)));
  EXPECT_TRUE(Same(Get(*store_, {5, 1, 0}), data));

  // Settled is settled; what is left alone is told again.
  ScanNow();
  EXPECT_THAT(observer_.Take(), IsEmpty());
  EXPECT_EQ(Gauged("left_alone_files"), 1);
  ASSERT_TRUE(env_.Remove(DataOf(6)).ok());
  ScanNow();
  EXPECT_EQ(Gauged("left_alone_files"), 0);
}

TEST_F(DirectoryScanTest, ManyReplicasTakeSeveralRuns) {
  constexpr BlockId kCount = 2'600;
  for (BlockId id = 1; id <= kCount; ++id) PutReplica(id, 1);
  observer_.Take();
  for (const BlockId id : {BlockId{3}, kCount}) {
    const std::string folder =
        "/d0/current/finalized/subdir0/subdir" + std::to_string(id / 256 % 32);
    ASSERT_TRUE(env_.Remove(folder + "/blk_" + std::to_string(id)).ok());
  }
  ScanNow();
  EXPECT_EQ(Counted("vanished_total"), 1);
  ASSERT_TRUE(scan_->RunOnce().ok());
  EXPECT_EQ(Counted("vanished_total"), 2);
}

TEST_F(DirectoryScanTest, GoesOnAfterAnError) {
  PutReplica(1, 10);
  ASSERT_TRUE(env_.Remove(DataOf(1)).ok());
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kList ? ErrnoStatus(path, EMFILE) : absl::OkStatus();
  });
  clock_.AdvanceMs(kInterval);
  EXPECT_TRUE(absl::IsResourceExhausted(scan_->RunOnce()));
  EXPECT_EQ(Counted("vanished_total"), 0);
  env_.SetHook({});
  EXPECT_TRUE(scan_->RunOnce().ok());
  EXPECT_EQ(Counted("vanished_total"), 1);
}

TEST_F(DirectoryScanTest, AStopIsHeeded) {
  PutReplica(1, 10);
  ASSERT_TRUE(env_.Remove(DataOf(1)).ok());
  stop_.store(true);
  ScanNow();
  EXPECT_EQ(Counted("vanished_total"), 0);
}

}  // namespace
}  // namespace cairn::datanode
