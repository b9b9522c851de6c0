// Random operations through the door, from several threads, over a real journal: replay, and a
// checkpoint plus the edits after it, give the same digest as the live state.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "common/env.h"
#include "namenode/journal/file_journal.h"
#include "namenode/namesystem/state_store.h"
#include "tests/support/cluster.h"
#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {
namespace {

constexpr char kCluster[] = "11111111-2222-3333-4444-555555555555";

// A NameNode's rooms on one data directory, without its servers.
class Rooms {
 public:
  Rooms(Env* env, const std::string& dir) : store_(env, {dir}, kCluster) {
    absl::StatusOr<LoadedState> loaded = store_.Recover();
    if (!loaded.ok()) {
      EXPECT_TRUE(store_.Format("root", "supergroup", 0).ok());
      loaded = store_.Recover();
    }
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    FileJournalOptions options;
    options.dirs = {dir};
    journal_ = std::make_unique<FileJournal>(env, options);
    blocks_ = std::make_unique<BlockManager>(
        BlockManagerOptions{}, &clock_, [this] { return journal_->durable(); }, 1);
    namesystem_ = std::make_unique<Namesystem>(std::move(loaded->state), journal_.get(),
                                               blocks_.get(), &clock_, &metrics_);
    operations_ = std::make_unique<ClientOperations>(namesystem_.get(), blocks_.get(), &clock_,
                                                     NamespaceConfig{});
    EXPECT_TRUE(journal_->Start(loaded->last_txid + 1).ok());
    blocks_->FinishLoading();
  }
  ~Rooms() { Stop(); }

  void Stop() {
    namesystem_->Stop();
    journal_->Stop();
  }
  Digest LiveDigest() {
    Digest digest;
    namesystem_->Peek([&](const FsState& state) {
      digest = state.digest();
      EXPECT_EQ(digest, state.RecomputeDigest());
    });
    return digest;
  }
  Namesystem& namesystem() { return *namesystem_; }
  StateStore& store() { return store_; }

  // One client's random operations, each waited for.
  void RunClient(uint32_t seed, int operations);

 private:
  void RunOne(std::mt19937& random, const CallContext& call, std::vector<INodeId>& open);

  StateStore store_;
  ManualClock clock_;
  Metrics metrics_;
  std::unique_ptr<FileJournal> journal_;
  std::unique_ptr<BlockManager> blocks_;
  std::unique_ptr<Namesystem> namesystem_;
  std::unique_ptr<ClientOperations> operations_;
};

std::string RandomPath(std::mt19937& random) {
  std::string path;
  const int depth = 1 + static_cast<int>(random() % 3);
  for (int i = 0; i < depth; ++i) path += fmt::format("/n{}", random() % 5);
  return path;
}

void Rooms::RunOne(std::mt19937& random, const CallContext& call, std::vector<INodeId>& open) {
  Slot<absl::Status> done;
  const std::string path = RandomPath(random);
  switch (random() % 9) {
    case 0:
    case 1:
      operations_->Mkdirs(call, {path, 0755, true}, done.Reply());
      break;
    case 2: {
      Slot<absl::StatusOr<CreatedFile>> created;
      CreateRequest request;
      request.path = path;
      request.overwrite = random() % 2 == 0;
      request.unpublished = random() % 2 == 0;
      operations_->Create(call, request, created.Reply());
      const auto file = created.Await();
      ASSERT_TRUE(file.has_value());
      if (file->ok()) open.push_back((*file)->inode);
      return;
    }
    case 3:
    case 4: {
      if (open.empty()) return;
      CompleteRequest request;
      request.inode = open.back();
      open.pop_back();
      if (random() % 2 == 0) request.publish_as = path;
      request.overwrite = true;
      operations_->Complete(call, request, done.Reply());
      break;
    }
    case 5:
      operations_->Rename(call, {path, RandomPath(random)}, done.Reply());
      break;
    case 6:
      operations_->Delete(call, {path, random() % 4 == 0}, done.Reply());
      break;
    case 7:
      operations_->SetPermission(call, path, 0700 + random() % 0100, done.Reply());
      break;
    default:
      operations_->SetOwner(call, path, fmt::format("u{}", random() % 3), "g", done.Reply());
      break;
  }
  ASSERT_TRUE(done.Await().has_value());
}

void Rooms::RunClient(uint32_t seed, int operations) {
  std::mt19937 random(seed);
  std::vector<INodeId> open;
  for (int i = 1; i <= operations; ++i) {
    CallContext call;
    call.caller = {"root", {}, true};
    call.key.client.fill(static_cast<uint8_t>(seed));
    call.key.call_id = static_cast<uint64_t>(i);
    call.key.done_below = static_cast<uint64_t>(i > 8 ? i - 8 : 0);
    RunOne(random, call, open);
    clock_.AdvanceMs(random() % 10'000);
    if (random() % 50 == 0) {
      EXPECT_TRUE(namesystem_->Reclaim(2).ok());
    }
  }
}

class ReplayTest : public ::testing::Test {
 protected:
  ReplayTest() { EXPECT_TRUE(env_->CreateDirs(dir_).ok()); }
  void Work(Rooms& rooms, uint32_t seed) {
    std::vector<std::thread> clients;
    for (uint32_t i = 0; i < 3; ++i) {
      clients.emplace_back([&rooms, seed, i] { rooms.RunClient(seed + i, 400); });
    }
    for (std::thread& client : clients) client.join();
  }

  testing::TempDir temp_;
  const std::string dir_ = temp_ / "current";
  const std::unique_ptr<Env> env_ = NewPosixEnv();
};

TEST_F(ReplayTest, ReplayEqualsLive) {
  Digest live;
  {
    Rooms rooms(env_.get(), dir_);
    Work(rooms, 10);
    live = rooms.LiveDigest();
  }
  Rooms restarted(env_.get(), dir_);
  EXPECT_EQ(restarted.LiveDigest(), live);
}

TEST_F(ReplayTest, CheckpointPlusTailEqualsLive) {
  Digest live;
  {
    Rooms rooms(env_.get(), dir_);
    Work(rooms, 20);
    const absl::StatusOr<TxId> rolled = rooms.namesystem().Roll();
    ASSERT_TRUE(rolled.ok());
    std::thread checkpoint(
        [&] { EXPECT_EQ(rooms.store().WriteCheckpoint(*rolled), absl::OkStatus()); });
    Work(rooms, 30);
    checkpoint.join();
    live = rooms.LiveDigest();
  }
  StateStore store(env_.get(), {dir_}, kCluster);
  const absl::StatusOr<LoadedState> loaded = store.Recover();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_GT(loaded->image_txid, 0u);
  EXPECT_EQ(loaded->state->digest(), live);
  EXPECT_EQ(loaded->state->RecomputeDigest(), live);
}

}  // namespace
}  // namespace cairn::namenode
