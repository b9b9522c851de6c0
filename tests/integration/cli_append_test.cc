// The command line over a real cluster: files that grow and shrink, and what is known of their
// bytes.
#include <absl/algorithm/container.h>
#include <fmt/format.h>

#include <csignal>
#include <fstream>

#include "common/crc32c.h"
#include "tests/integration/cli_fixture.h"

namespace cairn::testing {
namespace {

TEST_F(CliTest, AppendAddsToAFileAndMakesIt) {
  const std::string first = Noise(1'500'000, 1);  // ends within a chunk, in the second block
  const std::string second = Noise(700'001, 2);
  Must({"append", Local("a", first), At("f")});
  EXPECT_EQ(Must({"cat", At("f")}), first);
  Must({"append", Local("b", second), Local("c", "tail"), At("f")});
  EXPECT_EQ(Must({"cat", At("f")}), first + second + "tail");
  Must({"append", "-", At("f")}, {.input = " of stdin"});
  EXPECT_EQ(Must({"cat", At("f")}), first + second + "tail of stdin");
  // A busy machine may have cost a pipeline a node.
  Json blocks;
  EXPECT_TRUE(WaitUntil(240'000, [&] {
    blocks = MustJson({"locations", At("f"), "--json"});
    return blocks.size() == 3 &&
           absl::c_all_of(blocks, [](const Json& block) { return block["nodes"].size() == 3; });
  })) << blocks;
}

TEST_F(CliTest, AppendManyTimes) {
  std::string all;
  for (int i = 0; i < 12; ++i) {
    const std::string piece = Noise(static_cast<size_t>(1000 * i + 7), static_cast<uint64_t>(i));
    Must({"append", Local("piece", piece), At("f")});
    all += piece;
  }
  EXPECT_EQ(Must({"cat", At("f")}), all);
}

TEST_F(CliTest, AppendOfWhatIsNotThereChangesNothing) {
  Put("f", "one");
  MustFail({"append", Local("a", "two"), "/no/such/file", At("f")}, 1,
           "cairn: append: /no/such/file: No such file or directory\n");
  EXPECT_EQ(Must({"cat", At("f")}), "one");
  MustFail({"append", Local("a", "two"), base_}, 1,
           "cairn: append: " + base_ + ": Is a directory\n");
  MustFail({"append", "/tmp", At("f")}, 1, "cairn: append: /tmp: Is a directory\n");
}

TEST_F(CliTest, TruncateCutsAtAnyByte) {
  const std::string content = Noise(2'500'000);
  Put("f", content);
  for (const size_t size : {2'500'000, 2'097'153, 2'097'152, 1'048'577, 5'000, 4'096, 1, 0}) {
    Must({"truncate", "-s", std::to_string(size), At("f")});
    EXPECT_EQ(Must({"cat", At("f")}), content.substr(0, size)) << size;
    EXPECT_EQ(MustJson({"stat", At("f"), "--json"})["length"], size);
  }
  Must({"append", Local("a", "again"), At("f")});
  EXPECT_EQ(Must({"cat", At("f")}), "again");
  EXPECT_EQ(Run({"truncate", "-s", "1M", At("f")}).code, 1);
  EXPECT_EQ(Run({"truncate", At("f")}).code, 2);
  EXPECT_EQ(Must({"cat", At("f")}), "again");
  MustFail({"truncate", "-s", "0", At("none")}, 1,
           "cairn: truncate: " + At("none") + ": No such file or directory\n");
}

TEST_F(CliTest, ChecksumIsThatOfTheBytes) {
  const std::string content = Noise(2'222'222);
  Put("f", content);
  Put("empty", "");
  EXPECT_EQ(Must({"checksum", At("f"), At("empty")}),
            fmt::format("{}\tCOMPOSITE-CRC32C\t{:08x}\n{}\tCOMPOSITE-CRC32C\t00000000\n", At("f"),
                        Crc32c(content), At("empty")));
  Must({"append", Local("a", "more"), At("f")});
  EXPECT_EQ(Must({"checksum", At("f")}),
            fmt::format("{}\tCOMPOSITE-CRC32C\t{:08x}\n", At("f"), Crc32c(content + "more")));
  EXPECT_EQ(Run({"checksum", base_}).code, 1);
}

TEST_F(CliTest, EveryConsistencyKeepsTheBytes) {
  const std::string content = Noise(1'300'000);
  for (const char* level : {"strong", "eventual", "weak"}) {
    Must({"put", "--consistency", level, Local("a", content), At(level)});
    EXPECT_EQ(Must({"cat", At(level)}), content) << level;
    Must({"append", "--consistency", level, Local("b", "more"), At(level)});
    EXPECT_EQ(Must({"cat", At(level)}), content + "more") << level;
    // All replicas come in the end, and nothing is repaired meanwhile that needs no repair.
    EXPECT_TRUE(WaitUntil(60'000, [&] {
      bool whole = true;
      for (const Json& block : MustJson({"locations", At(level), "--json"})) {
        whole = whole && block["nodes"].size() == 3;
      }
      return whole;
    })) << level;
  }
}

TEST_F(CliTest, TailFollows) {
  Put("f", "one\ntwo\n");
  const std::string out = local_ / "out";
  auto tail = cluster_->StartCairn({"tail", "-n", "1", "-f", At("f")}, out);
  ASSERT_TRUE(tail.ok()) << tail.status();
  ASSERT_TRUE(WaitUntil(60'000, [&] { return ReadWholeFile(out) == "two\n"; }));
  Must({"append", Local("a", "three\n"), At("f")});
  ASSERT_TRUE(WaitUntil(60'000, [&] { return ReadWholeFile(out) == "two\nthree\n"; }));
  Put("f", "new\n");  // replaced
  ASSERT_TRUE(WaitUntil(60'000, [&] { return ReadWholeFile(out) == "two\nthree\nnew\n"; }));
  (*tail)->Signal(SIGINT);
  const auto ended = (*tail)->Wait(20'000);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 130);
  EXPECT_EQ(Run({"tail", "-f", At("f"), At("g")}).code, 2);
}

}  // namespace
}  // namespace cairn::testing
