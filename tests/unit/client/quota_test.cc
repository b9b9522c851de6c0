// SetQuota, GetContentSummary and Concat as calls, and writes that a quota stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;

constexpr uint64_t kBlock = 128 << 10;

class QuotaTest : public ::testing::Test {
 protected:
  static absl::Status Exceeded() {
    return WithKind(absl::ResourceExhaustedError("the quota of /d is 5 bytes"),
                    ErrorKind::kQuotaExceeded);
  }

  FakeCluster cluster_{3};
  std::unique_ptr<FileSystem> fs_ = cluster_.Connect();
};

TEST_F(QuotaTest, SetLeaveAndRemove) {
  ASSERT_TRUE(fs_->SetQuota("/d", {.names = 10, .space = 0}).ok());
  auto summary = fs_->GetContentSummary("/d");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->name_quota, 10u);
  EXPECT_EQ(summary->space_quota, 0u);
  EXPECT_EQ(summary->names_used(), 1u);
  ASSERT_TRUE(fs_->SetQuota("/d", {.names = std::optional<uint64_t>()}).ok());
  summary = fs_->GetContentSummary("/d");
  EXPECT_EQ(summary->name_quota, std::nullopt);
  EXPECT_EQ(summary->space_quota, 0u) << "left as it was";
}

TEST_F(QuotaTest, ALostAnswerSetsItOnce) {
  cluster_.namenode().LoseAnswer("SetQuota", 1);
  ASSERT_TRUE(fs_->SetQuota("/d", {.names = 10}).ok());
  EXPECT_EQ(cluster_.namenode().calls("SetQuota").size(), 2u);
  EXPECT_EQ(cluster_.namenode().runs("SetQuota"), 1);
}

TEST_F(QuotaTest, ConcatJoinsOnce) {
  std::string content;
  for (const char* path : {"/a", "/b", "/c"}) {
    const std::string bytes = Bytes(kBlock);
    auto out = fs_->Create(path, {.block_size = kBlock});
    ASSERT_TRUE(out.ok()) << out.status();
    ASSERT_TRUE((*out)->Write(bytes).ok());
    ASSERT_TRUE((*out)->Close().ok());
    content += bytes;
  }
  cluster_.namenode().LoseAnswer("Concat", 1);
  ASSERT_TRUE(fs_->Concat("/a", {"/b", "/c"}).ok());
  EXPECT_EQ(cluster_.namenode().runs("Concat"), 1);
  EXPECT_EQ(cluster_.namenode().file().path, "/a");
  EXPECT_TRUE(cluster_.Stored() == content);
  EXPECT_TRUE(absl::IsNotFound(fs_->Concat("/a", {"/b"})));
}

TEST_F(QuotaTest, ARefusedCreateIsToldAtOnce) {
  cluster_.namenode().Refuse("Create", 1, Exceeded());
  const absl::Status status = fs_->Create("/d/f", {.publish = true}).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kQuotaExceeded);
  EXPECT_EQ(MessageOf(status), "the quota of /d is 5 bytes");
  EXPECT_EQ(cluster_.namenode().calls("Create").size(), 1u) << "asking again would not help";
}

TEST_F(QuotaTest, ARefusedBlockEndsTheFile) {
  auto out = fs_->Create("/d/f", {.block_size = kBlock, .publish = true});
  ASSERT_TRUE(out.ok()) << out.status();
  cluster_.namenode().Refuse("AddBlock", 1, Exceeded());
  absl::Status status = (*out)->Write(Bytes(2 * kBlock));
  if (status.ok()) status = (*out)->Close();
  EXPECT_EQ(KindOf(status), ErrorKind::kQuotaExceeded) << status;
  out->reset();
  EXPECT_EQ(cluster_.namenode().calls("AddBlock").size(), 1u);
  EXPECT_TRUE(cluster_.namenode().files().empty());
}

}  // namespace
}  // namespace cairn
