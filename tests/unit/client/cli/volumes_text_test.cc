#include "client/cli/volumes_text.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace cairn::cli {
namespace {

using ::testing::HasSubstr;

VolumeDetails Disk(const std::string& path, bool failed) {
  return {.path = path,
          .storage_id = "uuid-of-" + path,
          .capacity_bytes = 8ull << 30,
          .used_bytes = 3ull << 30,
          .remaining_bytes = failed ? 0 : 5ull << 30,
          .blocks = 12,
          .failed = failed};
}

TEST(VolumesTextTest, ListsOneALine) {
  const std::string text =
      VolumesText({.node_id = "n1", .volumes = {Disk("/disk1", false), Disk("/disk2", true)}});
  EXPECT_THAT(text, ::testing::MatchesRegex("volume +blocks +used +free +state +storage\n"
                                            "/disk1 +12 +3.*G.* +5.*G.* +in use +uuid-of-/disk1\n"
                                            "/disk2 +12 +3.*G.* +0.* +failed +uuid-of-/disk2\n"));
}

TEST(VolumesTextTest, SaysWhichIsSlow) {
  VolumeDetails slow = Disk("/disk1", false);
  slow.slow = true;
  EXPECT_THAT(VolumesText({.node_id = "n1", .volumes = {slow}}), HasSubstr(" slow "));
  EXPECT_THAT(VolumesJson({.node_id = "n1", .volumes = {slow}}), HasSubstr("\"slow\": true"));
}

TEST(VolumesTextTest, SaysWhatTheNextStartNeeds) {
  VolumeChange change{.node_id = "n1", .volume = Disk("/disk1", false), .replicas = 1};
  EXPECT_EQ(AddedText(change),
            "n1 uses /disk1 now, where it found 12 replicas\n"
            "add /disk1 to --data-dir, or a restart forgets it\n");
  EXPECT_EQ(RemovedText(change),
            "n1 does not use /disk1 any more; 1 replica was there, now copied from other nodes\n"
            "take /disk1 out of --data-dir, or a restart takes it in again\n");
  change.replicas = 3;
  EXPECT_THAT(RemovedText(change), HasSubstr("3 replicas were there"));
}

TEST(VolumesTextTest, JsonHasAllOfIt) {
  const VolumeChange change{.node_id = "n1", .volume = Disk("/disk1", true), .replicas = 3};
  const auto removed = nlohmann::json::parse(RemovedJson(change));
  EXPECT_EQ(removed.at("node_id"), "n1");
  EXPECT_EQ(removed.at("replicas"), 3);
  const auto& volume = removed.at("volume");
  EXPECT_EQ(volume.at("path"), "/disk1");
  EXPECT_EQ(volume.at("storage_id"), "uuid-of-/disk1");
  EXPECT_EQ(volume.at("capacity_bytes"), 8ull << 30);
  EXPECT_EQ(volume.at("used_bytes"), 3ull << 30);
  EXPECT_EQ(volume.at("remaining_bytes"), 0);
  EXPECT_EQ(volume.at("blocks"), 12);
  EXPECT_EQ(volume.at("failed"), true);
  EXPECT_FALSE(nlohmann::json::parse(AddedJson(change)).contains("replicas"));
  EXPECT_EQ(nlohmann::json::parse(VolumesJson({.node_id = "n1"})).dump(),
            "{\"node_id\":\"n1\",\"volumes\":[]}");
}

}  // namespace
}  // namespace cairn::cli
