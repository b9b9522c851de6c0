// Batches through the door: the same outcomes as call by call, released no earlier (P2).
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "namenode/codec/edit_codec.h"
#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {
namespace {

// One random call, made the same way wherever it goes; what became of it, as text.
struct RandomCall {
  int kind = 0;
  std::string path;
  std::string other;
  CallContext context;
  std::string outcome;  // empty: none yet

  void Make(ClientOperations& operations) {
    const auto status = [this](const absl::Status& status) { outcome = status.ToString(); };
    switch (kind) {
      case 0:
      case 1:
        return operations.Mkdirs(context, {path, 0755, other.size() % 2 == 0}, status);
      case 2:
        return operations.Rename(context, {path, other}, status);
      case 3:
        return operations.Delete(context, {path, true}, status);
      case 4:
        return operations.SetPermission(context, path, 0700, status);
      case 5: {
        CreateRequest request;
        request.path = path;
        request.overwrite = true;
        return operations.Create(context, request, [this](absl::StatusOr<CreatedFile> file) {
          outcome = file.ok() ? fmt::format("inode {}", file->inode) : file.status().ToString();
        });
      }
      case 6:
        return operations.List(context, path, "", 100, [this](absl::StatusOr<ListPage> page) {
          outcome = page.status().ToString();
          if (!page.ok()) return;
          for (const FileStatus& entry : page->entries) outcome += " " + entry.name;
        });
      default:
        return operations.GetFileInfo(context, path, [this](absl::StatusOr<FileStatus> info) {
          outcome = info.ok() ? fmt::format("inode {} {}", info->inode, info->children)
                              : info.status().ToString();
        });
    }
  }
};

std::vector<RandomCall> RandomCalls(Door& door, uint32_t seed, size_t count) {
  std::mt19937 random(seed);
  const auto path = [&] {
    std::string path = fmt::format("/n{}", random() % 4);
    if (random() % 2 == 0) path += fmt::format("/n{}", random() % 4);
    return path;
  };
  std::vector<RandomCall> calls(count);
  uint64_t call_id = 0;
  for (RandomCall& call : calls) {
    call.kind = static_cast<int>(random() % 10);
    call.path = path();
    call.other = path();
    // Some are retries of an earlier one.
    const bool retry = call_id > 0 && random() % 8 == 0;
    call.context = door.Call(retry ? 1 + random() % call_id : ++call_id);
  }
  return calls;
}

TEST(BatchTest, AnyBordersBetweenBatchesGiveWhatCallByCallGives) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    Door one_by_one;
    one_by_one.journal.Flow();
    std::vector<RandomCall> expected = RandomCalls(one_by_one, seed, 300);
    for (RandomCall& call : expected) call.Make(one_by_one.operations);

    Door door;
    std::vector<RandomCall> calls = RandomCalls(door, seed, 300);
    std::mt19937 random(seed);
    for (size_t next = 0; next < calls.size();) {
      const size_t end = std::min(calls.size(), next + 1 + random() % 100);
      DoorBatch batch;
      for (; next < end; ++next) {
        calls[next].context.batch = &batch;
        calls[next].Make(door.operations);
      }
      door.operations.EnterBatch(std::move(batch), [] {});
      if (random() % 4 == 0) door.journal.Sync();
    }
    door.journal.Sync();
    door.namesystem.Stop();  // all are released
    one_by_one.namesystem.Stop();
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(calls[i].outcome, expected[i].outcome) << "seed " << seed << ", call " << i;
    }
    EXPECT_EQ(door.journal.records(), one_by_one.journal.records()) << "seed " << seed;
  }
}

TEST(BatchTest, WhatSawAnUndurableChangeOfItsOwnBatchIsReleasedWithIt) {
  Door door;
  std::vector<RandomCall> calls = {
      {7, "/", "", door.Call(0), ""},   {0, "/a", "", door.Call(1), ""},
      {7, "/a", "", door.Call(0), ""},  {7, "/a/x", "", door.Call(0), ""},
      {0, "/a", "x", door.Call(2), ""}, {0, "/a", "", door.Call(1), ""},
  };
  int released = 0;
  DoorBatch batch;
  for (RandomCall& call : calls) {
    call.context.batch = &batch;
    call.Make(door.operations);
  }
  door.operations.EnterBatch(std::move(batch), [&released] { ++released; });
  EXPECT_NE(calls[0].outcome, "");  // saw nothing of it
  EXPECT_EQ(released, 1);
  for (size_t i = 1; i < calls.size(); ++i) EXPECT_EQ(calls[i].outcome, "") << i;
  door.journal.Sync();
  door.namesystem.Stop();
  EXPECT_EQ(released, 2);  // the others came together
  for (const RandomCall& call : calls) EXPECT_NE(call.outcome, "");
  EXPECT_EQ(door.journal.records().size(), 1u);
}

TEST(BatchTest, ACallWhoseTimeIsOverIsNotCarriedOut) {
  Door door;
  door.journal.Flow();
  RandomCall late{0, "/late", "", door.Call(1), ""};
  RandomCall read{7, "/", "", door.Call(0), ""};
  RandomCall early{0, "/early", "", door.Call(2), ""};
  late.context.expires_us = door.clock.SteadyUs();
  read.context.expires_us = door.clock.SteadyUs();
  early.context.expires_us = door.clock.SteadyUs() + 1;
  DoorBatch batch;
  for (RandomCall* call : {&late, &read, &early}) {
    call->context.batch = &batch;
    call->Make(door.operations);
  }
  door.operations.EnterBatch(std::move(batch), [] {});
  EXPECT_THAT(late.outcome, ::testing::HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_THAT(read.outcome, ::testing::HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_EQ(early.outcome, "OK");
  EXPECT_EQ(door.journal.records().size(), 1u);
}

TEST(BatchTest, SafeModeRefusesTheChangesOfABatchAlone) {
  Door door;
  door.journal.Flow();
  door.blocks.EnterSafeMode();
  RandomCall change{0, "/a", "", door.Call(1), ""};
  RandomCall read{7, "/", "", door.Call(0), ""};
  DoorBatch batch;
  for (RandomCall* call : {&change, &read}) {
    call->context.batch = &batch;
    call->Make(door.operations);
  }
  door.operations.EnterBatch(std::move(batch), [] {});
  EXPECT_THAT(change.outcome, ::testing::HasSubstr("safe mode"));
  EXPECT_THAT(read.outcome, ::testing::HasSubstr("inode 1"));
}

// Batches and single calls of several threads, while the journal goes on: for the sanitizers.
TEST(BatchTest, ThreadsMeetAtTheDoor) {
  Door door;
  std::atomic<bool> done = false;
  std::thread syncs([&] {
    while (!done) {
      door.journal.Sync();
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  std::atomic<int> groups = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      uint64_t call_id = 0;
      for (int round = 0; round < 20; ++round) {
        DoorBatch batch;
        std::vector<CallContext> contexts(50);
        for (CallContext& context : contexts) {
          context = door.Call(++call_id);
          context.key.client[1] = static_cast<uint8_t>(t + 1);
          context.batch = round % 4 == 0 ? nullptr : &batch;
          door.operations.Mkdirs(context, {fmt::format("/t{}/d{}", t, call_id), 0755, true},
                                 [&](const absl::Status& status) { answered += status.ok(); });
        }
        door.operations.EnterBatch(std::move(batch), [&] { ++groups; });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (answered < 4 * 20 * 50) std::this_thread::yield();
  done = true;
  syncs.join();
  door.namesystem.Stop();  // groups are counted after their answers
  EXPECT_GE(groups, 4 * 15);
}

}  // namespace
}  // namespace cairn::namenode
