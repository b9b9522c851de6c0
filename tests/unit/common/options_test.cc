#include "common/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/common/temp_dir.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

struct Values {
  std::string superuser = "root";
  std::string placement = "rack_aware";
  std::vector<std::string> data_dir = {"/data"};
  bool accept = false;
  int64_t replication = 3;
  uint64_t txns = 1'000'000;
  double threshold = 0.999;
  uint64_t block_size = 128 << 20;
  int64_t dead_after_ms = 60'000;
  uint32_t umask = 022;
  std::map<std::string, std::map<std::string, std::string>> clusters;

  void Declare(OptionTable& table) {
    table.AddString("superuser", &superuser, "who may do all").Value("USER");
    table.AddChoice("placement", &placement, {"rack_aware", "random"}, "where replicas go");
    table.AddList("data-dir", &data_dir, "directories");
    table.AddBool("accept-older", &accept, "go on");
    table.AddInt("replication", &replication, 1, 512, "copies of each block").Short('r');
    table.AddCount("checkpoint-txns", &txns, "edits between checkpoints");
    table.AddDouble("threshold", &threshold, 0, 1, "share of blocks");
    table.AddSize("block-size", &block_size, "of new files").Check([this] {
      return block_size % 4096 == 0 ? absl::OkStatus()
                                    : absl::InvalidArgumentError("must be a multiple of 4K");
    });
    table.AddDuration("dead-after", &dead_after_ms, "silence of a dead node");
    table.AddMode("umask", &umask, "bits that new files lack");
    table.AllowSections("clusters", &clusters);
  }
};

class OptionsTest : public ::testing::Test {
 protected:
  OptionsTest() { values_.Declare(table_); }
  absl::Status Toml(const std::string& text) { return table_.ReadToml(text, "cairn.toml"); }
  std::string TomlError(const std::string& text) {
    const absl::Status status = Toml(text);
    EXPECT_EQ(KindOf(status), ErrorKind::kUsage) << status;
    return std::string(MessageOf(status));
  }

  Values values_;
  OptionTable table_;
};

TEST_F(OptionsTest, ReadsEveryTypeFromAFile) {
  ASSERT_TRUE(Toml(R"(
superuser = "hdfs#1"
placement = "random"
data-dir = ["/d1", "/d2"]
accept-older = true
replication = 2
checkpoint-txns = "5K"
threshold = 0.5
block-size = "64M"
dead-after = "10s"
umask = "077"
[clusters.prod]
namenode = "nn1:8020"
)")
                  .ok());
  EXPECT_EQ(values_.superuser, "hdfs#1");
  EXPECT_EQ(values_.placement, "random");
  EXPECT_EQ(values_.data_dir, (std::vector<std::string>{"/d1", "/d2"}));
  EXPECT_TRUE(values_.accept);
  EXPECT_EQ(values_.replication, 2);
  EXPECT_EQ(values_.txns, 5000u);
  EXPECT_EQ(values_.threshold, 0.5);
  EXPECT_EQ(values_.block_size, 64u << 20);
  EXPECT_EQ(values_.dead_after_ms, 10'000);
  EXPECT_EQ(values_.umask, 077u);
  EXPECT_EQ(values_.clusters["prod"]["namenode"], "nn1:8020");
}

TEST_F(OptionsTest, IntegersWhereTheyMakeSense) {
  ASSERT_TRUE(Toml("block-size = 8192\ncheckpoint-txns = 7\nthreshold = 1\ndead-after = 0").ok());
  EXPECT_EQ(values_.block_size, 8192u);
  EXPECT_EQ(values_.txns, 7u);
  EXPECT_EQ(values_.threshold, 1.0);
  EXPECT_EQ(values_.dead_after_ms, 0);
}

TEST_F(OptionsTest, UnknownKeysNameFileAndLine) {
  EXPECT_EQ(TomlError("replication = 3\n\nreplicaton = 2\n"),
            "cairn.toml:3: unknown key 'replicaton'");
  EXPECT_EQ(TomlError("[namenode]\nreplication = 1\n"), "cairn.toml:1: unknown section 'namenode'");
  EXPECT_EQ(TomlError("\n[clusters]\nprod = 1\n"),
            "cairn.toml:3: clusters.prod: must be a section [clusters.prod]");
}

TEST_F(OptionsTest, WrongTypesNameFileLineAndKey) {
  EXPECT_EQ(TomlError("\nreplication = \"3\"\n"),
            "cairn.toml:2: replication: must be a whole number, without quotes");
  EXPECT_EQ(TomlError("superuser = 5"), "cairn.toml:1: superuser: must be a string, in quotes");
  EXPECT_EQ(TomlError("accept-older = \"yes\""),
            "cairn.toml:1: accept-older: must be true or false");
  EXPECT_THAT(TomlError("data-dir = [1]"), HasSubstr("cairn.toml:1: data-dir: must be"));
  EXPECT_THAT(TomlError("dead-after = 1.5"), HasSubstr("cairn.toml:1: dead-after: must be"));
  EXPECT_THAT(TomlError("threshold = true"), HasSubstr("must be a number"));
}

TEST_F(OptionsTest, WrongValuesNameFileLineAndKey) {
  EXPECT_EQ(TomlError("replication = 513"), "cairn.toml:1: replication: 513 is not in 1..512");
  EXPECT_THAT(TomlError("dead-after = \"60\""),
              HasSubstr("cairn.toml:1: dead-after: the duration"));
  EXPECT_THAT(TomlError("dead-after = 60"), HasSubstr("needs a unit"));
  EXPECT_EQ(TomlError("placement = \"best\""),
            "cairn.toml:1: placement: 'best' is not one of rack_aware|random");
  EXPECT_THAT(TomlError("umask = \"9\""), HasSubstr("not a mode in octal"));
  EXPECT_THAT(TomlError("a = [\n"), HasSubstr("cairn.toml:"));
}

TEST_F(OptionsTest, Environment) {
  const auto env = [](const char* name) -> const char* {
    if (std::string(name) == "CAIRN_DEAD_AFTER") return "7s";
    if (std::string(name) == "CAIRN_DATA_DIR") return "/x,/y";
    if (std::string(name) == "CAIRN_SUPERUSER") return "";
    return nullptr;
  };
  ASSERT_TRUE(table_.ReadEnvironment(env).ok());
  EXPECT_EQ(values_.dead_after_ms, 7000);
  EXPECT_EQ(values_.data_dir, (std::vector<std::string>{"/x", "/y"}));
  EXPECT_EQ(values_.superuser, "root");  // empty is unset
  EXPECT_EQ(table_.Find("dead-after")->source(), OptionSource::kEnvironment);
  EXPECT_FALSE(table_.Find("superuser")->is_set());

  const absl::Status wrong = table_.ReadEnvironment(
      [](const char* name) { return std::string(name) == "CAIRN_REPLICATION" ? "x" : nullptr; });
  EXPECT_EQ(MessageOf(wrong), "CAIRN_REPLICATION: 'x' is not a whole number");
}

TEST_F(OptionsTest, StrongerSourcesReplaceAndChecksRunLast) {
  ASSERT_TRUE(Toml("data-dir = \"/f1,/f2\"\nblock-size = 5000").ok());
  EXPECT_EQ(MessageOf(table_.Validate()), "cairn.toml:2: block-size: must be a multiple of 4K");
  Option* dirs = table_.Find("data-dir");
  ASSERT_TRUE(dirs->Set("/c1", OptionSource::kCommandLine, "--data-dir").ok());
  ASSERT_TRUE(dirs->Set("/c2", OptionSource::kCommandLine, "--data-dir").ok());
  EXPECT_EQ(values_.data_dir, (std::vector<std::string>{"/c1", "/c2"}));
  ASSERT_TRUE(
      table_.Find("block-size")->Set("8K", OptionSource::kCommandLine, "--block-size").ok());
  EXPECT_TRUE(table_.Validate().ok());
}

TEST_F(OptionsTest, HelpHasDefaultsAndUnits) {
  const std::string help = table_.Help();
  EXPECT_THAT(help, HasSubstr("  -r, --replication N           copies of each block (default 3)"));
  EXPECT_THAT(help, HasSubstr("--dead-after TIME"));
  EXPECT_THAT(help, HasSubstr("(default 1m)"));
  EXPECT_THAT(help, HasSubstr("(default 128M)"));
  EXPECT_THAT(help, HasSubstr("(default 1M)"));
  EXPECT_THAT(help, HasSubstr("(default 022)"));
  EXPECT_THAT(help, HasSubstr("--placement rack_aware|random"));
}

TEST_F(OptionsTest, FilesThatCannotBeRead) {
  TempDir dir;
  EXPECT_EQ(KindOf(table_.ReadFile(dir / "missing.toml")), ErrorKind::kUsage);
  EXPECT_THAT(std::string(MessageOf(table_.ReadFile(dir / "missing.toml"))),
              HasSubstr("missing.toml"));
  EXPECT_EQ(KindOf(table_.ReadFile(dir.path())), ErrorKind::kUsage);
}

}  // namespace
}  // namespace cairn
