#include "common/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/common/temp_dir.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

class DataDirTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<DataDir>> Open(DataDirType type = DataDirType::kDataNode) {
    return DataDir::Open(env_.get(), dir_ / "data", type);
  }
  void Format() {
    auto dir = Open();
    ASSERT_TRUE(dir.ok()) << dir.status();
    ASSERT_TRUE((*dir)->Format({.cluster_id = "c1", .node_id = "n1", .storage_id = "s1"}).ok());
  }
  void WriteVersion(const std::string& text) { std::ofstream(dir_ / "data/VERSION") << text; }
  std::string OpenError(DataDirType type = DataDirType::kDataNode) {
    const absl::Status status = Open(type).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr(dir_ / "data"));
    return std::string(MessageOf(status));
  }

  TempDir dir_;
  const std::unique_ptr<Env> env_ = NewPosixEnv();
};

TEST_F(DataDirTest, FormatsOnceAndOpensAgain) {
  {
    auto dir = Open();
    ASSERT_TRUE(dir.ok()) << dir.status();
    EXPECT_FALSE((*dir)->formatted());
    ASSERT_TRUE((*dir)->Format({.cluster_id = "c1", .node_id = "n1", .storage_id = "s1"}).ok());
    EXPECT_TRUE(*env_->Exists((*dir)->current_path()));
    EXPECT_FALSE((*dir)->Format({.cluster_id = "c2"}).ok());
  }
  auto dir = Open();
  ASSERT_TRUE(dir.ok()) << dir.status();
  ASSERT_TRUE((*dir)->formatted());
  EXPECT_EQ((*dir)->version(), (DataDirVersion{.layout = kDataDirLayout,
                                               .type = DataDirType::kDataNode,
                                               .cluster_id = "c1",
                                               .node_id = "n1",
                                               .storage_id = "s1"}));
  EXPECT_TRUE((*dir)->CheckCluster("c1").ok());
  EXPECT_THAT(std::string(MessageOf((*dir)->CheckCluster("c2"))),
              HasSubstr("belongs to cluster c1, not to c2"));
}

TEST_F(DataDirTest, InUse) {
  const auto first = Open();
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(OpenError(), HasSubstr("in use by a running daemon"));
}

TEST_F(DataDirTest, AnotherType) {
  Format();
  EXPECT_THAT(OpenError(DataDirType::kNameNode),
              HasSubstr("the data directory of a datanode, not of a namenode"));
}

TEST_F(DataDirTest, ADataNodesLayoutComesAndGoes) {
  Format();
  for (const int layout : {kDataDirLayoutWithLog, kDataDirLayout}) {
    {
      const auto dir = Open();
      ASSERT_TRUE(dir.ok()) << dir.status();
      ASSERT_TRUE((*dir)->SetLayout(layout).ok());
    }
    const auto again = Open();
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ((*again)->version().layout, layout);
  }
}

TEST_F(DataDirTest, Layouts) {
  Format();
  WriteVersion(R"({"layout":3,"type":"datanode","strange":true})");
  EXPECT_THAT(OpenError(), HasSubstr("layout 3 is newer than this program knows (2)"));
  WriteVersion(R"({"layout":2,"type":"namenode"})");
  EXPECT_THAT(OpenError(DataDirType::kNameNode),
              HasSubstr("layout 2 is newer than this program knows (1)"));
  WriteVersion(R"({"layout":0,"type":"datanode"})");
  EXPECT_THAT(OpenError(), HasSubstr("unknown layout 0"));
  WriteVersion(R"({"layout":-1})");
  EXPECT_THAT(OpenError(), HasSubstr("unknown layout -1"));
}

TEST_F(DataDirTest, DamagedVersions) {
  Format();
  for (const std::string text :
       {"", "{", "[]", "null", "layout=1", R"({"type":"datanode"})",
        R"({"layout":"1","type":"datanode"})", R"({"layout":1})",
        R"({"layout":1,"type":"datanode","cluster_id":"c","node_id":5})",
        R"({"layout":1,"type":"datanode","cluster_id":"c","node_id":"n"})"}) {
    WriteVersion(text);
    EXPECT_TRUE(absl::IsDataLoss(Open().status())) << text;
    EXPECT_THAT(OpenError(), HasSubstr("restore this file"));
  }
}

TEST_F(DataDirTest, ALostVersionIsNotAnEmptyDirectory) {
  Format();
  ASSERT_TRUE(env_->Remove(dir_ / "data/VERSION").ok());
  EXPECT_THAT(OpenError(), HasSubstr("missing, but current/ is there"));
}

TEST_F(DataDirTest, AFailedOpenReleasesTheLock) {
  Format();
  EXPECT_FALSE(Open(DataDirType::kNameNode).ok());
  EXPECT_TRUE(Open().ok());
}

TEST_F(DataDirTest, NotADirectory) {
  std::ofstream(dir_ / "data") << "x";
  EXPECT_THAT(OpenError(), HasSubstr("Not a directory"));
}

TEST_F(DataDirTest, ReadsWithoutALock) {
  EXPECT_EQ(*ReadDataDirVersion(*env_, dir_ / "none", DataDirType::kDataNode), std::nullopt);
  Format();
  const auto held = Open();
  const auto version = ReadDataDirVersion(*env_, dir_ / "data", DataDirType::kDataNode);
  ASSERT_TRUE(version.ok());
  EXPECT_EQ((*version)->storage_id, "s1");
}

}  // namespace
}  // namespace cairn
