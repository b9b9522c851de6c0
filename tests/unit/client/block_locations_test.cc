#include "client/block_locations.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "client/client_core.h"
#include "client/open_file.h"
#include "tests/unit/client/fake_cluster.h"

namespace cairn {
namespace {

// A reader that found no replica any more forgets the block, while another one asks where it is.
TEST(BlockLocationsTest, WhatOneReaderForgetsAnotherFindsAllTheSame) {
  testing::FakeCluster cluster(1);
  ASSERT_TRUE(cluster.Write(*cluster.Connect(), "/f", "bytes", {.replication = 1}).ok());
  const auto core = ClientCore::Make({.namenodes = {cluster.namenode().address()}, .user = "ann"});
  ASSERT_TRUE(core.ok()) << core.status();
  const auto file = LocateReadable(**core, "/f");
  ASSERT_TRUE(file.ok()) << file.status();
  BlockLocations locations(core->get(), "/f", *file);
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&locations] {
      for (int round = 0; round < 500; ++round) {
        const auto block = locations.Locate(4);
        ASSERT_TRUE(block.ok()) << block.status();
        EXPECT_EQ(block->block().length(), 5u);
        locations.Forget(*block);
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace cairn
