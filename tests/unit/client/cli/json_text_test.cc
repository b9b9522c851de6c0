#include "client/cli/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cairn::cli {
namespace {

using nlohmann::json;

TEST(JsonTextTest, FileStatus) {
  const FileStatus status{.length = 5,
                          .replication = 3,
                          .block_size = 4096,
                          .owner = "alice",
                          .group = "staff",
                          .mode = 0644,
                          .mtime_ms = 11,
                          .atime_ms = 12,
                          .inode = 13,
                          .blocks = 1};
  EXPECT_EQ(FileStatusJson("/a", status),
            R"({"path":"/a","type":"file","length":5,"replication":3,"block_size":4096,)"
            R"("owner":"alice","group":"staff","mode":"0644","mtime_ms":11,"atime_ms":12,)"
            R"("inode":13,"blocks":1})");
  const json directory = json::parse(
      FileStatusJson("/d", {.type = FileType::kDirectory, .mode = 01777, .children = 4}));
  EXPECT_EQ(directory["type"], "directory");
  EXPECT_EQ(directory["mode"], "1777");
  EXPECT_EQ(directory["replication"], 0);
}

TEST(JsonTextTest, NamesThatAreNoUtf8AreStillJson) {
  const json parsed = json::parse(FileStatusJson("/\xff\"\n", {}));
  EXPECT_EQ(parsed["path"], "/\xef\xbf\xbd\"\n");
}

TEST(JsonTextTest, Locations) {
  EXPECT_EQ(LocationsJson({}), "[]");
  const LocatedBlock block{.block = {.id = 7, .generation = 8, .length = 9},
                           .offset = 10,
                           .nodes = {{.id = "n1", .addresses = {"h:1", "h:2"}, .rack = "/r"}}};
  const json parsed = json::parse(LocationsJson({block}));
  EXPECT_EQ(parsed, json::parse(R"([{"block_id":7,"generation":8,"offset":10,"length":9,
      "nodes":[{"id":"n1","address":"h:1","rack":"/r"}]}])"));
}

TEST(JsonTextTest, Array) {
  JsonArray empty;
  EXPECT_EQ(empty.End(), "[]\n");
  JsonArray array;
  std::string text = array.Add("{\"a\":1}");
  text += array.Add("{\"a\":2}");
  text += array.End();
  EXPECT_EQ(json::parse(text), json::parse(R"([{"a":1},{"a":2}])"));
  EXPECT_EQ(text, "[\n  {\"a\":1},\n  {\"a\":2}\n]\n");
}

}  // namespace
}  // namespace cairn::cli
