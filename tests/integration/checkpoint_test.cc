// Images of the namespace: made on command and by themselves, interrupted anywhere, lost with a
// directory and repaired from another.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/cluster_view.h"
#include "tests/integration/program.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

class CheckpointTest : public ::testing::Test {
 protected:
  void StartCluster(int datanodes, std::vector<std::string> namenode_flags = {}) {
    auto started =
        Cluster::Start({.datanodes = datanodes, .namenode_flags = std::move(namenode_flags)});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }

  Daemon& namenode() { return cluster_->namenode(); }
  std::string current() { return namenode().data_dir() + "/current"; }

  void Restart() {
    const absl::Status started = namenode().Start();
    ASSERT_TRUE(started.ok()) << started;
    const absl::Status off = cluster_->AwaitSafeModeOff();
    ASSERT_TRUE(off.ok()) << off;
  }

  // The txid that the new image holds.
  uint64_t Checkpoint() {
    const CommandResult result = cluster_->Cairn({"admin", "checkpoint"});
    EXPECT_EQ(result.code, 0) << result.err;
    const size_t digits = result.out.find_first_of("0123456789");
    return digits == std::string::npos ? 0 : std::stoull(result.out.substr(digits));
  }

  void Make(const std::string& path) {
    ASSERT_EQ(cluster_->Cairn({"mkdir", path}).code, 0) << path;
    made_.insert(path);
  }

  void Put(const std::string& path, const std::string& content) {
    ASSERT_EQ(cluster_->Cairn({"put", "-r", "1", "-", path}, {.input = content}).code, 0) << path;
  }

  // Everything about every name, but when it was last read.
  std::string Listing() {
    nlohmann::json listing = CairnJson(*cluster_, {"ls", "-R", "/"});
    for (auto& entry : listing) entry.erase("atime_ms");
    return listing.dump(1);
  }

  void ExpectAllMade() {
    const std::string listing = Listing();
    for (const std::string& path : made_) {
      EXPECT_NE(listing.find("\"" + path + "\""), std::string::npos) << path << " is lost";
    }
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
  std::set<std::string> made_;
};

TEST_F(CheckpointTest, ARestartFromAnImageGivesTheSame) {
  StartCluster(1);
  Make("/a");
  Make("/a/b");
  const std::string first = RandomBytes(1, 700'000);
  Put("/a/first", first);
  ASSERT_EQ(cluster_->Cairn({"chmod", "750", "/a/b"}).code, 0);
  const uint64_t txid = Checkpoint();
  EXPECT_TRUE(std::filesystem::exists(fmt::format("{}/fsimage_{:020}", current(), txid)));

  Put("/a/b/second", "after the image");
  ASSERT_EQ(cluster_->Cairn({"mv", "/a/first", "/a/b/moved"}).code, 0);
  const std::string before = Listing();
  namenode().Kill();
  ASSERT_NO_FATAL_FAILURE(Restart());
  EXPECT_EQ(Listing(), before);
  EXPECT_TRUE(cluster_->Cairn({"cat", "/a/b/moved"}).out == first);
  EXPECT_EQ(cluster_->Cairn({"cat", "/a/b/second"}).out, "after the image");

  // Again, from an image that was made by a NameNode that had loaded one.
  EXPECT_GT(Checkpoint(), txid);
  ASSERT_TRUE(namenode().Stop().ok());
  ASSERT_NO_FATAL_FAILURE(Restart());
  EXPECT_EQ(Listing(), before);
  EXPECT_TRUE(cluster_->Cairn({"cat", "/a/b/moved"}).out == first);
}

TEST_F(CheckpointTest, JournalAndImagePrintAsJsonLinesBesideARunningNameNode) {
  StartCluster(0);
  Make("/dumped");
  const uint64_t txid = Checkpoint();
  const TempDir dir;
  Programs programs(&dir);
  std::string edits;
  for (const std::string& name : NamesWithPrefix(current(), "edits_")) {
    const CommandResult dump =
        programs.Run("cairn-namenode", {"dump-edits", current() + "/" + name});
    EXPECT_EQ(dump.code, 0) << dump.err;
    edits += dump.out;
  }
  EXPECT_NE(edits.find(R"("names":["dumped"])"), std::string::npos) << edits;
  const std::string image = fmt::format("{}/fsimage_{:020}", current(), txid);
  const CommandResult dump = programs.Run("cairn-namenode", {"dump-image", image});
  EXPECT_EQ(dump.code, 0) << dump.err;
  EXPECT_NE(dump.out.find(R"("name":"dumped")"), std::string::npos) << dump.out;

  FlipByte(image, 100);
  const CommandResult damaged = programs.Run("cairn-namenode", {"dump-image", image});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_NE(damaged.err.find(image), std::string::npos);
  EXPECT_NE(damaged.err.find("damaged at byte"), std::string::npos);
}

TEST_F(CheckpointTest, OldImagesAndSegmentsGo) {
  StartCluster(0);
  for (int i = 0; i < 5; ++i) {
    Make(fmt::format("/d{}", i));
    Checkpoint();
  }
  EXPECT_EQ(NamesWithPrefix(current(), "fsimage_").size(), 2u);
  EXPECT_LE(NamesWithPrefix(current(), "edits_0").size(), 2u);
  namenode().Kill();
  ASSERT_NO_FATAL_FAILURE(Restart());
  ExpectAllMade();
}

TEST_F(CheckpointTest, OneIsTakenByItselfAfterEnoughEdits) {
  StartCluster(0, {"--checkpoint-txns=20"});
  const auto images = NamesWithPrefix(current(), "fsimage_");
  for (int i = 0; i < 25; ++i) Make(fmt::format("/d{}", i));
  EXPECT_TRUE(WaitUntil(60'000, [&] { return NamesWithPrefix(current(), "fsimage_") != images; }));
  namenode().Kill();
  ASSERT_NO_FATAL_FAILURE(Restart());
  ExpectAllMade();
}

TEST_F(CheckpointTest, AnOlderImageServesWhenTheNewestIsDamaged) {
  StartCluster(0);
  Make("/a");
  Checkpoint();
  Make("/b");
  const uint64_t newest = Checkpoint();
  Make("/c");
  ASSERT_TRUE(namenode().Stop().ok());
  FlipByte(fmt::format("{}/fsimage_{:020}", current(), newest), 100);
  ASSERT_NO_FATAL_FAILURE(Restart());
  ExpectAllMade();
}

TEST_F(CheckpointTest, OneThatIsKilledNeverPreventsAStart) {
  StartCluster(0);
  std::mt19937_64 random(7);
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    Make(fmt::format("/r{}", round));
    auto checkpoint = cluster_->StartCairn({"admin", "checkpoint", "--timeout", "2s"});
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    const int64_t kill_ms = std::uniform_int_distribution<int64_t>(0, 250)(random);
    WaitUntil(kill_ms, [] { return false; });
    namenode().Kill();
    (*checkpoint)->Kill();
    ASSERT_NO_FATAL_FAILURE(Restart());
    ExpectAllMade();
  }
  Checkpoint();
  EXPECT_TRUE(NamesWithPrefix(current(), "fsimage_").size() <= 2);
}

TEST_F(CheckpointTest, ADataDirectoryThatWasLostIsFilledAgain) {
  const std::string second = dir_ / "second";
  StartCluster(1, {"--data-dir", second});
  const std::string first = namenode().data_dir();
  const std::string content = RandomBytes(4, 300'000);
  Put("/file", content);
  Make("/a");
  Checkpoint();
  Make("/b");
  std::string lost = first;
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    Make(fmt::format("/r{}", round));
    if (round % 2 == 0) {
      namenode().Kill();
    } else {
      ASSERT_TRUE(namenode().Stop().ok());
    }
    lost = round < 2 ? first : second;
    std::filesystem::remove_all(lost);
    if (round != 0) std::filesystem::create_directory(lost);  // as an empty disk mounted there
    ASSERT_NO_FATAL_FAILURE(Restart());
    ExpectAllMade();
    EXPECT_TRUE(cluster_->Cairn({"cat", "/file"}).out == content);
  }
  ASSERT_TRUE(namenode().Stop().ok());
  auto files = Snapshot(first + "/current");
  EXPECT_EQ(Snapshot(second + "/current"), files);
  EXPECT_FALSE(files.empty());
}

TEST_F(CheckpointTest, ALostFileComesFromTheOtherDirectory) {
  const std::string second = dir_ / "second";
  StartCluster(0, {"--data-dir", second});
  const std::string first = namenode().data_dir();
  Make("/a");
  Checkpoint();
  Make("/b");
  ASSERT_TRUE(namenode().Stop().ok());
  ASSERT_NO_FATAL_FAILURE(Restart());
  Make("/c");
  namenode().Kill();
  for (const std::string& name : NamesWithPrefix(first + "/current", "edits_")) {
    std::filesystem::remove(first + "/current/" + name);
  }
  for (const std::string& name : NamesWithPrefix(second + "/current", "fsimage_")) {
    std::filesystem::remove(second + "/current/" + name);
  }
  ASSERT_NO_FATAL_FAILURE(Restart());
  ExpectAllMade();
  ASSERT_TRUE(namenode().Stop().ok());
  // Each can do without the other.
  std::filesystem::remove_all(first);
  ASSERT_NO_FATAL_FAILURE(Restart());
  ExpectAllMade();
}

}  // namespace
}  // namespace cairn::testing
