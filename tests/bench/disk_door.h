// A namesystem over a real journal on disk, as a NameNode has it, without gRPC before it.
//
// Why: what the door can do is measured without what comes before it. The folder is made like a
// NameNode's, so that it can be recovered afterwards and compared. Thread-safe once open.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/env.h"
#include "common/metrics.h"
#include "common/status.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/journal/file_journal.h"
#include "namenode/namesystem/client_operations.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn::bench {

// A journal that counts what goes through it.
class CountingJournal final : public namenode::Journal {
 public:
  CountingJournal(Env* env, namenode::FileJournalOptions options)
      : file_(env, std::move(options)) {}

  void OnDurable(std::function<void(TxId)> callback) override {
    file_.OnDurable(std::move(callback));
  }
  absl::Status Start(TxId next) override { return file_.Start(next); }
  TxId Append(absl::FunctionRef<void(std::string* out)> encode) override {
    return file_.Append([&](std::string* out) {
      const size_t before = out->size();
      encode(out);
      bytes_.fetch_add(out->size() - before, std::memory_order_relaxed);
      records_.fetch_add(1, std::memory_order_relaxed);
    });
  }
  void BeginGroup() override { file_.BeginGroup(); }
  void EndGroup() override { file_.EndGroup(); }
  TxId last() const override { return file_.last(); }
  TxId durable() const override { return file_.durable(); }
  uint64_t pending_bytes() const override { return file_.pending_bytes(); }
  absl::StatusOr<TxId> Roll() override { return file_.Roll(); }
  absl::Status DropBefore(TxId txid) override { return file_.DropBefore(txid); }
  void Stop() override { file_.Stop(); }

  uint64_t records() const { return records_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  namenode::FileJournal file_;
  std::atomic<uint64_t> records_{0};
  std::atomic<uint64_t> bytes_{0};
};

class DiskDoor {
 public:
  // `dir` must be empty.
  static absl::StatusOr<std::unique_ptr<DiskDoor>> Open(Env* env, const std::string& dir);
  ~DiskDoor();
  DiskDoor(const DiskDoor&) = delete;
  DiskDoor& operator=(const DiskDoor&) = delete;

  namenode::ClientOperations& operations() { return *operations_; }
  namenode::Namesystem& namesystem() { return *namesystem_; }
  CountingJournal& journal() { return *journal_; }
  const Metrics& metrics() const { return metrics_; }

  // Ends it, recovers the folder as a restart would, and compares the two states.
  absl::Status CloseAndVerify();

 private:
  DiskDoor(Env* env, const std::string& dir) : env_(env), dir_(dir), clock_(NewSystemClock()) {}
  absl::Status Begin();
  void Stop();

  Env* const env_;
  const std::string dir_;
  const std::unique_ptr<Clock> clock_;
  Metrics metrics_;
  std::unique_ptr<CountingJournal> journal_;
  std::unique_ptr<namenode::BlockManager> blocks_;
  std::unique_ptr<namenode::Namesystem> namesystem_;
  std::unique_ptr<namenode::ClientOperations> operations_;
};

}  // namespace cairn::bench
