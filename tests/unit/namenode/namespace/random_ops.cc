#include "tests/unit/namenode/namespace/random_ops.h"

namespace cairn::namenode {

RandomOps::RandomOps(FsFixture& fs, uint64_t seed) : fs_(fs), random_(seed) {
  users_ = {FsFixture::Superuser(), FsFixture::User("ann", {"staff"}),
            FsFixture::User("bob", {"staff", "ops"}), FsFixture::User("cid")};
  fs_.RegisterNodes(3);
}

// Short names in few levels, so that operations meet.
std::string RandomOps::RandomPath() {
  std::string path;
  const uint64_t depth = Pick(12) == 0 ? 0 : 1 + Pick(4);
  for (uint64_t i = 0; i < depth; ++i)
    path += "/" + std::string(1, static_cast<char>('a' + Pick(4)));
  return path.empty() ? "/" : path;
}

std::string RandomOps::KnownPath() {
  auto it = model_.entries().begin();
  std::advance(it, Pick(model_.entries().size()));
  return it->first;
}

void RandomOps::BeginCall() {
  fs_.facts.now_ms += static_cast<int64_t>(Pick(50) == 0 ? 400'000 : Pick(1000));
  fs_.caller = users_[Pick(users_.size())];
  const auto client = static_cast<uint8_t>(1 + Pick(5));
  fs_.holder = Client(client);
  const uint64_t call_id = ++calls_[client];
  fs_.retry = RetryKey{Client(client), call_id, call_id - Pick(std::min<uint64_t>(call_id, 4))};
}

void RandomOps::Expect(const char* what, const std::string& path, absl::StatusCode expected,
                       const absl::Status& actual) {
  EXPECT_EQ(actual.code(), expected)
      << what << " " << path << " by " << fs_.caller.user << ": " << actual.ToString();
}

void RandomOps::Step() {
  BeginCall();
  const Counters before = fs_.state.counters();
  const uint64_t kind = Pick(30);
  if (kind < 9) {
    TreeStep(kind);
  } else if (kind < 13) {
    AttributeStep(kind);
  } else if (kind < 21) {
    FileStep();
  } else if (kind < 23) {
    ReopenStep();
  } else if (kind == 26) {
    QuotaStep();
  } else if (kind > 26) {
    ConcatStep();
  } else {
    fs_.retry.reset();  // what the NameNode does by itself
    OwnStep(kind);
  }
  // Ids and stamps never return.
  EXPECT_GE(fs_.state.next_block(), before.next_block);
  EXPECT_GE(fs_.state.next_generation(), before.next_generation);
  EXPECT_GE(fs_.state.epoch(), before.epoch);
}

void RandomOps::TreeStep(uint64_t kind) {
  const std::string path = Pick(2) == 0 ? RandomPath() : KnownPath();
  const std::string other = RandomPath();
  const bool flag = Pick(2) == 0;
  const uint32_t mode = Pick(3) == 0 ? Pick(01000) : 0777;
  if (kind < 4) {
    Expect("mkdirs", path, model_.Mkdirs(fs_.caller, path, flag, mode),
           fs_.Mkdir(path, flag, mode));
  } else if (kind < 7) {
    Expect("rename", path + " " + other, model_.Rename(fs_.caller, path, other),
           fs_.Rename(path, other));
  } else {
    Expect("delete", path, model_.Delete(fs_.caller, path, flag), fs_.Delete(path, flag));
  }
}

void RandomOps::AttributeStep(uint64_t kind) {
  const std::string path = KnownPath();
  static constexpr const char* kOwners[] = {"", "ann", "bob", "cid"};
  static constexpr const char* kGroups[] = {"staff", "ops", "other", "supergroup"};
  if (kind == 9) {
    const uint32_t mode = Pick(2) == 0 ? 01777 : Pick(02000);
    Expect("chmod", path, model_.SetPermission(fs_.caller, path, mode), fs_.Chmod(path, mode));
  } else if (kind == 10) {
    const std::string owner = kOwners[Pick(4)];
    const std::string group = kGroups[Pick(4)];
    Expect("chown", path, model_.SetOwner(fs_.caller, path, owner, group),
           fs_.Chown(path, owner, group));
  } else if (kind == 11) {
    const uint32_t replication = 1 + Pick(5);
    Expect("setrep", path, model_.SetReplication(fs_.caller, path, replication),
           fs_.Do(PlanSetReplication(fs_.state, fs_.caller, path, replication, fs_.facts)));
  } else {
    const auto page = ReadList(fs_.state, fs_.caller, path, "", 0, fs_.facts);
    Expect("list", path, model_.CanList(fs_.caller, path), page.value.status());
  }
}

void RandomOps::CompareEverything() {
  for (const auto& [path, entry] : model_.entries()) {
    const auto status = fs_.Stat(path);
    ASSERT_TRUE(status.ok()) << path << " " << status.status();
    EXPECT_EQ(status->type == INodeType::kDirectory, entry.dir) << path;
    EXPECT_EQ(status->owner, entry.owner) << path;
    EXPECT_EQ(status->group, entry.group) << path;
    EXPECT_EQ(status->mode, entry.mode) << path;
    EXPECT_EQ(status->length, entry.length) << path;
    EXPECT_EQ(status->replication, entry.replication) << path;
    EXPECT_EQ(status->open, entry.open) << path;
    if (!entry.dir) CheckBlocks(path, status->inode);
    EXPECT_EQ(fs_.state.PathOf(status->inode), path);
    if (entry.dir) EXPECT_EQ(fs_.Names(path), model_.ChildrenOf(path)) << path;
    CompareUsage(path);
  }
}

}  // namespace cairn::namenode
