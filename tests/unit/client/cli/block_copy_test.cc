// What get does with several blocks at once, from a file in memory.
#include "client/cli/block_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>

#include "common/status.h"
#include "tests/support/cluster.h"

namespace cairn::cli {
namespace {

using testing::ReadWholeFile;
using testing::TempDir;

constexpr uint64_t kBlock = 64 << 10;

std::string Bytes(uint64_t count) {
  std::string bytes(count, '\0');
  for (uint64_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 131 + i / 257);
  return bytes;
}

// What all streams of a file share.
struct Served {
  std::string bytes;
  FileStatus status;
  uint64_t fails_from = UINT64_MAX;
  std::atomic<int> streams{0};
  std::atomic<uint64_t> read{0};
};

class MemoryStream final : public InputStream {
 public:
  explicit MemoryStream(Served* served) : served_(served) { ++served->streams; }

  absl::StatusOr<size_t> Read(std::span<char> out) override {
    ASSIGN_OR_RETURN(const size_t count, PRead(at_, out));
    at_ += count;
    return count;
  }
  absl::StatusOr<size_t> PRead(uint64_t offset, std::span<char> out) override {
    if (offset >= served_->fails_from) return absl::UnavailableError("no replica answers");
    if (offset >= served_->bytes.size()) return size_t{0};
    // As a stream that does not cross the borders of packets.
    const size_t count = std::string_view(served_->bytes)
                             .substr(offset)
                             .copy(out.data(), std::min<size_t>(out.size(), 10'000));
    served_->read += count;
    return count;
  }
  absl::Status PReadV(std::span<ReadRange>) override { return absl::UnimplementedError("unused"); }
  absl::Status Seek(uint64_t offset) override {
    at_ = offset;
    return absl::OkStatus();
  }
  std::unique_ptr<InputStream> Clone() override { return std::make_unique<MemoryStream>(served_); }
  uint64_t position() const override { return at_; }
  uint64_t length() const override { return served_->bytes.size(); }
  const FileStatus& status() const override { return served_->status; }
  void Close() override {}

 private:
  Served* const served_;
  uint64_t at_ = 0;
};

class BlockCopyTest : public ::testing::Test {
 protected:
  BlockCopyTest() {
    served_.bytes = Bytes(9 * kBlock + 1'234);
    served_.status.block_size = kBlock;
  }
  BlockCopyResult Copy(uint64_t offset, uint64_t length, LocalTarget& target) {
    return CopyBlocks(context_, in_, offset, length, target, &progress_);
  }

  TempDir dir_;
  TerminationSignals signals_;
  ClientConfig config_;
  Interrupt interrupt_{signals_};
  Console console_;
  Output out_{STDOUT_FILENO};
  Context context_{"get", config_, interrupt_, console_, out_};
  Progress progress_;
  Served served_;
  MemoryStream in_{&served_};
};

TEST_F(BlockCopyTest, EveryRangeComesToItsPlace) {
  const uint64_t size = served_.bytes.size();
  uint64_t moved = 0;
  for (const auto& [offset, length] :
       std::vector<std::pair<uint64_t, uint64_t>>{{0, size},
                                                  {0, 1},
                                                  {size - 1, 1},
                                                  {kBlock - 1, 2},
                                                  {kBlock, kBlock},
                                                  {kBlock / 2, 5 * kBlock},
                                                  {3 * kBlock + 5, size - 3 * kBlock - 5},
                                                  {7, 0}}) {
    auto target = LocalTarget::Create(dir_ / "f", {.overwrite = true});
    ASSERT_TRUE(target.ok()) << target.status();
    const BlockCopyResult result = Copy(offset, length, **target);
    ASSERT_TRUE(result.read.ok()) << result.read;
    ASSERT_TRUE(result.write.ok()) << result.write;
    ASSERT_TRUE((*target)->Commit().ok());
    EXPECT_TRUE(ReadWholeFile(dir_ / "f") == served_.bytes.substr(offset, length))
        << offset << " " << length;
    moved += length;
    EXPECT_EQ(progress_.Read(0).done_bytes, moved);
  }
  EXPECT_EQ(served_.read, moved);  // nothing twice
}

TEST_F(BlockCopyTest, FourBlocksHaveStreamsOfTheirOwn) {
  auto target = LocalTarget::Create(dir_ / "f", {});
  ASSERT_TRUE(target.ok());
  ASSERT_TRUE(Copy(0, served_.bytes.size(), **target).read.ok());
  EXPECT_EQ(served_.streams, 1 + 4);
  auto small = LocalTarget::Create(dir_ / "g", {});
  ASSERT_TRUE(small.ok());
  ASSERT_TRUE(Copy(0, kBlock, **small).read.ok());
  EXPECT_EQ(served_.streams, 1 + 4 + 1);
}

TEST_F(BlockCopyTest, TheFirstFailureEndsItForAll) {
  for (const uint64_t from : {uint64_t{0}, 5 * kBlock + 17}) {
    served_.fails_from = from;
    auto target = LocalTarget::Create(dir_ / "f", {});
    ASSERT_TRUE(target.ok());
    const BlockCopyResult result = Copy(0, served_.bytes.size(), **target);
    EXPECT_EQ(result.read.message(), "no replica answers");
    EXPECT_TRUE(result.write.ok());
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "f"));
}

TEST_F(BlockCopyTest, AFullDiskIsTheTargetsFailure) {
  auto target = LocalTarget::Create("/dev/full", {});
  ASSERT_TRUE(target.ok());
  const BlockCopyResult result = Copy(0, served_.bytes.size(), **target);
  EXPECT_TRUE(result.read.ok()) << result.read;
  EXPECT_FALSE(result.write.ok());
}

}  // namespace
}  // namespace cairn::cli
