// The retry cache: answers of mutating calls by (client id, call id), so that retrying is safe
// (P5).
//
// It is journaled state: entries come with edits and leave by edits' own times, so replay has the
// same cache and lookups need no clock. Each client has a window: calls below its floor whose
// entry is gone are answered "outcome unknown" and never carried out again. An entry leaves when
// the client says that it has the answer (done_below), after kWindowMs, or when there are too many.
// A client without entries keeps its floor for kIdleMs. Expiry goes in small steps, a few with
// every edit. Not thread-safe; owned by FsState, changed by Apply alone.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"
#include "namenode/namespace/digest.h"
#include "namenode/namespace/edit.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

// A remembered outcome of a mutating call.
struct RetryHit {
  absl::StatusOr<Answer> answer;  // an error (kOutcomeUnknown) below the window
  TxId txid = 0;                  // observed
};

struct RetryEntry {
  TxId txid = 0;  // of its edit
  int64_t time_ms = 0;
  Answer answer;
};

class RetryCache {
 public:
  static constexpr int64_t kWindowMs = 10 * 60 * 1000;
  static constexpr int64_t kIdleMs = 24 * 60 * 60 * 1000;
  static constexpr size_t kMaxEntries = 1'000'000;
  static constexpr size_t kMaxEntriesPerClient = 4096;
  static constexpr size_t kMaxIdleClients = 262'144;
  static constexpr int kExpirePerEdit = 16;

  // nullopt: the call is new.
  std::optional<RetryHit> Find(const RetryKey& key) const;

  // Remembers the answer to `key`, drops what the client is done with. False (nothing changed): an
  // entry is there already.
  bool Record(const RetryKey& key, TxId txid, int64_t time_ms, const Answer& answer);
  // Drops what is too old at `now_ms` or too much; with every edit.
  void Expire(TxId txid, int64_t now_ms);

  const Digest& digest() const { return digest_; }
  Digest RecomputeDigest() const;
  size_t entries() const { return order_.size(); }
  size_t clients() const { return windows_.size(); }

  // For images, in an order that is fixed.
  struct Window {
    uint64_t floor = 0;         // calls below are unknown unless they have an entry
    int64_t idle_since_ms = 0;  // when its last entry went
    TxId txid = 0;              // the last change; not part of the state
    absl::btree_map<uint64_t, RetryEntry> calls;
  };
  void ForEachWindow(const std::function<void(const ClientId&, const Window&)>& fn) const;
  // Restores a window; false when that client has one already or two entries share a txid.
  bool Restore(const ClientId& client, Window window);

 private:
  using Windows = absl::btree_map<ClientId, Window>;

  static Digest HashWindow(const ClientId& client, const Window& window);
  static Digest HashEntry(const ClientId& client, uint64_t call_id, const RetryEntry& entry);
  // Every change of a window stands between these two: they keep digest and idle list right.
  void BeginChange(const ClientId& client, const Window& window);
  void EndChange(const ClientId& client, Window& window, TxId txid, int64_t now_ms);
  // Forgets the entry; the floor rises above it.
  void DropEntry(const ClientId& client, Window& window, uint64_t call_id);

  Windows windows_;
  absl::btree_map<TxId, std::pair<ClientId, uint64_t>> order_;  // entries, oldest first
  absl::btree_set<std::pair<int64_t, ClientId>> idle_;          // windows without entries
  Digest digest_;
};

}  // namespace cairn::namenode
