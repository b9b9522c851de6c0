// put, get and cp over a real cluster: bytes, places, what is left when they are cut short.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "tests/integration/cli_fixture.h"

namespace cairn::testing {
namespace {

using CliCopyTest = CliTest;
namespace fs = std::filesystem;

TEST_F(CliCopyTest, BytesComeBackAsTheyWere) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{4096}, (size_t{1} << 20) - 1,
                             size_t{1} << 20, (size_t{5} << 20) + 123}) {
    const std::string content = Noise(bytes, bytes + 1);
    Put("f", content);
    EXPECT_EQ(MustJson({"stat", "--json", At("f")})["length"], bytes);
    EXPECT_TRUE(Must({"cat", At("f")}) == content) << bytes;
    Must({"get", "-f", At("f"), local_ / "back"});
    EXPECT_TRUE(ReadWholeFile(local_ / "back") == content) << bytes;
  }
}

TEST_F(CliCopyTest, StandardInputAndOutput) {
  const std::string content = Noise(3'000'000);
  Must({"put", "-", At("f")}, {.input = content});
  EXPECT_TRUE(Must({"get", At("f"), "-"}) == content);
  EXPECT_EQ(Run({"put", "-", base_}).code, 1);
  EXPECT_EQ(Run({"put", "-", "/dev/null", At("d/")}).code, 2);
}

TEST_F(CliCopyTest, ADestinationIsReplacedOnlyWhenAsked) {
  const std::string local = Local("a", "new");
  Put("a", "old");
  MustFail({"put", local, At("a")}, 1, "cairn: put: " + At("a") + ": File exists\n");
  MustFail({"put", local, base_}, 1, "cairn: put: " + At("a") + ": File exists\n");
  EXPECT_EQ(Must({"cat", At("a")}), "old");
  Must({"put", "-f", local, base_});
  EXPECT_EQ(Must({"cat", At("a")}), "new");
  const std::string back = Local("back", "mine");
  MustFail({"get", At("a"), back}, 1, "cairn: get: " + back + ": File exists\n");
  EXPECT_EQ(ReadWholeFile(back), "mine");
  Must({"get", "-f", At("a"), back});
  EXPECT_EQ(ReadWholeFile(back), "new");
}

TEST_F(CliCopyTest, WhereFilesGo) {
  const std::string a = Local("a", "A");
  const std::string b = Local("b", "B");
  Must({"mkdir", At("d")});
  Must({"put", a, b, At("d")});
  EXPECT_EQ(Must({"cat", At("d/a"), At("d/b")}), "AB");
  MustFail({"put", a, At("none/")}, 1,
           "cairn: put: " + At("none") + ": No such file or directory\n");
  MustFail({"put", a, At("none/x")}, 1,
           "cairn: put: " + At("none/x") + ": No such file or directory\n");
  MustFail({"put", a, At("d/b/")}, 1, "cairn: put: " + At("d/b") + ": Not a directory\n");
  MustFail({"put", local_ / "missing", At("x")}, 1,
           "cairn: put: " + (local_ / "missing") + ": No such file or directory\n");
  fs::create_directory(local_ / "out");
  Must({"get", At("d/*"), local_ / "out"});
  EXPECT_EQ(ReadWholeFile(local_ / "out/b"), "B");
}

TEST_F(CliCopyTest, Directories) {
  fs::create_directories(local_ / "tree/sub/empty");
  std::string names;
  for (int i = 0; i < 60; ++i) Local("tree/sub/f" + std::to_string(i), Noise(i * 1000, i + 1));
  Local("tree/top", "top");
  Must({"put", local_ / "tree", At("copy")});
  Must({"test", "-d", At("copy/sub/empty")});
  Must({"put", local_ / "tree", base_});
  Must({"test", "-f", At("tree/top")});
  EXPECT_EQ(Run({"put", local_ / "tree", base_}).code, 1);
  Must({"put", "-f", local_ / "tree", base_});
  EXPECT_EQ(Must({"count", At("copy")}), "3 61 1770003 " + At("copy") + "\n");

  Must({"get", At("copy"), local_ / "back"});
  for (int i = 0; i < 60; ++i) {
    const std::string name = "/sub/f" + std::to_string(i);
    EXPECT_TRUE(ReadWholeFile((local_ / "tree") + name) == ReadWholeFile((local_ / "back") + name));
  }
  EXPECT_TRUE(fs::is_directory(local_ / "back/sub/empty"));
  EXPECT_EQ(Run({"get", At("copy"), local_ / "back/sub/empty"}).code, 0);
  EXPECT_TRUE(fs::exists(local_ / "back/sub/empty/copy/top"));
}

TEST_F(CliCopyTest, PreservesTimesAndModes) {
  const std::string a = Local("a", "A");
  ASSERT_EQ(chmod(a.c_str(), 0600), 0);
  const timespec times[2] = {{1'400'000'000, 0}, {1'500'000'000, 123'000'000}};
  ASSERT_EQ(utimensat(AT_FDCWD, a.c_str(), times, 0), 0);
  Must({"put", "-p", a, At("a")});
  const Json json = MustJson({"stat", "--json", At("a")});
  EXPECT_EQ(json["mode"], "0600");
  EXPECT_EQ(json["mtime_ms"], 1'500'000'000'123);
  EXPECT_EQ(json["atime_ms"], 1'400'000'000'000);
  Must({"get", "-p", At("a"), local_ / "back"});
  struct stat info;
  ASSERT_EQ(stat((local_ / "back").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(info.st_mtim.tv_sec, 1'500'000'000);
}

TEST_F(CliCopyTest, RangesOfAFile) {
  const std::string content = Noise(2'500'000);
  Put("f", content);
  EXPECT_TRUE(Must({"get", "--offset", "1M", "--length", "10", At("f"), "-"}) ==
              content.substr(1 << 20, 10));
  EXPECT_TRUE(Must({"get", "--offset", "2499990", At("f"), "-"}) == content.substr(2'499'990));
  EXPECT_EQ(Must({"get", "--length", "0", At("f"), "-"}), "");
  EXPECT_EQ(Must({"get", "--offset", "2500000", At("f"), "-"}), "");
  EXPECT_EQ(Run({"get", "--offset", "2500001", At("f"), "-"}).code, 1);
}

TEST_F(CliCopyTest, GetsSeveralBlocksAtOnce) {
  const std::string content = Noise(5'300'000);
  const std::string local = Local("many", content);
  Must({"put", "--block-size", "512K", local, At("f")});
  const std::string to = local_ / "got";
  Must({"get", At("f"), to});
  EXPECT_TRUE(ReadWholeFile(to) == content);
  const std::pair<uint64_t, uint64_t> ranges[] = {
      {0, 1}, {524'287, 2}, {524'288, 524'288}, {1'500'000, 2'200'000}, {5'299'999, 9}, {7, 0}};
  for (const auto& [offset, length] : ranges) {
    Must({"get", "-f", "--offset", std::to_string(offset), "--length", std::to_string(length),
          At("f"), to});
    EXPECT_TRUE(ReadWholeFile(to) == content.substr(offset, length)) << offset << " " << length;
  }
  MustFail({"get", At("f"), "/dev/full"}, 1, "cairn: get: /dev/full: No space left on device\n");
}

TEST_F(CliCopyTest, ReplicationAndBlockSize) {
  const std::string local = Local("a", Noise(300'000));
  Must({"put", "-r", "1", "--block-size", "64K", local, At("a")});
  const Json stat = MustJson({"stat", "--json", At("a")});
  EXPECT_EQ(stat["replication"], 1);
  EXPECT_EQ(stat["block_size"], 65536);
  EXPECT_EQ(stat["blocks"], 5);
  const Json blocks = MustJson({"locations", At("a"), "--json"});
  ASSERT_EQ(blocks.size(), 5u);
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i]["offset"], i * 65536);
    EXPECT_EQ(blocks[i]["nodes"].size(), 1u);
  }
  EXPECT_EQ(Run({"put", "--block-size", "1000", local, At("b")}).code, 1);
  EXPECT_EQ(Run({"test", "-e", At("b")}).code, 1);
}

TEST_F(CliCopyTest, CopyInsideOfTheCluster) {
  const std::string content = Noise(1'500'000);
  Put("a", content);
  Must({"cp", At("a"), At("b")});
  EXPECT_TRUE(Must({"cat", At("b")}) == content);
  MustFail({"cp", At("a"), At("b")}, 1, "cairn: cp: " + At("b") + ": File exists\n");
  Must({"cp", "-f", At("a"), At("b")});
  EXPECT_EQ(Run({"cp", "-f", At("a"), At("a")}).code, 1);
  Must({"mkdir", At("d")});
  Put("d/x", "X");
  MustFail({"cp", At("d"), At("e")}, 1, "cairn: cp: " + At("d") + ": Is a directory\n");
  Must({"cp", "-r", At("d"), At("e")});
  EXPECT_EQ(Must({"cat", At("e/x")}), "X");
  EXPECT_EQ(Run({"cp", "-r", At("d"), At("d/inside")}).code, 1);
  EXPECT_EQ(Run({"test", "-e", At("d/inside")}).code, 1);
}

TEST_F(CliCopyTest, PatternsAndNamesThatLookLikeThem) {
  Put("x1", "1");
  Put("x2", "2");
  Put("x*", "star");
  EXPECT_EQ(Must({"cat", At("x[0-9]")}), "12");
  EXPECT_EQ(Must({"cat", At("x*")}), "star");
  EXPECT_EQ(Must({"cat", At("x?")}), "star12");
}

TEST_F(CliCopyTest, AnInterruptedPutLeavesNothing) {
  ASSERT_EQ(mkfifo((local_ / "pipe").c_str(), 0600), 0);
  auto process =
      cluster_->StartCairn({"put", local_ / "pipe", At("f")}, local_ / "out", local_ / "err");
  ASSERT_TRUE(process.ok());
  std::ofstream pipe(local_ / "pipe", std::ios::binary);  // waits until put has opened it
  pipe << Noise(2'000'000) << std::flush;
  ASSERT_TRUE(WaitUntil(60'000, [&] {
    return Run({"ls", base_}).out.find("f._COPYING_.") != std::string::npos;
  }));
  (*process)->Signal(SIGINT);
  EXPECT_EQ((*process)->Wait(30'000), (ExitState{130, 0}));
  EXPECT_EQ(ReadWholeFile(local_ / "err"), "");
  EXPECT_EQ(Must({"ls", base_}), "");
  Put("f", "again");
  EXPECT_EQ(Must({"cat", At("f")}), "again");
}

TEST_F(CliCopyTest, AnInterruptedGetEndsEvenInAWriteThatHangs) {
  Put("f", Noise(4 << 20));
  ASSERT_EQ(mkfifo((local_ / "pipe").c_str(), 0600), 0);
  auto process =
      cluster_->StartCairn({"get", At("f"), local_ / "pipe"}, "/dev/null", local_ / "err");
  ASSERT_TRUE(process.ok());
  std::ifstream pipe(local_ / "pipe", std::ios::binary);
  char byte = 0;
  ASSERT_TRUE(pipe.get(byte));
  (*process)->Signal(SIGINT);
  // The pipe is full and nobody empties it.
  EXPECT_EQ((*process)->Wait(30'000), (ExitState{130, 0}));
  EXPECT_EQ(ReadWholeFile(local_ / "err"), "");
}

}  // namespace
}  // namespace cairn::testing
