// P1, P2 and P5 at the door: what is released when, and what a retry gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;

TEST(DoorTest, AnAnswerWaitsForItsEditToBeDurable) {
  Door door;
  Slot<absl::Status> made;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, made.Reply());
  EXPECT_FALSE(made.came());
  door.journal.Sync();
  EXPECT_EQ(made.Await(), absl::OkStatus());
}

TEST(DoorTest, AReadWaitsOnlyForWhatItSaw) {
  Door door;
  Slot<absl::Status> old_made;
  door.operations.Mkdirs(door.Call(1), {"/old", 0755, false}, old_made.Reply());
  door.journal.Sync();
  ASSERT_TRUE(old_made.Await().has_value());
  Slot<absl::Status> new_made;
  door.operations.Mkdirs(door.Call(2), {"/new", 0755, false}, new_made.Reply());

  Slot<absl::StatusOr<FileStatus>> old_info;
  Slot<absl::StatusOr<FileStatus>> new_info;
  Slot<absl::StatusOr<FileStatus>> miss;
  door.operations.GetFileInfo(door.Call(0), "/old", old_info.Reply());
  door.operations.GetFileInfo(door.Call(0), "/new", new_info.Reply());
  door.operations.GetFileInfo(door.Call(0), "/none", miss.Reply());
  EXPECT_TRUE(old_info.came());
  EXPECT_FALSE(new_info.came());
  EXPECT_FALSE(miss.came());  // the directory that it looked into has changed
  door.journal.Sync();
  EXPECT_TRUE(new_info.Await()->ok());
  EXPECT_TRUE(absl::IsNotFound(miss.Await()->status()));
}

TEST(DoorTest, ARefusalWaitsForWhatItReveals) {
  Door door;
  Slot<absl::Status> made;
  Slot<absl::Status> refused;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, made.Reply());
  door.operations.Mkdirs(door.Call(2), {"/a", 0755, false}, refused.Reply());
  EXPECT_FALSE(refused.came());
  door.journal.Sync();
  EXPECT_TRUE(absl::IsAlreadyExists(*refused.Await()));
  EXPECT_EQ(door.journal.records().size(), 1u);  // a refusal is not journaled
}

TEST(DoorTest, ARetryGetsTheFirstAnswerAndWaitsForIt) {
  Door door;
  CreateRequest request;
  request.path = "/f";
  Slot<absl::StatusOr<CreatedFile>> first;
  Slot<absl::StatusOr<CreatedFile>> again;
  door.operations.Create(door.Call(1), request, first.Reply());
  door.operations.Create(door.Call(1), request, again.Reply());
  EXPECT_FALSE(again.came());
  door.journal.Sync();
  ASSERT_TRUE(first.Await()->ok());
  ASSERT_TRUE(again.Await()->ok());
  EXPECT_EQ((*first.Await())->inode, (*again.Await())->inode);
  EXPECT_EQ(door.journal.records().size(), 1u);
}

TEST(DoorTest, ARetryBelowTheWindowIsNeverCarriedOutAgain) {
  Door door;
  door.journal.Flow();
  Slot<absl::Status> made;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, made.Reply());
  ASSERT_EQ(made.Await(), absl::OkStatus());
  CallContext later = door.Call(2);
  later.key.done_below = 2;
  Slot<absl::Status> removed;
  door.operations.Delete(later, {"/a", false}, removed.Reply());
  ASSERT_EQ(removed.Await(), absl::OkStatus());

  Slot<absl::Status> retried;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, retried.Reply());
  ASSERT_TRUE(retried.Await().has_value());
  EXPECT_EQ(KindOf(*retried.Await()), ErrorKind::kOutcomeUnknown);
}

TEST(DoorTest, ACallIdNamesOneCallAndIsNeverZero) {
  Door door;
  door.journal.Flow();
  Slot<absl::Status> unnamed;
  door.operations.Mkdirs(door.Call(0), {"/a", 0755, false}, unnamed.Reply());
  EXPECT_TRUE(absl::IsInvalidArgument(*unnamed.Await()));
  Slot<absl::Status> made;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, made.Reply());
  ASSERT_EQ(made.Await(), absl::OkStatus());
  CreateRequest request;
  request.path = "/f";
  Slot<absl::StatusOr<CreatedFile>> reused;
  door.operations.Create(door.Call(1), request, reused.Reply());
  EXPECT_TRUE(absl::IsInvalidArgument(reused.Await()->status()));
}

TEST(DoorTest, OpenBlocksAreToldWithTheSpaceTheyMayTake) {
  Door door;
  door.journal.Flow();
  NodeRegistration node;
  node.number = 1;
  node.id = "n1";
  node.addresses = {"127.0.0.1:1"};
  StorageReport storage;
  storage.number = 1;
  storage.capacity_bytes = 3 << 20;
  storage.remaining_bytes = 3 << 20;
  node.storages = {storage};
  ASSERT_EQ(door.blocks.Register(node), absl::OkStatus());
  CreateRequest request;
  request.replication = 1;
  request.block_size = 2 << 20;
  request.with_block = true;
  for (const bool fits : {true, false}) {  // the first one's block promises most of the space
    request.path = fits ? "/first" : "/second";
    Slot<absl::StatusOr<CreatedFile>> created;
    door.operations.Create(door.Call(fits ? 1 : 2), request, created.Reply());
    ASSERT_TRUE(created.Await().has_value());
    EXPECT_EQ(created.Await()->ok(), fits) << created.Await()->status();
  }
}

TEST(DoorTest, SafeModeRefusesChangesButNotReadsOrRetries) {
  Door door;
  door.journal.Flow();
  Slot<absl::Status> made;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, made.Reply());
  ASSERT_EQ(made.Await(), absl::OkStatus());
  door.blocks.EnterSafeMode();

  Slot<absl::Status> refused;
  door.operations.Mkdirs(door.Call(2), {"/b", 0755, false}, refused.Reply());
  ASSERT_TRUE(refused.Await().has_value());
  EXPECT_EQ(KindOf(*refused.Await()), ErrorKind::kSafeMode);
  EXPECT_THAT(MessageOf(*refused.Await()), HasSubstr("safe mode"));
  Slot<absl::Status> retried;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, retried.Reply());
  EXPECT_EQ(retried.Await(), absl::OkStatus());
  Slot<absl::StatusOr<FileStatus>> info;
  door.operations.GetFileInfo(door.Call(0), "/a", info.Reply());
  EXPECT_TRUE(info.Await()->ok());
}

TEST(DoorTest, APathIsRefusedForItsOwnReasonEvenWithoutDataNodes) {
  Door door;
  door.journal.Flow();
  Slot<absl::Status> made;
  door.operations.Mkdirs(door.Call(1), {"/d", 0755, false}, made.Reply());
  ASSERT_EQ(made.Await(), absl::OkStatus());
  CreateRequest request;
  request.path = "/d";
  request.with_block = true;
  Slot<absl::StatusOr<CreatedFile>> directory;
  door.operations.Create(door.Call(2), request, directory.Reply());
  EXPECT_THAT(MessageOf(directory.Await()->status()), HasSubstr("Is a directory"));
  request.path = "/f";
  Slot<absl::StatusOr<CreatedFile>> no_nodes;
  door.operations.Create(door.Call(3), request, no_nodes.Reply());
  EXPECT_EQ(MessageOf(no_nodes.Await()->status()), "need 2 healthy DataNodes, 0 available; add 2");
}

TEST(DoorTest, NothingIsTakenAfterStop) {
  Door door;
  door.journal.Flow();
  door.namesystem.Stop();
  Slot<absl::Status> refused;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, refused.Reply());
  EXPECT_EQ(KindOf(*refused.Await()), ErrorKind::kNotActive);
}

}  // namespace
}  // namespace cairn::namenode
