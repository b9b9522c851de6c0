#include "client/cli/local_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/cluster.h"

namespace cairn::cli {
namespace {

using testing::ReadWholeFile;
using testing::TempDir;

size_t EntriesOf(const TempDir& dir) {
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    ++entries;
  }
  return entries;
}

void WriteText(const std::string& path, std::string_view text) { std::ofstream(path) << text; }

TEST(LocalSourceTest, ReadsAtAnyPlace) {
  TempDir dir;
  WriteText(dir / "a", "0123456789");
  const auto source = LocalSource::Open(dir / "a");
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->length(), 10u);
  char buffer[4];
  EXPECT_EQ((*source)->ReadAt(8, buffer).value(), 2u);
  EXPECT_EQ(std::string_view(buffer, 2), "89");
  EXPECT_EQ((*source)->ReadAt(3, buffer).value(), 4u);
  EXPECT_EQ(std::string_view(buffer, 4), "3456");
  EXPECT_EQ((*source)->ReadAt(10, buffer).value(), 0u);
  EXPECT_EQ((*source)->ReadAt(99, buffer).value(), 0u);
}

// As in `{ head -c 4; cairn put - /rest; } < file`, where head leaves the file at its fifth byte.
TEST(LocalSourceTest, StandardInputBeginsWhereItIs) {
  TempDir dir;
  WriteText(dir / "a", "0123456789");
  const int kept = dup(STDIN_FILENO);
  const int file = open((dir / "a").c_str(), O_RDONLY);
  ASSERT_GE(file, 0);
  ASSERT_EQ(lseek(file, 4, SEEK_SET), 4);
  ASSERT_EQ(dup2(file, STDIN_FILENO), STDIN_FILENO);
  close(file);
  const auto source = LocalSource::Open("-");
  if (kept >= 0) {
    dup2(kept, STDIN_FILENO);
    close(kept);
  }
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->length(), 6u);
}

TEST(LocalTargetTest, AppearsWholeAtTheEnd) {
  TempDir dir;
  auto target = LocalTarget::Create(dir / "a", {});
  ASSERT_TRUE(target.ok()) << target.status();
  ASSERT_TRUE((*target)->Write("hello ").ok());
  ASSERT_TRUE((*target)->Write("world").ok());
  EXPECT_FALSE(std::filesystem::exists(dir / "a"));
  ASSERT_TRUE((*target)->Commit().ok());
  EXPECT_EQ(ReadWholeFile(dir / "a"), "hello world");
  target->reset();
  EXPECT_EQ(EntriesOf(dir), 1u);
}

TEST(LocalTargetTest, LeavesNothingWithoutCommit) {
  TempDir dir;
  {
    auto target = LocalTarget::Create(dir / "a", {});
    ASSERT_TRUE(target.ok());
    ASSERT_TRUE((*target)->Write("half").ok());
  }
  EXPECT_EQ(EntriesOf(dir), 0u);
}

TEST(LocalTargetTest, ReplacesOnlyWhenAsked) {
  TempDir dir;
  WriteText(dir / "a", "old");
  EXPECT_EQ(MessageOf(LocalTarget::Create(dir / "a", {}).status()), "File exists");
  auto target = LocalTarget::Create(dir / "a", {.overwrite = true});
  ASSERT_TRUE(target.ok());
  ASSERT_TRUE((*target)->Write("new").ok());
  EXPECT_EQ(ReadWholeFile(dir / "a"), "old");
  ASSERT_TRUE((*target)->Commit().ok());
  EXPECT_EQ(ReadWholeFile(dir / "a"), "new");
}

TEST(LocalTargetTest, DoesNotReplaceWhatCameMeanwhile) {
  TempDir dir;
  auto target = LocalTarget::Create(dir / "a", {});
  ASSERT_TRUE(target.ok());
  WriteText(dir / "a", "theirs");
  EXPECT_EQ(MessageOf((*target)->Commit()), "File exists");
  target->reset();
  EXPECT_EQ(ReadWholeFile(dir / "a"), "theirs");
  EXPECT_EQ(EntriesOf(dir), 1u);
}

TEST(LocalTargetTest, KeepsModeAndTimes) {
  TempDir dir;
  auto target =
      LocalTarget::Create(dir / "a", {.mode = 0640, .mtime_ms = 1'500'000'000'123, .atime_ms = 7});
  ASSERT_TRUE(target.ok());
  ASSERT_TRUE((*target)->Commit().ok());
  const auto info = StatLocal(dir / "a");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->st_mode & 07777, 0640u);
  EXPECT_EQ(ModifiedMs(*info), 1'500'000'000'123);
  EXPECT_EQ(AccessedMs(*info), 7);
}

TEST(LocalTargetTest, DirectoriesAndDevices) {
  TempDir dir;
  EXPECT_EQ(MessageOf(LocalTarget::Create(dir.path(), {.overwrite = true}).status()),
            "Is a directory");
  auto null = LocalTarget::Create("/dev/null", {});
  ASSERT_TRUE(null.ok()) << null.status();
  EXPECT_TRUE((*null)->Write("gone").ok());
  EXPECT_TRUE((*null)->Commit().ok());
  null->reset();
  struct stat info;
  ASSERT_EQ(stat("/dev/null", &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
}

TEST(LocalTargetTest, WritesThroughALink) {
  TempDir dir;
  WriteText(dir / "real", "old");
  std::filesystem::create_symlink(dir / "real", dir / "link");
  auto target = LocalTarget::Create(dir / "link", {.overwrite = true});
  ASSERT_TRUE(target.ok());
  ASSERT_TRUE((*target)->Write("new").ok());
  ASSERT_TRUE((*target)->Commit().ok());
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(ReadWholeFile(dir / "real"), "new");
}

TEST(LocalTargetTest, LongNamesFit) {
  TempDir dir;
  const std::string name(255, 'n');
  auto target = LocalTarget::Create(dir / name, {});
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_TRUE((*target)->Commit().ok());
}

TEST(LocalSourceTest, ReadsToTheEnd) {
  TempDir dir;
  WriteText(dir / "a", "12345");
  auto source = LocalSource::Open(dir / "a");
  ASSERT_TRUE(source.ok());
  char buffer[4];
  EXPECT_EQ(*(*source)->Read(buffer), 4u);
  EXPECT_EQ(*(*source)->Read(buffer), 1u);
  EXPECT_EQ(*(*source)->Read(buffer), 0u);
  EXPECT_EQ(MessageOf(LocalSource::Open(dir / "b").status()), "No such file or directory");
  EXPECT_EQ(MessageOf(LocalSource::Open(dir.path()).status()), "Is a directory");
}

TEST(LocalPathTest, Targets) {
  TempDir dir;
  WriteText(dir / "a", "");
  EXPECT_EQ(LocalTargetOf(dir.path() + "/")->kind, TargetKind::kDirectory);
  EXPECT_EQ(LocalTargetOf(dir.path() + "/")->path, dir.path());
  EXPECT_EQ(LocalTargetOf(dir / "a")->kind, TargetKind::kFile);
  EXPECT_FALSE(LocalTargetOf(dir / "a")->must_be_directory);
  EXPECT_EQ(LocalTargetOf(dir / "b/")->kind, TargetKind::kMissing);
  EXPECT_TRUE(LocalTargetOf(dir / "b/")->must_be_directory);
}

TEST(LocalPathTest, Names) {
  EXPECT_EQ(LocalName("a/b"), "b");
  EXPECT_EQ(LocalName("a/b//"), "b");
  EXPECT_EQ(LocalName("/"), "");
  EXPECT_EQ(LocalName("."), std::filesystem::current_path().filename().string());
}

}  // namespace
}  // namespace cairn::cli
