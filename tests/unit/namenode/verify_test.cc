// verify over whole data directories in memory: every kind of damage is found and named, and what
// it says of a start is what a start does.
#include "namenode/verify.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/data_dir.h"
#include "common/logging.h"
#include "namenode/codec/edit_codec.h"
#include "namenode/codec/image.h"
#include "namenode/journal/file_journal.h"
#include "namenode/journal/image_store.h"
#include "namenode/namespace/apply.h"
#include "namenode/namespace/plan.h"
#include "namenode/namesystem/state_store.h"
#include "tests/support/fault_env.h"

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;
using Files = std::map<std::string, std::string>;

constexpr char kCluster[] = "4b1f6f1e-94b5-4f0e-8a34-0d8f8f3c9f00";

// What a NameNode leaves in `dirs` that was killed after two rolls and a checkpoint: the images of
// txid 0 and of the first roll, two closed segments, one in progress.
Files MakeFiles(const std::vector<std::string>& dirs) {
  FaultEnv env;
  std::vector<std::string> current;
  for (const std::string& dir : dirs) {
    auto opened = DataDir::Open(&env, dir, DataDirType::kNameNode);
    EXPECT_TRUE(opened.ok()) << opened.status();
    DataDirVersion version{.cluster_id = kCluster, .node_id = "n", .storage_id = dir};
    EXPECT_EQ((*opened)->Format(version), absl::OkStatus());
    current.push_back(dir + "/current");
  }
  StateStore store(&env, current, kCluster);
  EXPECT_EQ(store.Format("root", "supergroup", 1), absl::OkStatus());
  auto loaded = store.Recover();
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  FsState& state = *loaded->state;
  FileJournal journal(&env, {.dirs = current, .preallocate_bytes = 4096, .fatal = [](auto&) {}});
  journal.OnDurable([](TxId) {});
  EXPECT_EQ(journal.Start(1), absl::OkStatus());
  const auto carry = [&](const Planned& planned) {
    const EditRecord record{1000, std::nullopt, *planned.edit, planned.answer};
    const TxId txid = journal.Append([&](std::string* out) { EncodeEdit(record, out); });
    EXPECT_TRUE(Apply(state, txid, record).ok());
  };
  const Caller root{"root", {}, true};
  for (int segment = 0; segment < 3; ++segment) {
    for (int i = 0; i < 4; ++i) {
      carry(PlanMkdirs(state, root, {fmt::format("/{}-{}", segment, i), 0755, false}, {}));
    }
    carry(PlanDigest(state));
    if (segment == 2) break;
    EXPECT_TRUE(journal.Roll().ok());
    if (segment == 0) EXPECT_EQ(store.WriteCheckpoint(journal.last()), absl::OkStatus());
  }
  while (journal.durable() < journal.last()) {
  }
  env.Kill();  // before the journal could close its segment
  Files files;
  for (const std::string& dir : dirs) {
    files[dir + "/VERSION"] = *env.ReadFile(dir + "/VERSION");
    const std::vector<std::string> names = *env.List(dir + "/current");
    for (const std::string& name : names) {
      const std::string path = dir + "/current/" + name;
      files[path] = *env.ReadFile(path);
    }
  }
  return files;
}

const Files& OneDir() {
  static const Files files = MakeFiles({"/a"});
  return files;
}
const Files& TwoDirs() {
  static const Files files = MakeFiles({"/a", "/b"});
  return files;
}

std::string PathOf(const Files& files, const std::string& part) {
  for (const auto& [path, bytes] : files) {
    if (path.find(part) != std::string::npos) return path;
  }
  ADD_FAILURE() << "no file " << part;
  return "";
}

struct Verdict {
  VerifySummary summary;
  std::map<std::string, Json> files;  // by path
  Json last;
};

std::unique_ptr<FaultEnv> EnvOf(const Files& files, const std::vector<std::string>& dirs) {
  auto env = std::make_unique<FaultEnv>();
  for (const std::string& dir : dirs) EXPECT_TRUE(env->CreateDirs(dir + "/current").ok());
  for (const auto& [path, bytes] : files) {
    EXPECT_TRUE(env->WriteFileAtomically(path, bytes).ok());
  }
  return env;
}

Verdict Verify(const Files& files, const std::vector<std::string>& dirs = {"/a"}) {
  const auto env = EnvOf(files, dirs);
  const uint64_t changes = env->changes();
  Verdict verdict;
  auto summary = VerifyDataDirs(env.get(), dirs, [&](std::string_view line) {
    verdict.last = Json::parse(line);
    if (verdict.last.contains("file")) verdict.files[verdict.last["file"]] = verdict.last;
    return absl::OkStatus();
  });
  EXPECT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(env->changes(), changes) << "verify changed something";
  if (summary.ok()) verdict.summary = *summary;
  return verdict;
}

// Whether a NameNode starts on them.
bool Starts(const Files& files, const std::vector<std::string>& dirs = {"/a"}) {
  const auto env = EnvOf(files, dirs);
  std::vector<std::string> current;
  for (const std::string& dir : dirs) {
    if (!DataDir::Open(env.get(), dir, DataDirType::kNameNode).ok()) return false;
    current.push_back(dir + "/current");
  }
  return StateStore(env.get(), current, kCluster).Recover().ok();
}

TEST(VerifyTest, IntactFilesAreFineAndASegmentInProgressToo) {
  const Verdict verdict = Verify(OneDir());
  for (const auto& [path, line] : verdict.files) EXPECT_EQ(line["status"], "ok") << line;
  EXPECT_EQ(verdict.summary.files, 6u);
  EXPECT_TRUE(verdict.summary.starts);
  EXPECT_EQ(verdict.last["status"], "ok");
  EXPECT_EQ(verdict.last["image_txid"], 5);
  EXPECT_EQ(verdict.last["last_txid"], 15);
  EXPECT_EQ(verdict.files.at(PathOf(OneDir(), "inprogress"))["last_txid"], 15);
}

TEST(VerifyTest, AFlippedBitAnywhereIsFoundAndNamedAndTheStartIsForetold) {
  ASSERT_TRUE(InitLogging(LogLevel::kError, "/dev/null").ok());  // thousands of starts complain
  for (const auto& [path, bytes] : OneDir()) {
    const bool in_progress = path.find("inprogress") != std::string::npos;
    const bool version = path.ends_with("VERSION");
    const size_t used = bytes.find_last_not_of('\0') + 1;
    for (size_t at = 0; at < used; at += 3) {  // every structure is longer
      Files files = OneDir();
      files[path][at] = static_cast<char>(files[path][at] ^ (1 << at % 8));
      const Verdict verdict = Verify(files);
      const Json& line = verdict.files.at(path);
      ASSERT_EQ(verdict.summary.starts, Starts(files)) << path << " byte " << at << ": " << line;
      if (line["status"] == "damaged") {
        EXPECT_NE(line["reason"], "");
        // Frames, pieces, headers and trailers are named by where they begin.
        if (!version) ASSERT_LE(line["offset"], at) << line;
        continue;
      }
      // A torn tail, by its nature: the last batch of a segment that was being written.
      if (in_progress && line.contains("torn")) continue;
      // In the name of the checksum's own field, which is ignored then.
      ASSERT_TRUE(version && at > bytes.find("crc32c") - 4) << path << " byte " << at;
    }
  }
}

TEST(VerifyTest, ATornTailIsFineAndDamageBeforeItIsNot) {
  Files files = OneDir();
  const std::string path = PathOf(files, "inprogress");
  const size_t used = files[path].find_last_not_of('\0') + 1;
  files[path].resize(used - 3);
  const Verdict verdict = Verify(files);
  EXPECT_EQ(verdict.files.at(path)["status"], "ok");
  EXPECT_EQ(verdict.files.at(path)["torn"], true);
  EXPECT_EQ(verdict.summary.damaged, 0u);
  EXPECT_TRUE(verdict.summary.starts);
}

TEST(VerifyTest, AMissingSegmentIsNamedByTheOneBehindIt) {
  Files files = OneDir();
  files.erase(PathOf(files, "edits_00000000000000000006"));
  const Verdict verdict = Verify(files);
  const Json& line = verdict.files.at(PathOf(files, "inprogress"));
  EXPECT_EQ(line["status"], "damaged");
  EXPECT_THAT(line["reason"].get<std::string>(), HasSubstr("from txid 6 to 10 are missing"));
  EXPECT_FALSE(verdict.summary.starts);
  EXPECT_FALSE(Starts(files));
}

TEST(VerifyTest, EditsThatOnlyTheOlderImageNeedsAreMissedButAStartDoesNot) {
  Files files = OneDir();
  files.erase(PathOf(files, "edits_00000000000000000001"));
  const Verdict verdict = Verify(files);
  EXPECT_EQ(verdict.summary.damaged, 1u);
  EXPECT_TRUE(verdict.summary.starts);
  EXPECT_TRUE(Starts(files));
}

TEST(VerifyTest, TheLastSegmentsLossBelowTheImageEndsAStart) {
  Files files = OneDir();
  files.erase(PathOf(files, "edits_00000000000000000006"));
  files.erase(PathOf(files, "inprogress"));
  const std::string first = PathOf(files, "edits_00000000000000000001");
  EXPECT_TRUE(Verify(files).summary.starts);  // the image is of txid 5, the edits end there
  EXPECT_TRUE(Starts(files));
  files.erase(first);
  EXPECT_EQ(Verify(files).summary.starts, Starts(files));
}

// An image that is whole, and is not what the edits give.
TEST(VerifyTest, AnImageOfAnotherHistoryIsFound) {
  Files files = OneDir();
  const std::string path = PathOf(files, "fsimage_00000000000000000005");
  FaultEnv env;
  ASSERT_TRUE(env.CreateDirs("/x").ok());
  FsState other = FsState::Format("root", "supergroup", 1);
  for (TxId txid = 1; txid <= 5; ++txid) {
    const Planned plan =
        PlanMkdirs(other, {"root", {}, true}, {fmt::format("/other{}", txid), 0755, false}, {});
    ASSERT_TRUE(Apply(other, txid, {1000, std::nullopt, *plan.edit, plan.answer}).ok());
  }
  ImageStore images(&env, {"/x"});
  auto sink = images.Create(5);
  ASSERT_TRUE(sink.ok());
  ASSERT_EQ(
      SaveImage(other, kCluster, [&](std::string_view bytes) { return (*sink)->Append(bytes); }),
      absl::OkStatus());
  ASSERT_EQ((*sink)->Finish(), absl::OkStatus());
  files[path] = *env.ReadFile("/x/fsimage_00000000000000000005");
  const Verdict verdict = Verify(files);
  EXPECT_EQ(verdict.files.at(path)["status"], "damaged");
  EXPECT_THAT(verdict.files.at(path)["reason"].get<std::string>(), HasSubstr("digest"));
  EXPECT_EQ(verdict.summary.starts, Starts(files));
}

TEST(VerifyTest, StrangeFilesAreUnknown) {
  Files files = OneDir();
  files["/a/current/fsimage_00000000000000000009.tmp"] = "half";
  files["/a/current/notes.txt"] = "hello";
  const Verdict verdict = Verify(files);
  EXPECT_EQ(verdict.summary.unknown, 2u);
  EXPECT_EQ(verdict.summary.damaged, 0u);
  EXPECT_TRUE(verdict.summary.starts);
}

TEST(VerifyTest, OfTwoDirectoriesTheOneThatIsBehindIsNamed) {
  const std::vector<std::string> dirs = {"/a", "/b"};
  EXPECT_EQ(Verify(TwoDirs(), dirs).summary.behind, 0u);
  Files files = TwoDirs();
  const std::string lost = PathOf(files, "/b/current/edits_00000000000000000006");
  files.erase(lost);
  const std::string shorter = PathOf(files, "/b/current/edits_inprogress");
  files[shorter].resize(files[shorter].find_last_not_of('\0') - 3);
  files.erase(PathOf(files, "/b/current/fsimage_00000000000000000005"));
  const Verdict verdict = Verify(files, dirs);
  EXPECT_EQ(verdict.files.at(lost)["status"], "behind");
  EXPECT_EQ(verdict.files.at(shorter)["status"], "behind");
  EXPECT_EQ(verdict.files.at("/b/current/fsimage_00000000000000000005")["status"], "behind");
  EXPECT_EQ(verdict.summary.behind, 3u);
  EXPECT_EQ(verdict.summary.damaged, 0u);
  EXPECT_TRUE(verdict.summary.starts);
  EXPECT_TRUE(Starts(files, dirs));
}

TEST(VerifyTest, DirectoriesThatWentDifferentWaysAreFound) {
  const std::vector<std::string> dirs = {"/a", "/b"};
  Files files = TwoDirs();
  for (const auto& [path, bytes] : MakeFiles({"/b"})) files[path] = bytes;
  const Verdict verdict = Verify(files, dirs);
  EXPECT_FALSE(verdict.summary.starts);
  EXPECT_FALSE(Starts(files, dirs));
  EXPECT_THAT(verdict.summary.reason, HasSubstr("different ways"));
}

TEST(VerifyTest, AnEmptyDirectoryBesideAFullOneIsBehindAndAloneItIsNone) {
  Verdict verdict = Verify(OneDir(), {"/a", "/empty"});
  EXPECT_EQ(verdict.files.at("/empty/VERSION")["status"], "damaged");  // current/ is there
  FaultEnv env;
  ASSERT_TRUE(env.CreateDirs("/empty").ok());
  auto summary =
      VerifyDataDirs(&env, {"/empty"}, [](std::string_view) { return absl::OkStatus(); });
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->damaged, 1u);
  EXPECT_FALSE(summary->starts);
}

// Whenever the files are looked at, there is one more image, which is gone before it is opened.
class BusyEnv final : public Env {
 public:
  explicit BusyEnv(std::unique_ptr<FaultEnv> env) : env_(std::move(env)) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    if (path == going_) EXPECT_TRUE(env_->Remove(path).ok());
    return env_->Open(path, mode);
  }
  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    if (path.ends_with("/VERSION")) {  // what is read first
      going_ = fmt::format("/a/current/fsimage_{:020}", 100 + ++images_);
      EXPECT_TRUE(env_->WriteFileAtomically(going_, "x").ok());
    }
    return env_->ReadFile(path);
  }
  absl::Status WriteFileAtomically(const std::string& path, std::string_view content) override {
    return env_->WriteFileAtomically(path, content);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return env_->Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override { return env_->Remove(path); }
  absl::Status RemoveDir(const std::string& path) override { return env_->RemoveDir(path); }
  absl::Status CreateDirs(const std::string& path) override { return env_->CreateDirs(path); }
  absl::Status SyncDir(const std::string& path) override { return env_->SyncDir(path); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    return env_->List(dir);
  }
  absl::StatusOr<bool> Exists(const std::string& path) override { return env_->Exists(path); }
  absl::StatusOr<DiskSpace> Space(const std::string& path) override { return env_->Space(path); }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return env_->Lock(path);
  }
  int images() const { return images_; }

 private:
  const std::unique_ptr<FaultEnv> env_;
  std::string going_;
  int images_ = 0;
};

TEST(VerifyTest, WhatGoesBeforeItIsOpenedIsNoDamage) {
  BusyEnv env(EnvOf(OneDir(), {"/a"}));
  const auto summary = VerifyDataDirs(&env, {"/a"}, [](auto) { return absl::OkStatus(); });
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_GT(env.images(), 1);
  EXPECT_EQ(summary->damaged, 0u);
  EXPECT_EQ(summary->files, 6u);
  EXPECT_TRUE(summary->starts);
}

TEST(VerifyTest, AnImageOfAnotherClusterIsRefused) {
  Files files = OneDir();
  std::string& version = files["/a/VERSION"];
  Json json = Json::parse(version);
  json["cluster_id"] = "another";
  json.erase("crc32c");
  version = json.dump();
  const Verdict verdict = Verify(files);
  EXPECT_GE(verdict.summary.damaged, 2u);
  EXPECT_FALSE(verdict.summary.starts);
}

}  // namespace
}  // namespace cairn::namenode
