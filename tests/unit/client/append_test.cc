// Append, Truncate, RecoverLease and Checksum.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

#include "common/crc32c.h"
#include "common/status.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using ::testing::ElementsAre;
using testing::FakeCluster;
using ::testing::HasSubstr;

constexpr uint64_t kBlock = 128 << 10;

class AppendTest : public ::testing::Test {
 protected:
  void Put(uint64_t size) {
    bytes_ = Bytes(size);
    const absl::Status status = cluster_.Write(*fs_, "/f", bytes_, {.block_size = kBlock});
    ASSERT_TRUE(status.ok()) << status;
  }
  std::unique_ptr<OutputStream> Open() {
    auto out = fs_->Append("/f", {});
    EXPECT_TRUE(out.ok()) << out.status();
    return *std::move(out);
  }
  void Add(OutputStream& out, uint64_t count) {
    const std::string more = Bytes(count);
    bytes_ += more;
    const absl::Status status = out.Write(more);
    ASSERT_TRUE(status.ok()) << status;
  }
  void ExpectStored() {
    EXPECT_TRUE(cluster_.namenode().file().closed);
    EXPECT_TRUE(cluster_.Stored() == bytes_);
  }

  FakeCluster cluster_{4};
  std::unique_ptr<FileSystem> fs_ = cluster_.Connect();
  std::string bytes_;
};

TEST_F(AppendTest, GoesOnAtEveryPlaceOfABlock) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{4095}, uint64_t{4096},
                              uint64_t{50'001}, kBlock - 1, kBlock, kBlock + 1}) {
    for (const uint64_t more : {uint64_t{1}, uint64_t{4096}, kBlock, kBlock + 77}) {
      FakeCluster cluster(3);
      const auto fs = cluster.Connect();
      const std::string bytes = Bytes(size);
      ASSERT_TRUE(cluster.Write(*fs, "/f", bytes, {.block_size = kBlock}).ok());
      auto out = fs->Append("/f", {});
      ASSERT_TRUE(out.ok()) << out.status();
      EXPECT_EQ((*out)->length(), size);
      const std::string added = Bytes(more);
      const absl::Status status = (*out)->Write(added);
      ASSERT_TRUE(status.ok()) << size << " + " << more << ": " << status;
      ASSERT_TRUE((*out)->Close().ok());
      EXPECT_EQ((*out)->length(), size + more);
      EXPECT_TRUE(cluster.namenode().file().closed);
      EXPECT_TRUE(cluster.Stored() == bytes + added) << size << " + " << more;
    }
  }
}

TEST_F(AppendTest, ItsNodesTakeAStampAndStayTheSame) {
  Put(10'000);
  const auto out = Open();
  Add(*out, 5);
  ASSERT_TRUE(out->HFlush().ok());
  EXPECT_EQ(cluster_.namenode().runs("UpdatePipeline"), 1);
  EXPECT_EQ(cluster_.datanode(0).recoveries(), 1);
  EXPECT_EQ(cluster_.datanode(0).headers().back().from_length(), 10'000u);
  Add(*out, 5);
  ASSERT_TRUE(out->Close().ok());
  ExpectStored();
  EXPECT_THAT(cluster_.namenode().file().blocks[0].storages(), ElementsAre(10, 20, 30));
}

TEST_F(AppendTest, AddingNothingChangesNothing) {
  Put(10'000);
  auto out = Open();
  ASSERT_TRUE(out->Write("").ok());
  ASSERT_TRUE(out->HFlush().ok());
  ASSERT_TRUE(out->HSync().ok());
  ASSERT_TRUE(out->Close().ok());
  ExpectStored();
  EXPECT_EQ(cluster_.namenode().runs("NewStamp"), 0);
  EXPECT_EQ(cluster_.datanode(0).setups(), 1);
}

TEST_F(AppendTest, ALostNodeIsReplacedBeforeTheFirstByte) {
  Put(10'000);
  cluster_.datanode(1).SetFaults({.lost_replicas = true});
  const auto out = Open();
  Add(*out, 5);
  ASSERT_TRUE(out->Close().ok());
  ExpectStored();
  EXPECT_THAT(cluster_.namenode().file().blocks[0].storages(), ElementsAre(10, 30, 40));
}

TEST_F(AppendTest, TheLastChunkIsReadWhereItIsGood) {
  Put(10'000);
  cluster_.datanode(0).SetFaults({.corrupt_reads = true});
  cluster_.datanode(1).SetFaults({.die_after_read_packets = 0});
  const auto out = Open();
  Add(*out, 5);
  ASSERT_TRUE(out->Close().ok());
  ExpectStored();
  EXPECT_EQ(cluster_.datanode(0).verifies(), 1);
}

TEST_F(AppendTest, ALastChunkThatCannotBeReadIsAnError) {
  Put(10'000);
  for (int i = 0; i < 3; ++i) cluster_.datanode(i).SetFaults({.corrupt_reads = true});
  const auto out = Open();
  const absl::Status status = out->Write("x");
  EXPECT_EQ(KindOf(status), ErrorKind::kChecksum) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("cannot read the end of block"));
}

TEST_F(AppendTest, AnAbandonedOneIsSettledByTheNameNode) {
  Put(10'000);
  {
    const auto out = Open();
    Add(*out, 5);
    ASSERT_TRUE(out->HFlush().ok());
  }
  EXPECT_EQ(cluster_.namenode().runs("AbandonFile"), 1);
  EXPECT_TRUE(cluster_.namenode().file().closed);
}

TEST_F(AppendTest, ALostAnswerIsNotNoticed) {
  Put(10'000);
  cluster_.namenode().LoseAnswer("Append", 1);
  const auto out = Open();
  Add(*out, 5);
  ASSERT_TRUE(out->Close().ok());
  ExpectStored();
  EXPECT_EQ(cluster_.namenode().runs("Append"), 1);
}

TEST_F(AppendTest, WaitsForARecoveryButNotForAWriter) {
  Put(10);
  cluster_.namenode().Refuse("Append", 2,
                             WithKind(absl::UnavailableError("the file's blocks are being settled"),
                                      ErrorKind::kRecoveryInProgress));
  const auto out = Open();
  EXPECT_EQ(cluster_.namenode().calls("Append").size(), 3u);
  EXPECT_EQ(KindOf(fs_->Append("/f", {}).status()), ErrorKind::kBeingWritten);
  EXPECT_EQ(cluster_.namenode().calls("Append").size(), 4u);
  EXPECT_TRUE(absl::IsNotFound(fs_->Append("/nothing", {}).status()));
}

TEST_F(AppendTest, TruncateWaitsUntilTheFileIsClosed) {
  Put(kBlock + 10);
  ASSERT_TRUE(fs_->Truncate("/f", kBlock).ok());
  EXPECT_EQ(cluster_.namenode().calls("GetFileInfo").size(), 0u);
  cluster_.namenode().SetTruncateCalls(3);
  ASSERT_TRUE(fs_->Truncate("/f", 5).ok());
  EXPECT_EQ(cluster_.namenode().calls("GetFileInfo").size(), 3u);
  EXPECT_EQ(cluster_.namenode().calls("Truncate").size(), 2u);
  EXPECT_EQ(fs_->GetFileInfo("/f")->length, 5u);
}

TEST_F(AppendTest, AFileThatIsRemovedWhileItIsCutWasCut) {
  Put(kBlock + 10);
  cluster_.namenode().SetTruncateCalls(3);
  cluster_.namenode().RemoveFilesBeforeNextLook();
  const absl::Status cut = fs_->Truncate("/f", 5);
  EXPECT_TRUE(cut.ok()) << cut;
  EXPECT_TRUE(absl::IsNotFound(fs_->Truncate("/f", 5)));
}

TEST_F(AppendTest, RecoverLeaseTellsWhetherTheFileIsClosed) {
  Put(10);
  const auto out = Open();
  EXPECT_FALSE(fs_->RecoverLease("/f").value());
  EXPECT_TRUE(fs_->RecoverLease("/f").value());
}

TEST_F(AppendTest, AChecksumIsThatOfTheBytesHoweverTheyAreCut) {
  Put(3 * kBlock + 4097);
  auto checksum = fs_->Checksum("/f");
  ASSERT_TRUE(checksum.ok()) << checksum.status();
  EXPECT_EQ(checksum->crc32c, Crc32c(bytes_));
  EXPECT_EQ(checksum->length, bytes_.size());
  // From wherever a replica is.
  cluster_.datanode(0).SetFaults({.lost_replicas = true});
  cluster_.datanode(1).Stop();
  checksum = fs_->Checksum("/f");
  ASSERT_TRUE(checksum.ok()) << checksum.status();
  EXPECT_EQ(checksum->crc32c, Crc32c(bytes_));
  cluster_.datanode(2).SetFaults({.lost_replicas = true});
  EXPECT_FALSE(fs_->Checksum("/f").ok());
}

TEST_F(AppendTest, AnEmptyFileHasAChecksum) {
  Put(0);
  const auto checksum = fs_->Checksum("/f");
  ASSERT_TRUE(checksum.ok()) << checksum.status();
  EXPECT_EQ(checksum->crc32c, 0u);
  EXPECT_EQ(checksum->length, 0u);
}

}  // namespace
}  // namespace cairn
