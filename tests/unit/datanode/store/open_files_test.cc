// The bytes of an open replica, with either writer: whatever packets they come in, the file has
// them, what was acknowledged outlives the process, and what was synced a power cut.
#include "datanode/store/open_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include "datanode/store/checksum_file.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

constexpr BlockId kId = 7;
constexpr uint64_t kLimit = 1 << 20;

std::string NameOf(DiskWrites how) {
  return how == DiskWrites::kAuto ? "Auto" : how == DiskWrites::kDirect ? "Direct" : "Buffered";
}

// The same bytes in pieces that lie anywhere, as they come from the network.
absl::Cord InPieces(std::string_view bytes, uint32_t seed) {
  std::minstd_rand random(seed);
  absl::Cord cord;
  while (!bytes.empty()) {
    const size_t n = std::min<size_t>(bytes.size(), 1 + random() % 50'000);
    cord.Append(absl::Cord(ToAbsl(bytes.substr(0, n))));
    bytes.remove_prefix(n);
  }
  return cord;
}

// A replica that grows by random packets, in a folder of an Env.
class GrowingReplica {
 public:
  GrowingReplica(Env* env, std::string dir, DiskWrites how, uint32_t seed)
      : env_(env),
        dir_(std::move(dir)),
        writing_{.how = how, .buffers = &buffers_},
        random_(seed),
        bytes_(BytesOf(seed, kLimit)) {}

  absl::Status Create() {
    open_ = std::make_shared<OpenReplica>(OpenReplica::Extent{}, 0, ChecksumSlot{});
    ASSIGN_OR_RETURN(files_, OpenFiles::Create(env_, data(), checksums(), kId, open_, writing_));
    return absl::OkStatus();
  }
  // As an append or a pipeline's recovery does.
  absl::Status Reopen() {
    files_.reset();
    ASSIGN_OR_RETURN(files_, OpenFiles::Open(env_, data(), checksums(), open_, writing_));
    return absl::OkStatus();
  }
  // What a writer may do: stream, flush within a page, send again, sync, come back, be cut.
  absl::Status Step() {
    switch (random_() % 12) {
      case 0:
        return files_->Sync();
      case 1:
        return Reopen();
      case 2:
        return Cut();
      case 3:
      case 4:
        return Grow(1 + random_() % 3'000);
      case 5:
      case 6:
        return Grow(4096 * (1 + random_() % 20));
      default:
        return Grow(random_() % 2 == 0 ? 256 << 10 : 100'000 + random_() % 300'000);
    }
  }
  absl::Status Grow(uint64_t more) {
    const uint64_t length = acked();
    const uint64_t end = std::min(kLimit, length + more);
    const uint64_t back = std::min<uint64_t>(length / kChunkBytes, random_() % 3);
    const uint64_t offset = (length / kChunkBytes - back) * kChunkBytes;
    const std::string_view part = std::string_view(bytes_).substr(offset, end - offset);
    return files_->Append(offset, InPieces(part, static_cast<uint32_t>(random_())), CrcsOf(part),
                          kLimit);
  }
  absl::Status Cut() {
    if (acked() == 0) return absl::OkStatus();
    // What was cut comes again with other bytes.
    const uint64_t length = acked() - random_() % std::min<uint64_t>(acked(), 10'000);
    RETURN_IF_ERROR(files_->Cut(length));
    const std::string other = BytesOf(random_(), kLimit);
    bytes_.replace(length, std::string::npos, other.substr(length));
    return absl::OkStatus();
  }

  uint64_t acked() const { return open_->written().length; }
  uint64_t synced() const { return open_->durable().synced_length; }
  std::string_view bytes() const { return bytes_; }
  OpenFiles& files() { return *files_; }
  std::string data() const { return dir_ + "/blk_7"; }
  std::string checksums() const { return dir_ + "/blk_7_1.meta"; }
  std::string ReadData() { return ReadFrom(data(), kLimit + 1); }
  // Everything that was acknowledged is in the file, and proven by its checksums.
  void ExpectAcked(const std::string& what) {
    const std::string_view expected = bytes().substr(0, acked());
    ASSERT_TRUE(Same(ReadFrom(data(), acked()), expected)) << what;
    std::vector<uint32_t> crcs;
    DecodeChecksums(std::string_view(ReadFrom(checksums(), kLimit)).substr(kChecksumHeaderBytes),
                    &crcs);
    // Of a last chunk the file's may be that of a write which did not end.
    std::vector<uint32_t> right = CrcsOf(expected);
    ASSERT_GE(crcs.size(), right.size()) << what;
    right.resize(acked() / kChunkBytes);
    crcs.resize(right.size());
    ASSERT_TRUE(crcs == right) << what;
  }

 private:
  std::string ReadFrom(const std::string& path, uint64_t bytes) {
    std::string out(bytes, '\0');
    auto file = env_->Open(path, OpenMode::kRead);
    EXPECT_TRUE(file.ok()) << file.status();
    if (!file.ok()) return "";
    const auto n = (*file)->ReadAt(0, out);
    EXPECT_TRUE(n.ok()) << n.status();
    out.resize(n.value_or(0));
    return out;
  }

  Env* const env_;
  const std::string dir_;
  AlignedBuffers buffers_{2};
  const DataWriting writing_;
  std::mt19937 random_;
  std::string bytes_;
  std::shared_ptr<OpenReplica> open_;
  std::unique_ptr<OpenFiles> files_;
};

class OpenFilesTest : public testing::TestWithParam<DiskWrites> {
 protected:
  static std::unique_ptr<FaultEnv> NewEnv() {
    auto env = std::make_unique<FaultEnv>();
    EXPECT_TRUE(env->CreateDirs("/d").ok());
    return env;
  }
};

TEST_P(OpenFilesTest, TheFileHasWhatWasAcknowledged) {
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    const auto env = NewEnv();
    GrowingReplica replica(env.get(), "/d", GetParam(), seed);
    ASSERT_TRUE(replica.Create().ok());
    for (int step = 0; step < 25; ++step) {
      const std::string what = "seed " + std::to_string(seed) + ", step " + std::to_string(step);
      const absl::Status status = replica.Step();
      ASSERT_TRUE(status.ok()) << what << ": " << status;
      ASSERT_NO_FATAL_FAILURE(replica.ExpectAcked(what));
    }
    ASSERT_TRUE(replica.files().Trim().ok());
    ASSERT_TRUE(replica.files().SyncWhole().ok());
    EXPECT_TRUE(Same(replica.ReadData(), replica.bytes().substr(0, replica.acked())));
    if (GetParam() == DiskWrites::kBuffered) EXPECT_EQ(env->direct_writes(), 0u);
    if (GetParam() == DiskWrites::kDirect) EXPECT_GT(env->direct_writes(), 0u);
  }
}

// At every change: the process dies, or the power goes with any part of what was not synced kept.
TEST_P(OpenFilesTest, ACrashAtEveryWrite) {
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    bool cut_short = true;
    for (uint32_t cut = 0; cut_short; ++cut) {
      const std::string what = "seed " + std::to_string(seed) + ", cut " + std::to_string(cut);
      const auto env = NewEnv();
      GrowingReplica replica(env.get(), "/d", GetParam(), seed);
      ASSERT_TRUE(replica.Create().ok());
      ASSERT_TRUE(env->SyncDir("/d").ok());
      env->CutPowerAfter(cut);
      absl::Status status;
      for (int step = 0; step < 12 && status.ok(); ++step) status = replica.Step();
      cut_short = !status.ok();
      if (cut % 2 == 0) {
        env->Kill();
        ASSERT_NO_FATAL_FAILURE(replica.ExpectAcked(what));
      } else {
        env->Crash(seed * 1'000 + cut);
        ASSERT_TRUE(Same(replica.ReadData().substr(0, replica.synced()),
                         replica.bytes().substr(0, replica.synced())))
            << what;
      }
    }
  }
}

// A write that fails leaves the replica as it was; the writer that comes next goes on with it.
TEST_P(OpenFilesTest, AnErrorAtEveryWrite) {
  bool reached = true;
  for (int at = 0; reached; ++at) {
    const auto env = NewEnv();
    GrowingReplica replica(env.get(), "/d", GetParam(), 5);
    ASSERT_TRUE(replica.Create().ok());
    int left = at;
    env->SetHook([&](FaultOp op, const std::string& path) {
      return op == FaultOp::kWrite && left-- == 0 ? ErrnoStatus(path, EIO) : absl::OkStatus();
    });
    absl::Status status;
    for (int step = 0; step < 10 && status.ok(); ++step) status = replica.Step();
    env->SetHook({});
    reached = !status.ok();
    ASSERT_TRUE(replica.Reopen().ok());
    ASSERT_NO_FATAL_FAILURE(replica.ExpectAcked("at " + std::to_string(at)));
    ASSERT_TRUE(replica.Grow(300'000).ok());
    ASSERT_NO_FATAL_FAILURE(replica.ExpectAcked("after " + std::to_string(at)));
  }
}

TEST_P(OpenFilesTest, WithoutDirectWritesTheFileIsTheSame) {
  const auto env = NewEnv();
  env->SetDirect(false);
  GrowingReplica replica(env.get(), "/d", GetParam(), 1);
  ASSERT_TRUE(replica.Create().ok());
  for (int step = 0; step < 20; ++step) ASSERT_TRUE(replica.Step().ok());
  ASSERT_NO_FATAL_FAILURE(replica.ExpectAcked("at the end"));
  EXPECT_EQ(env->direct_writes(), 0u);
}

// Real files and the real page cache, read while they are written.
TEST_P(OpenFilesTest, RealFiles) {
  std::string dir = std::filesystem::current_path().string() + "/open_files_test-XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr) << dir;
  const auto env = NewPosixEnv();
  AlignedBuffers buffers(1);
  const absl::Status direct = TryDirectWrite(env.get(), dir + "/direct", &buffers);
  const bool skip = absl::IsUnimplemented(direct) && GetParam() != DiskWrites::kBuffered;
  if (!skip) EXPECT_TRUE(direct.ok() || absl::IsUnimplemented(direct)) << direct;
  for (uint32_t seed = 1; seed <= 6 && !skip; ++seed) {
    GrowingReplica replica(env.get(), dir, GetParam(), seed);
    ASSERT_TRUE(replica.Create().ok());
    for (int step = 0; step < 25; ++step) {
      const absl::Status status = replica.Step();
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_NO_FATAL_FAILURE(replica.ExpectAcked("step " + std::to_string(step)));
    }
    ASSERT_TRUE(replica.files().Trim().ok());
    ASSERT_TRUE(replica.files().SyncWhole().ok());
    EXPECT_TRUE(Same(replica.ReadData(), replica.bytes().substr(0, replica.acked())));
  }
  std::filesystem::remove_all(dir);
  if (skip) GTEST_SKIP() << "no direct writes on the file system of " << dir << ": " << direct;
}

INSTANTIATE_TEST_SUITE_P(Writers, OpenFilesTest,
                         testing::Values(DiskWrites::kAuto, DiskWrites::kDirect,
                                         DiskWrites::kBuffered),
                         [](const auto& info) { return NameOf(info.param); });

// --- which bytes go which way --------------------------------------------------------------------

class DataWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env_.CreateDirs("/d").ok());
    file_ = *env_.Open("/d/f", OpenMode::kTruncate);
  }
  std::unique_ptr<DataWriter> Make(DiskWrites how, bool fresh = true) {
    return MakeDataWriter(&env_, "/d/f", file_.get(), {.how = how, .buffers = &buffers_}, fresh);
  }
  // Appends `bytes`; returns how many direct writes that took.
  uint64_t Write(DataWriter& writer, uint64_t bytes) {
    const uint64_t before = env_.direct_writes();
    const std::string content(bytes, 'x');
    const absl::Status status = writer.Write(length_, absl::Cord(content));
    EXPECT_TRUE(status.ok()) << status;
    length_ += bytes;
    EXPECT_EQ(*file_->Size(), length_);
    return env_.direct_writes() - before;
  }

  FaultEnv env_;
  AlignedBuffers buffers_{1};
  std::unique_ptr<File> file_;
  uint64_t length_ = 0;
};

TEST_F(DataWriterTest, DirectWritesWholePagesOnly) {
  const auto writer = Make(DiskWrites::kDirect);
  EXPECT_EQ(Write(*writer, 100), 0u);            // within a page
  EXPECT_EQ(Write(*writer, 4096), 0u);           // the rest of that page, a part of the next one
  EXPECT_EQ(Write(*writer, 2 * 4096), 1u);       // one whole page between two parts
  EXPECT_EQ(Write(*writer, 4096 - 100), 0u);     // up to the border
  EXPECT_EQ(Write(*writer, 4096), 1u);           // exactly one
  EXPECT_EQ(Write(*writer, (1 << 20) + 1), 1u);  // one buffer's worth, and a byte
}

TEST_F(DataWriterTest, AutoWritesStreamsDirectly) {
  const auto writer = Make(DiskWrites::kAuto);
  EXPECT_EQ(Write(*writer, 64 << 10), 0u);  // the first packets are small
  EXPECT_EQ(Write(*writer, 256 << 10), 1u);
  EXPECT_EQ(Write(*writer, 3 << 20), 3u);
  EXPECT_EQ(Write(*writer, (1 << 20) + 5), 1u);  // its end, or a flush
  EXPECT_EQ(Write(*writer, (1 << 20) - 5), 0u);  // a flush
  EXPECT_EQ(Write(*writer, 1 << 20), 0u);
}

TEST_F(DataWriterTest, AutoAppendsThroughThePageCache) {
  const auto writer = Make(DiskWrites::kAuto, /*fresh=*/false);
  EXPECT_EQ(Write(*writer, 1 << 20), 0u);
}

TEST_F(DataWriterTest, ManyAtATimeGoThroughThePageCache) {
  const auto writer = Make(DiskWrites::kDirect);
  {
    const AlignedBuffers::Lease other = buffers_.Take();
    ASSERT_TRUE(other);
    EXPECT_FALSE(buffers_.Take());
    EXPECT_EQ(Write(*writer, 1 << 20), 0u);
  }
  EXPECT_EQ(Write(*writer, 1 << 20), 1u);
}

TEST_F(DataWriterTest, AFileThatDoesNotOpenAgainIsWrittenAllTheSame) {
  const auto writer = Make(DiskWrites::kDirect);
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kOpen ? ErrnoStatus(path, EMFILE) : absl::OkStatus();
  });
  EXPECT_EQ(Write(*writer, 1 << 20), 0u);
  env_.SetHook({});
  EXPECT_EQ(Write(*writer, 1 << 20), 0u);  // it stays so
}

TEST_F(DataWriterTest, ATryLeavesNothing) {
  EXPECT_TRUE(TryDirectWrite(&env_, "/d/try", &buffers_).ok());
  env_.SetDirect(false);
  EXPECT_TRUE(absl::IsUnimplemented(TryDirectWrite(&env_, "/d/try", &buffers_)));
  EXPECT_FALSE(*env_.Exists("/d/try"));
}

}  // namespace
}  // namespace cairn::datanode
