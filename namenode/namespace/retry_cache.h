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
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
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

class RetryEntry {
 public:
  RetryEntry(TxId txid, int64_t time_ms, const Answer& answer);

  TxId txid() const { return txid_; }  // of its edit
  int64_t time_ms() const { return time_ms_; }
  const Answer& answer() const;

 private:
  TxId txid_;
  int64_t time_ms_;
  std::unique_ptr<const Answer> answer_;  // null: NoAnswer, the most frequent one
};

// A client's calls by rising id, in one flat piece: new ones come at or near the end, and old ones
// go from the front. At most kMaxEntriesPerClient, so it is small enough to grow by moving.
class RetryCalls {
 public:
  using Call = std::pair<uint64_t, RetryEntry>;

  size_t size() const { return calls_.size() - first_; }
  bool empty() const { return size() == 0; }
  const Call* begin() const { return calls_.data() + first_; }
  const Call* end() const { return calls_.data() + calls_.size(); }

  const RetryEntry* Find(uint64_t call_id) const;
  // Nothing happens when the call is there already.
  void emplace(uint64_t call_id, RetryEntry entry);
  void Erase(uint64_t call_id);  // must be there
  void Release();                // gives back the memory; must be empty

 private:
  std::vector<Call> calls_;
  size_t first_ = 0;  // what is before it is gone
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
  size_t clients() const { return clients_.size(); }

  // For images, in an order that is fixed.
  struct Window {
    uint64_t floor = 0;         // calls below are unknown unless they have an entry
    int64_t idle_since_ms = 0;  // when its last entry went
    TxId txid = 0;              // the last change; not part of the state
    RetryCalls calls;
  };
  void ForEachWindow(absl::FunctionRef<void(const ClientId&, const Window&)> fn) const;
  // Restores a window; false when that client has one already or two entries share a txid.
  bool Restore(const ClientId& client, Window window);

 private:
  struct Client {
    ClientId id{};
    Window window;
  };

  static Digest HashWindow(const ClientId& client, const Window& window);
  static Digest HashEntry(const ClientId& client, uint64_t call_id, const RetryEntry& entry);
  // Every change of a window stands between these two: they keep digest and idle list right.
  void BeginChange(const Client& client);
  void EndChange(Client& client, TxId txid, int64_t now_ms);
  // Forgets the entry; the floor rises above it.
  void DropEntry(Client& client, uint64_t call_id);

  absl::btree_map<ClientId, std::unique_ptr<Client>> clients_;
  absl::btree_map<TxId, Client*> order_;                // whose entry it is; oldest first
  absl::btree_set<std::pair<int64_t, ClientId>> idle_;  // windows without entries
  Digest digest_;
};

}  // namespace cairn::namenode
