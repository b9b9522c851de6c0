// Readers, writers, recoveries, deletions and checks of the same blocks from many threads: nobody
// gets a wrong byte, no replica is taken for bad, no room is lost.
#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::IsEmpty;

constexpr uint64_t kCapacity = 1 << 30;

class StoreThreadsTest : public StoreTest {
 protected:
  void SetUp() override {
    ReplicaStore::Options options = OptionsFor({"/d0"});
    options.capacity_bytes = kCapacity;
    store_ = *TryOpen(options);
    store_->SetObserver(nullptr);
  }

  // What may go wrong where others are at work, but not a wrong byte.
  static void ExpectBusy(const absl::Status& status) {
    EXPECT_NE(KindOf(status), ErrorKind::kChecksum) << status;
    EXPECT_FALSE(absl::IsInternal(status)) << status;
  }

  // Reads block `id` until `done`, once at least; its bytes are the first ones of `content`.
  // Returns how many readings there were.
  uint64_t ReadUntil(BlockId id, const std::string& content, const std::atomic<bool>& done) {
    uint64_t readings = 0;
    uint64_t seen = 0;
    while (!done.load() || readings == 0) {
      const auto replica = store_->GetReplica({id, 0, 0});
      if (!replica.ok()) {
        ExpectBusy(replica.status());
        continue;
      }
      // What could be read once can be read for good.
      EXPECT_GE(replica->block.length, seen);
      seen = std::max(seen, replica->block.length);
      const auto reader = store_->OpenReader(replica->block);
      if (!reader.ok()) {
        ExpectBusy(reader.status());
        continue;
      }
      EXPECT_GE((*reader)->block().length, replica->block.length);
      const auto bytes = ReadAll(**reader);
      EXPECT_TRUE(bytes.ok()) << bytes.status();
      if (bytes.ok()) EXPECT_TRUE(*bytes == content.substr(0, bytes->size()));
      ++readings;
    }
    return readings;
  }

  std::unique_ptr<ReplicaStore> store_;
};

TEST_F(StoreThreadsTest, ReadersBesideAWriter) {
  const std::string content = BytesOf(1, 600'000);
  std::atomic<bool> done = false;
  std::atomic<uint64_t> readings = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] { readings += ReadUntil(7, content, done); });
  }
  threads.emplace_back([&] {
    while (!done.load()) {
      const auto good = store_->Verify({7, 0, 0});
      if (good.ok()) EXPECT_TRUE(*good);
      if (!good.ok()) ExpectBusy(good.status());
    }
  });
  threads.emplace_back([&] {
    while (!done.load()) store_->SyncPending();
  });

  std::minstd_rand random(1);
  GenerationStamp generation = 1;
  auto writer = *store_->Create({7, generation, 1 << 20});
  uint64_t length = 0;
  while (length < content.size()) {
    length = std::min<uint64_t>(content.size(), length + 1 + random() % 9'000);
    ASSERT_TRUE(GrowTo(*writer, content, length).ok());
    writer->SetVisible(length - random() % 2);
    const uint32_t choice = random() % 8;
    if (choice == 0) ASSERT_TRUE(writer->Sync().ok());
    if (choice > 2 || length == content.size()) continue;
    // The pipeline fails, or the block is finalized and appended to.
    writer->SetVisible(length);
    if (choice == 1) ASSERT_TRUE(writer->Finalize(Durability::kNow).ok());
    if (choice == 2) ASSERT_TRUE(writer->Finalize(Durability::kLater).ok());
    writer.reset();
    auto next = store_->Reopen({7, generation + 1, 1 << 20}, generation, length);
    ASSERT_TRUE(next.ok()) << next.status();
    writer = *std::move(next);
    ++generation;
  }
  writer->SetVisible(length);
  ASSERT_TRUE(writer->Finalize().ok());
  done.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(readings.load(), 0u);
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
  EXPECT_TRUE(Same(Get(*store_, {7, generation, 0}), content));
}

// Every thread does to a few blocks whatever may be done to them, all at once.
class Crowd {
 public:
  explicit Crowd(ReplicaStore* store) : store_(store) {}

  void Run(uint32_t seed, int steps) {
    std::minstd_rand random(seed);
    for (int i = 0; i < steps; ++i) {
      const BlockId id = 1 + random() % 3;
      // Stamps rise, but not in the order of the operations.
      const GenerationStamp stamp = 1 + stamps_.fetch_add(1);
      Step(id, stamp, random);
    }
  }

 private:
  void Step(BlockId id, GenerationStamp stamp, std::minstd_rand& random) {
    const uint64_t length = 1 + random() % 30'000;
    switch (random() % 8) {
      case 0:
        return Write(store_->Create({id, stamp, 40'000}), length, random);
      case 1:
        return Write(store_->Reopen({id, stamp, 40'000}, 0, 0), length, random);
      case 2:
        return Write(store_->CreateCopy({id, stamp, length}), length, random);
      case 3:
        return Recover(id, stamp, random);
      case 4:
        return store_->SyncPending();
      case 5:
        for (const ReplicaInfo& replica : store_->Replicas(0)) {
          if (replica.block.id == id) store_->Delete(replica.block).IgnoreError();
        }
        return;
      default:
        return Read(id);
    }
  }

  static std::string ContentOf(BlockId id) { return BytesOf(id, 40'000); }

  void Write(absl::StatusOr<std::unique_ptr<ReplicaWriter>> writer, uint64_t length,
             std::minstd_rand& random) {
    if (!writer.ok()) return Check(writer.status());
    const BlockId id = (*writer)->block().id;
    length = std::max(length, (*writer)->length());
    absl::Status status = GrowTo(**writer, ContentOf(id), length);
    (*writer)->SetVisible(length);
    const uint32_t choice = random() % 4;
    if (status.ok() && choice == 0) status = (*writer)->Sync();
    if (status.ok() && choice == 1) status = (*writer)->Finalize(Durability::kLater);
    if (status.ok() && choice == 2) status = (*writer)->Finalize(Durability::kNow);
    Check(status);
  }

  void Recover(BlockId id, GenerationStamp stamp, std::minstd_rand& random) {
    const auto answer = store_->StartRecovery({id, 0, 0}, stamp);
    if (!answer.ok()) return Check(answer.status());
    if (answer->state == RecoveryAnswer::kNone) return;
    Block agreed = answer->block;
    if (agreed.length > 0) agreed.length = 1 + random() % agreed.length;
    Check(store_->FinishRecovery(agreed, stamp).status());
  }

  void Read(BlockId id) {
    Check(store_->Checksum({id, 0, 0}).status());
    const auto good = store_->Verify({id, 0, 0});
    if (good.ok()) EXPECT_TRUE(*good);
    const auto bytes = GetAs(*store_, {id, 0, 0}, ReadAs::kVisible);
    if (!bytes.ok()) return Check(bytes.status());
    EXPECT_TRUE(*bytes == ContentOf(id).substr(0, bytes->size()));
  }

  static void Check(const absl::Status& status) {
    EXPECT_NE(KindOf(status), ErrorKind::kChecksum) << status;
    EXPECT_FALSE(absl::IsInternal(status)) << status;
    EXPECT_FALSE(absl::IsInvalidArgument(status)) << status;
  }

  ReplicaStore* const store_;
  std::atomic<GenerationStamp> stamps_ = 1;
};

TEST_F(StoreThreadsTest, EverythingAtOnce) {
  Crowd crowd(store_.get());
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 6; ++i) threads.emplace_back([&, i] { crowd.Run(i, 500); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(store_->Volumes()[0].failed);
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
  for (const ReplicaInfo& replica : store_->Replicas(0)) {
    EXPECT_TRUE(store_->Delete(replica.block).ok());
  }
  EXPECT_THAT(store_->Replicas(0), IsEmpty());
  EXPECT_EQ(store_->Volumes()[0].used_bytes, 0u);
  EXPECT_EQ(store_->Volumes()[0].blocks, 0u);
  EXPECT_EQ(store_->Volumes()[0].remaining_bytes, kCapacity);
  EXPECT_THAT(*env_.List("/d0/current/rbw"), IsEmpty());
  EXPECT_THAT(*env_.List("/d0/current/tmp"), IsEmpty());
}

}  // namespace
}  // namespace cairn::datanode
