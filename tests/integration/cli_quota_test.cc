// Quotas and joined files through the command line, over a real cluster with blocks of 1 MiB.
#include <fmt/format.h>

#include <iterator>
#include <sstream>

#include "tests/integration/cli_fixture.h"

namespace cairn::testing {
namespace {

using CliQuotaTest = CliTest;

constexpr int kMiB = 1 << 20;

// The words of a line, without the spaces that align them.
std::vector<std::string> Words(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

TEST_F(CliQuotaTest, SetShowAndRemove) {
  Put("a", Noise(1'500'000));
  EXPECT_EQ(Words(Must({"count", "-q", base_})),
            (std::vector<std::string>{"none", "inf", "none", "inf", "1", "1", "1500000", base_}));
  EXPECT_EQ(Must({"admin", "quota", base_, "--names", "10", "--space", "12M"}), "");
  EXPECT_EQ(Words(Must({"count", "-q", base_})),
            (std::vector<std::string>{"10", "8", std::to_string(12 * kMiB),
                                      std::to_string(12 * kMiB - 3 * 1'500'000), "1", "1",
                                      "1500000", base_}));
  EXPECT_EQ(MustJson({"admin", "quota", base_, "--json"}), (Json{{"path", base_},
                                                                 {"names_used", 2},
                                                                 {"name_quota", 10},
                                                                 {"space_used", 4'500'000},
                                                                 {"space_quota", 12 * kMiB},
                                                                 {"space_promised", 0}}));
  EXPECT_NE(Must({"admin", "quota", base_}).find("2 of 10, 8 left"), std::string::npos);
  Must({"admin", "quota", "--space", "none", base_});
  EXPECT_EQ(MustJson({"admin", "quota", base_, "--json"})["name_quota"], 10);
  EXPECT_EQ(MustJson({"admin", "quota", base_, "--json"})["space_quota"], nullptr);
  // Without -q it is what it was.
  EXPECT_EQ(Words(Must({"count", base_})), (std::vector<std::string>{"1", "1", "1500000", base_}));
}

TEST_F(CliQuotaTest, WrongUse) {
  Put("f", "x");
  for (const char* option : {"--names=0", "--names=-1", "--names=ten", "--names=1.5",
                             "--space=many", "--space=-1", "--names=9223372036854775808"}) {
    EXPECT_EQ(Run({"admin", "quota", base_, option}).code, 2) << option;
  }
  EXPECT_EQ(Run({"admin", "quota", base_, "--names", "5", "--json"}).code, 2);
  EXPECT_EQ(Run({"admin", "quota"}).code, 2);
  MustFail({"admin", "quota", At("f"), "--names", "5"}, 1,
           "cairn: admin quota: " + At("f") + ": Not a directory\n");
  MustFail({"admin", "quota", At("f")}, 1,
           "cairn: admin quota: " + At("f") + ": Not a directory\n");
  MustFail({"admin", "quota", At("none"), "--names", "5"}, 1,
           "cairn: admin quota: " + At("none") + ": No such file or directory\n");
  MustFail(
      {"--user", "ann", "admin", "quota", base_, "--names", "5"}, 1,
      "cairn: admin quota: " + base_ + ": Permission denied: only a superuser may set a quota\n");
}

TEST_F(CliQuotaTest, APutBeyondTheQuotaLeavesNothing) {
  // Room for two blocks: the third is refused, far into the file.
  Must({"admin", "quota", base_, "--space", fmt::format("{}", 6 * kMiB)});
  const std::string source = Local("big", Noise(2'500'000));
  const CommandResult put = Run({"put", source, At("big")});
  EXPECT_EQ(put.code, 1);
  EXPECT_EQ(put.err,
            fmt::format("cairn: put: {}: the quota of {} is {} bytes with all copies; {} are used "
                        "and {} more wanted, for an open block its full size; remove files there "
                        "or have it raised (cairn admin quota)\n",
                        At("big"), base_, 6 * kMiB, 6 * kMiB, 3 * kMiB));
  EXPECT_EQ(Must({"ls", base_}), "");
  const Json after = MustJson({"admin", "quota", base_, "--json"});
  EXPECT_EQ(after["space_used"], 0) << after;
  EXPECT_EQ(after["names_used"], 1) << after;
  Must({"put", "-r", "2", source, At("big")});
  EXPECT_EQ(MustJson({"admin", "quota", base_, "--json"})["space_used"], 5'000'000);
  // Its last block, open again, would take exactly 6 MiB in all.
  Must({"admin", "quota", base_, "--space", fmt::format("{}", 6 * kMiB - 1)});
  EXPECT_EQ(Run({"append", Local("more", "x"), At("big")}).code, 1) << "a block's full size";
  EXPECT_EQ(Run({"setrep", "3", At("big")}).code, 1);
  Must({"rm", At("big")});
  Must({"put", Local("small", Noise(kMiB)), At("small")});
}

TEST_F(CliQuotaTest, NamesStopPutMkdirAndMv) {
  Must({"mkdir", At("q")});
  Must({"mkdir", At("d")});
  Must({"admin", "quota", At("q"), "--names", "2"});
  Must({"put", Local("s", "x"), At("q/one")});
  const std::string why = fmt::format(
      "the quota of {} is 2 names; 2 are used and 1 more wanted; remove files there or have it "
      "raised (cairn admin quota)\n",
      At("q"));
  MustFail({"put", Local("s", "x"), At("q/two")}, 1, "cairn: put: " + At("q/two") + ": " + why);
  MustFail({"mkdir", At("q/dir")}, 1, "cairn: mkdir: " + At("q/dir") + ": " + why);
  MustFail({"mv", At("d"), At("q/dir")}, 1, "cairn: mv: " + At("d") + ": " + why);
  MustFail({"touch", At("q/two")}, 1, "cairn: touch: " + At("q/two") + ": " + why);
  Must({"mv", At("q/one"), At("one")});
  Must({"mv", At("d"), At("q/dir")});
}

TEST_F(CliQuotaTest, ConcatJoinsFiles) {
  const std::string first = Noise(kMiB, 1);
  const std::string second = Noise(2 * kMiB, 2);
  const std::string third = Noise(700'001, 3);
  Put("all", first);
  Put("p1", second);
  Put("p2", third);
  Must({"setrep", "-w", "2", At("p2")});
  MustFail({"concat", At("p2"), At("p1")}, 1,
           fmt::format("cairn: concat: {}: the target ends within a block (700001 bytes, blocks of "
                       "{}), which only the last source may\n",
                       At("p2"), kMiB));
  MustFail({"concat", At("all"), At("p1"), At("none")}, 1,
           "cairn: concat: " + At("all") + ": " + At("none") + ": No such file or directory\n");
  MustFail({"concat", At("all"), At("p1"), At("none*")}, 1,
           "cairn: concat: " + At("none*") + ": No such file or directory\n");
  Must({"concat", At("all"), At("p*")});
  EXPECT_EQ(Must({"ls", base_}), "all\n");
  EXPECT_TRUE(Must({"cat", At("all")}) == first + second + third);
  EXPECT_EQ(MustJson({"fsck", At("all"), "--json"})["blocks"], 4);
  // The last block has the target's number of copies in the end.
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    const Json blocks = MustJson({"locations", At("all"), "--json"});
    return blocks.size() == 4 && blocks[3]["nodes"].size() == 3;
  }));
  Must({"append", Local("more", "tail"), At("all")});
  EXPECT_TRUE(Must({"cat", At("all")}) == first + second + third + "tail");
  EXPECT_EQ(Run({"concat", At("all")}).code, 2);
}

TEST_F(CliQuotaTest, BothOutliveTheNameNode) {
  Put("all", Noise(kMiB, 1));
  Put("part", Noise(5, 2));
  Put("older", Noise(kMiB, 3));
  Must({"admin", "quota", base_, "--names", "7"});
  Must({"concat", At("older"), At("all"), At("part")});
  const std::string content = Must({"cat", At("older")});
  for (const bool image : {false, true}) {
    if (image) Must({"admin", "checkpoint"});
    cluster_->namenode().Kill();
    ASSERT_TRUE(cluster_->namenode().Start().ok());
    Must({"admin", "safe-mode", "wait"});
    EXPECT_TRUE(Must({"cat", At("older")}) == content);
    EXPECT_EQ(MustJson({"admin", "quota", base_, "--json"})["name_quota"], 7);
  }
}

}  // namespace
}  // namespace cairn::testing
