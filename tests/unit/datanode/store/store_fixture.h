// What the tests of the store share: a store over files in memory, and replicas to put into it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/crc32c.h"
#include "common/mutex.h"
#include "common/strings.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/replica_writer.h"
#include "tests/support/fault_env.h"

namespace cairn::datanode {

inline constexpr char kCluster[] = "test-cluster";

// Bytes that differ from block to block and from place to place.
inline std::string BytesOf(uint64_t seed, size_t count) {
  std::string bytes(count, '\0');
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

inline std::vector<uint32_t> CrcsOf(std::string_view bytes) {
  std::vector<uint32_t> crcs;
  for (size_t at = 0; at < bytes.size(); at += kChunkBytes) {
    crcs.push_back(Crc32c(bytes.substr(at, kChunkBytes)));
  }
  return crcs;
}

// Appends `bytes` behind what was written, which ends at a chunk border, in pieces.
inline absl::Status AppendAll(ReplicaWriter& writer, std::string_view bytes, size_t piece) {
  const uint64_t start = writer.length();
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    RETURN_IF_ERROR(writer.Append(start + at, absl::Cord(ToAbsl(part)), CrcsOf(part)));
  }
  return absl::OkStatus();
}

// Brings a replica of the first bytes of `bytes` to `length` of them, in one packet.
inline absl::Status GrowTo(ReplicaWriter& writer, std::string_view bytes, uint64_t length) {
  const uint64_t start = writer.length() / kChunkBytes * kChunkBytes;
  const std::string_view part = bytes.substr(start, length - start);
  return writer.Append(start, absl::Cord(ToAbsl(part)), CrcsOf(part));
}

// Writes and finalizes a replica with these bytes.
inline absl::Status Put(ReplicaStore& store, const Block& block, std::string_view bytes) {
  ASSIGN_OR_RETURN(const auto writer, store.Create(block));
  RETURN_IF_ERROR(AppendAll(*writer, bytes, 64 << 10));
  return writer->Finalize();
}

// All bytes that a reader gets, verified.
inline absl::StatusOr<std::string> ReadAll(ReplicaReader& reader) {
  std::string bytes((reader.block().length + kChunkBytes - 1) / kChunkBytes * kChunkBytes, '\0');
  std::vector<uint32_t> crcs;
  ASSIGN_OR_RETURN(const size_t n, reader.Read(0, bytes, /*verify=*/true, &crcs));
  bytes.resize(n);
  return bytes;
}

// All bytes of a replica that may be read, at least block.length.
inline absl::StatusOr<std::string> GetAs(ReplicaStore& store, const Block& block, ReadAs as) {
  ASSIGN_OR_RETURN(const auto reader, store.OpenReader(block, as));
  return ReadAll(*reader);
}
inline absl::StatusOr<std::string> Get(ReplicaStore& store, const Block& block) {
  return GetAs(store, {block.id, block.generation, 0}, ReadAs::kVisible);
}

// Says where they differ instead of printing them.
inline ::testing::AssertionResult Same(const absl::StatusOr<std::string>& bytes,
                                       std::string_view expected) {
  if (!bytes.ok()) return ::testing::AssertionFailure() << bytes.status();
  if (*bytes == expected) return ::testing::AssertionSuccess();
  const auto [at, _] =
      std::mismatch(bytes->begin(), bytes->end(), expected.begin(), expected.end());
  return ::testing::AssertionFailure() << bytes->size() << " bytes instead of " << expected.size()
                                       << ", different from " << at - bytes->begin() << " on";
}

// Gives a file of the Env these bytes, as somebody would who knows nothing of the store.
inline void WriteByHand(Env& env, const std::string& path, std::string_view bytes) {
  const auto file = env.Open(path, OpenMode::kTruncate);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->WriteAt(0, bytes).ok());
}

class RecordingObserver final : public ReplicaObserver {
 public:
  void OnReceived(size_t, const Block& b) override { Add("received", b); }
  void OnDeleted(size_t, const Block& b) override { Add("deleted", b); }
  void OnBad(size_t, const Block& b) override { Add("bad", b); }
  void OnWaiting(size_t, const Block& b) override { Add("waiting", b); }

  std::vector<std::string> Take() {
    MutexLock lock(mu_);
    return std::exchange(events_, {});
  }

 private:
  void Add(const char* what, const Block& block) {
    MutexLock lock(mu_);
    events_.push_back(std::string(what) + " " + std::to_string(block.id) + "/" +
                      std::to_string(block.generation));
  }
  Mutex mu_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mu_);
};

class StoreTest : public ::testing::Test {
 protected:
  static ReplicaStore::Options OptionsFor(std::vector<std::string> dirs,
                                          DiskWrites disk_writes = DiskWrites::kAuto) {
    ReplicaStore::Options options;
    options.disk_writes = disk_writes;
    options.data_dirs = std::move(dirs);
    options.reserved_bytes = 0;
    return options;
  }

  absl::StatusOr<std::unique_ptr<ReplicaStore>> TryOpen(ReplicaStore::Options options) {
    ASSIGN_OR_RETURN(auto store, ReplicaStore::Open(&env_, std::move(options)));
    RETURN_IF_ERROR(store->AdoptCluster(kCluster));
    store->SetObserver(&observer_);
    return store;
  }
  std::unique_ptr<ReplicaStore> Open(std::vector<std::string> dirs = {"/d0"}) {
    auto store = TryOpen(OptionsFor(std::move(dirs)));
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  FaultEnv env_;
  RecordingObserver observer_;
};

}  // namespace cairn::datanode
