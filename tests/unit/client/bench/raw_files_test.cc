// The other baselines: sendfile, and small files in a folder.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "client/bench/raw_folder.h"
#include "client/bench/raw_sendfile.h"
#include "tests/support/cluster.h"

namespace cairn::bench {
namespace {

bool Never() { return false; }

TEST(RawSendfileTest, BringsTheFileAndChecksIt) {
  const testing::TempDir dir;
  const Content content;
  const uint64_t bytes = (5 << 20) + 123;
  auto raw = RawSendfile::Open(dir.path(), content, 2, bytes, /*direct=*/false, Never);
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));  // its file has no name
  Progress progress;
  for (int i = 0; i < 2; ++i) {
    const auto measured = (*raw)->Run(content.Crc(2, bytes), Never, &progress);
    ASSERT_TRUE(measured.ok()) << measured.status();
    EXPECT_GT(measured->seconds, 0);
  }
  const auto read = (*raw)->RunPread(content.Crc(2, bytes), Never, &progress);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(progress.done, 3 * bytes);
  for (const auto& wrong : {(*raw)->Run(content.Crc(3, bytes), Never, &progress),
                            (*raw)->RunPread(content.Crc(3, bytes), Never, &progress)}) {
    EXPECT_TRUE(absl::IsDataLoss(wrong.status())) << wrong.status();
  }
}

TEST(RawSendfileTest, ReadsPastThePageCache) {
  const testing::TempDir dir;
  const Content content;
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{4096}, uint64_t{(2 << 20) + 123}}) {
    auto raw = RawSendfile::Open(dir.path(), content, 2, bytes, /*direct=*/true, Never);
    ASSERT_TRUE(raw.ok()) << raw.status();
    Progress progress;
    const auto read = (*raw)->RunPread(content.Crc(2, bytes), Never, &progress);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(progress.done, bytes);
  }
}

TEST(RawFolderTest, PutsAndGetsFilesAndGoesWithThem) {
  const testing::TempDir dir;
  const Content content;
  {
    auto folder = RawFolder::Create(dir.path());
    ASSERT_TRUE(folder.ok()) << folder.status();
    EXPECT_EQ((*folder)->Put(content, 1, 100'000), absl::OkStatus());
    EXPECT_EQ((*folder)->Put(content, 2, (2 << 20) + 1), absl::OkStatus());
    EXPECT_EQ((*folder)->Get(content, 1, 100'000), absl::OkStatus());
    EXPECT_EQ((*folder)->Get(content, 2, (2 << 20) + 1), absl::OkStatus());
    EXPECT_TRUE(absl::IsDataLoss((*folder)->Get(content, 1, 99'999)));
    EXPECT_TRUE(absl::IsNotFound((*folder)->Get(content, 3, 100'000)));

    const std::string own = std::filesystem::directory_iterator(dir.path())->path();
    std::fstream(own + "/f1", std::ios::in | std::ios::out | std::ios::binary) << "?";
    EXPECT_TRUE(absl::IsDataLoss((*folder)->Get(content, 1, 100'000)));
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace cairn::bench
