#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "common/env.h"
#include "tests/unit/common/temp_dir.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EnvPosixTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> MustOpen(const std::string& name, OpenMode mode) {
    auto file = env_->Open(dir_ / name, mode);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  std::string Read(File& file, uint64_t offset, size_t size) {
    std::string out(size, '\0');
    out.resize(*file.ReadAt(offset, {out.data(), out.size()}));
    return out;
  }

  TempDir dir_;
  const std::unique_ptr<Env> env_ = NewPosixEnv();
};

TEST_F(EnvPosixTest, WritesAndReadsAtOffsets) {
  const auto file = MustOpen("f", OpenMode::kCreate);
  ASSERT_TRUE(file->WriteAt(0, "hello").ok());
  ASSERT_TRUE(file->WriteAt(10, "world").ok());
  EXPECT_EQ(*file->Size(), 15u);
  EXPECT_EQ(Read(*file, 0, 100), std::string("hello\0\0\0\0\0world", 15));
  EXPECT_EQ(Read(*file, 12, 2), "rl");
  EXPECT_EQ(Read(*file, 15, 4), "");
  EXPECT_TRUE(file->Sync().ok());
  file->StartWriteback(0, 15);
  ASSERT_TRUE(file->Truncate(5).ok());
  EXPECT_EQ(Read(*file, 0, 100), "hello");
  EXPECT_GE(file->fd(), 0);
}

TEST_F(EnvPosixTest, WritesManyPiecesInOrder) {
  const auto file = MustOpen("f", OpenMode::kTruncate);
  std::vector<std::string> texts;
  std::string expected = "..";
  for (int i = 0; i < 300; ++i) {
    texts.push_back(std::string(static_cast<size_t>(i % 5), static_cast<char>('a' + i % 26)));
    expected += texts.back();
  }
  const std::vector<std::string_view> pieces(texts.begin(), texts.end());
  ASSERT_TRUE(file->WriteAt(0, "..").ok());
  ASSERT_TRUE(file->WriteVAt(2, pieces).ok());
  EXPECT_EQ(Read(*file, 0, 2 * expected.size()), expected);
  EXPECT_TRUE(file->WriteVAt(0, {}).ok());
}

TEST_F(EnvPosixTest, OpenModes) {
  EXPECT_TRUE(absl::IsNotFound(env_->Open(dir_ / "f", OpenMode::kRead).status()));
  EXPECT_TRUE(absl::IsNotFound(env_->Open(dir_ / "f", OpenMode::kReadWrite).status()));
  ASSERT_TRUE(MustOpen("f", OpenMode::kCreate)->WriteAt(0, "abc").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(env_->Open(dir_ / "f", OpenMode::kCreate).status()));
  EXPECT_EQ(*MustOpen("f", OpenMode::kReadWrite)->Size(), 3u);
  EXPECT_FALSE(MustOpen("f", OpenMode::kRead)->WriteAt(0, "x").ok());
  EXPECT_EQ(*MustOpen("f", OpenMode::kTruncate)->Size(), 0u);
}

TEST_F(EnvPosixTest, Preallocate) {
  const auto file = MustOpen("f", OpenMode::kCreate);
  ASSERT_TRUE(file->Preallocate(1 << 20, /*keep_size=*/true).ok());
  EXPECT_EQ(*file->Size(), 0u);
  ASSERT_TRUE(file->WriteAt(0, "abc").ok());
  ASSERT_TRUE(file->Preallocate(4096, /*keep_size=*/false).ok());
  EXPECT_EQ(*file->Size(), 4096u);
  EXPECT_EQ(Read(*file, 0, 3), "abc");
  ASSERT_TRUE(file->Preallocate(100, /*keep_size=*/false).ok());
  EXPECT_EQ(*file->Size(), 4096u);
  EXPECT_TRUE(file->Preallocate(0, false).ok());
}

// On the disk that holds the build, which is more likely to have direct writes than /tmp.
TEST_F(EnvPosixTest, DirectWritesPassThePageCache) {
  std::string dir = std::filesystem::current_path().string() + "/env_posix_test-XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr) << dir;
  const std::string path = dir + "/f";
  EXPECT_TRUE(absl::IsNotFound(env_->Open(path, OpenMode::kDirect).status()));
  const auto file = *env_->Open(path, OpenMode::kTruncate);
  const auto direct = env_->Open(path, OpenMode::kDirect);
  if (direct.ok()) {
    ASSERT_TRUE(file->Preallocate(1 << 20, /*keep_size=*/true).ok());
    ASSERT_TRUE(file->WriteAt(0, std::string(kDirectAlignment, 'a')).ok());
    alignas(kDirectAlignment) static std::array<char, 3 * kDirectAlignment> pages;
    pages.fill('b');
    ASSERT_TRUE((*direct)->WriteAt(kDirectAlignment, {pages.data(), pages.size()}).ok());
    EXPECT_EQ(*file->Size(), 4 * kDirectAlignment);
    ASSERT_TRUE(file->WriteAt(4 * kDirectAlignment, "tail").ok());
    EXPECT_TRUE(file->Sync().ok());
    EXPECT_EQ(Read(*file, 0, 1 << 20),
              std::string(kDirectAlignment, 'a') + std::string(3 * kDirectAlignment, 'b') + "tail");
  }
  std::filesystem::remove_all(dir);
  if (absl::IsUnimplemented(direct.status())) {
    GTEST_SKIP() << "no direct writes on the file system of " << dir;
  }
  EXPECT_TRUE(direct.ok()) << direct.status();
}

TEST_F(EnvPosixTest, MemoryHasNoDirectWrites) {
  struct statfs info;
  if (statfs("/dev/shm", &info) != 0 || info.f_type != TMPFS_MAGIC) GTEST_SKIP() << "no tmpfs here";
  std::string dir = "/dev/shm/cairn-test-XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  ASSERT_TRUE(env_->Open(dir + "/f", OpenMode::kTruncate).ok());
  EXPECT_TRUE(absl::IsUnimplemented(env_->Open(dir + "/f", OpenMode::kDirect).status()));
  std::filesystem::remove_all(dir);
}

TEST_F(EnvPosixTest, WholeFilesAreReplacedAtomically) {
  const std::string path = dir_ / "VERSION";
  ASSERT_TRUE(env_->WriteFileAtomically(path, "one").ok());
  const auto old = MustOpen("VERSION", OpenMode::kRead);
  ASSERT_TRUE(env_->WriteFileAtomically(path, std::string(100'000, 'x')).ok());
  EXPECT_EQ(Read(*old, 0, 10), "one");  // whoever had it open keeps the old one
  EXPECT_EQ(*env_->ReadFile(path), std::string(100'000, 'x'));
  EXPECT_THAT(*env_->List(dir_.path()), ElementsAre("VERSION"));  // nothing left over
  EXPECT_FALSE(env_->WriteFileAtomically(dir_ / "no/f", "x").ok());
  ASSERT_TRUE(env_->CreateDirs(dir_ / "d").ok());
  EXPECT_FALSE(env_->WriteFileAtomically(dir_ / "d", "x").ok());
  EXPECT_THAT(*env_->List(dir_.path()), ElementsAre("VERSION", "d"));
}

TEST_F(EnvPosixTest, Directories) {
  ASSERT_TRUE(env_->CreateDirs(dir_ / "a/b/c").ok());
  ASSERT_TRUE(env_->CreateDirs(dir_ / "a/b/c").ok());
  ASSERT_TRUE(env_->CreateDirs(dir_ / "a/b/d/").ok());
  MustOpen("a/z", OpenMode::kCreate);
  EXPECT_THAT(*env_->List(dir_ / "a"), ElementsAre("b", "z"));
  EXPECT_TRUE(env_->SyncDir(dir_ / "a").ok());
  EXPECT_THAT(std::string(MessageOf(env_->CreateDirs(dir_ / "a/z"))), HasSubstr("Not a directory"));
  EXPECT_THAT(std::string(MessageOf(env_->RemoveDir(dir_ / "a"))),
              HasSubstr("Directory not empty"));
  EXPECT_TRUE(env_->Remove(dir_ / "a/z").ok());
  EXPECT_TRUE(absl::IsNotFound(env_->Remove(dir_ / "a/z")));
  EXPECT_TRUE(env_->RemoveDir(dir_ / "a/b/c").ok());
  EXPECT_TRUE(absl::IsNotFound(env_->List(dir_ / "x").status()));
  EXPECT_TRUE(*env_->Exists(dir_ / "a/b"));
  EXPECT_FALSE(*env_->Exists(dir_ / "a/x"));
  ASSERT_TRUE(env_->Rename(dir_ / "a/b", dir_ / "moved").ok());
  EXPECT_TRUE(*env_->Exists(dir_ / "moved/d"));
  EXPECT_TRUE(absl::IsNotFound(env_->Rename(dir_ / "a/b", dir_ / "moved2")));
}

TEST_F(EnvPosixTest, RelativePaths) {
  ASSERT_EQ(chdir(dir_.path().c_str()), 0);
  EXPECT_TRUE(env_->CreateDirs("rel/dir").ok());
  EXPECT_TRUE(env_->WriteFileAtomically("file", "x").ok());
  EXPECT_TRUE(*env_->Exists(dir_ / "rel/dir"));
  ASSERT_EQ(chdir("/"), 0);
}

TEST_F(EnvPosixTest, Space) {
  const auto space = env_->Space(dir_.path());
  ASSERT_TRUE(space.ok());
  EXPECT_GT(space->capacity_bytes, 0u);
  EXPECT_LE(space->free_bytes, space->capacity_bytes);
  EXPECT_FALSE(env_->Space(dir_ / "none").ok());
}

TEST_F(EnvPosixTest, ALockHoldsOnce) {
  const std::string path = dir_ / "in_use.lock";
  auto lock = env_->Lock(path);
  ASSERT_TRUE(lock.ok());
  const absl::Status second = env_->Lock(path).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(std::string(MessageOf(second)), HasSubstr("pid " + std::to_string(getpid())));

  const pid_t child = fork();  // another process is refused too
  ASSERT_GE(child, 0);
  if (child == 0) _exit(absl::IsFailedPrecondition(env_->Lock(path).status()) ? 0 : 1);
  int child_status = 0;
  ASSERT_EQ(waitpid(child, &child_status, 0), child);
  EXPECT_EQ(child_status, 0);

  lock->reset();
  EXPECT_TRUE(env_->Lock(path).ok());
}

TEST_F(EnvPosixTest, FullDisksAreToldApart) {
  const auto full = env_->Open("/dev/full", OpenMode::kReadWrite);
  if (!full.ok()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ(KindOf((*full)->WriteAt(0, "x")), ErrorKind::kNoSpace);
}

}  // namespace
}  // namespace cairn
