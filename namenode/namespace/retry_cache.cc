#include "namenode/namespace/retry_cache.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/status.h"

namespace cairn::namenode {
namespace {

std::string_view Bytes(const ClientId& client) {
  return {reinterpret_cast<const char*>(client.data()), client.size()};
}

void AddBlock(EntityBytes& bytes, const NewBlock& block) {
  bytes.Add(block.id).Add(block.generation).Add(block.offset).Add(block.targets.size());
  for (const NodeNumber target : block.targets) bytes.Add(target);
}

struct AnswerBytes {
  EntityBytes& bytes;

  void operator()(const NoAnswer&) {}
  void operator()(const CreatedAnswer& answer) {
    bytes.Add(answer.inode).Add(answer.replication).Add(answer.block_size);
    bytes.Add(answer.block.has_value());
    if (answer.block) AddBlock(bytes, *answer.block);
    bytes.Add(answer.min_replicas);
  }
  void operator()(const NewBlockAnswer& answer) {
    AddBlock(bytes, answer.block);
    bytes.Add(answer.block_size);
  }
  void operator()(const RegisteredAnswer& answer) {
    bytes.Add(answer.node).Add(answer.storages.size());
    for (const StorageNumber storage : answer.storages) bytes.Add(storage);
  }
  void operator()(const NewStampAnswer& answer) {
    bytes.Add(answer.generation).Add(answer.targets.size());
    for (const NodeNumber target : answer.targets) bytes.Add(target);
  }
  void operator()(const AppendedAnswer& answer) {
    bytes.Add(answer.inode).Add(answer.length).Add(answer.replication).Add(answer.block_size);
    bytes.Add(answer.min_replicas).Add(answer.block.has_value());
    if (answer.block) AddBlock(bytes, *answer.block);
    bytes.Add(answer.block_length);
  }
  void operator()(const TruncatedAnswer& answer) { bytes.Add(answer.done); }
};

absl::Status OutcomeUnknown() {
  return WithKind(absl::AbortedError("the outcome of this call is no longer known; check whether "
                                     "it was carried out before calling again"),
                  ErrorKind::kOutcomeUnknown);
}

}  // namespace

std::optional<RetryHit> RetryCache::Find(const RetryKey& key) const {
  uint64_t floor = key.done_below;
  TxId observed = 0;
  if (const auto it = windows_.find(key.client); it != windows_.end()) {
    const Window& window = it->second;
    const auto entry = window.calls.find(key.call_id);
    if (entry != window.calls.end()) return RetryHit{entry->second.answer, entry->second.txid};
    floor = std::max(floor, window.floor);
    observed = window.txid;
  }
  if (key.call_id >= floor) return std::nullopt;
  return RetryHit{OutcomeUnknown(), observed};
}

bool RetryCache::Record(const RetryKey& key, TxId txid, int64_t time_ms, const Answer& answer) {
  if (key.call_id < key.done_below || order_.contains(txid)) return false;
  const auto [it, is_new] = windows_.try_emplace(key.client);
  Window& window = it->second;
  if (!is_new) {
    if (key.call_id < window.floor || window.calls.contains(key.call_id)) return false;
    BeginChange(key.client, window);
  }
  while (!window.calls.empty() && window.calls.begin()->first < key.done_below) {
    DropEntry(key.client, window, window.calls.begin()->first);
  }
  window.floor = std::max(window.floor, key.done_below);
  const RetryEntry& entry =
      window.calls.emplace(key.call_id, RetryEntry{txid, time_ms, answer}).first->second;
  digest_ += HashEntry(key.client, key.call_id, entry);
  order_.emplace(txid, std::pair(key.client, key.call_id));
  if (window.calls.size() > kMaxEntriesPerClient) {
    DropEntry(key.client, window, window.calls.begin()->first);
  }
  EndChange(key.client, window, txid, time_ms);
  return true;
}

void RetryCache::Expire(TxId txid, int64_t now_ms) {
  for (int i = 0; i < kExpirePerEdit && !order_.empty(); ++i) {
    const auto [client, call_id] = order_.begin()->second;
    Window& window = windows_.find(client)->second;
    const int64_t age_ms = now_ms - window.calls.find(call_id)->second.time_ms;
    if (age_ms <= kWindowMs && order_.size() <= kMaxEntries) break;
    BeginChange(client, window);
    DropEntry(client, window, call_id);
    EndChange(client, window, txid, now_ms);
  }
  for (int i = 0; i < 2 * kExpirePerEdit && !idle_.empty(); ++i) {
    const auto [since_ms, client] = *idle_.begin();
    if (now_ms - since_ms <= kIdleMs && idle_.size() <= kMaxIdleClients) break;
    const auto it = windows_.find(client);
    BeginChange(client, it->second);
    windows_.erase(it);
  }
}

void RetryCache::BeginChange(const ClientId& client, const Window& window) {
  digest_ -= HashWindow(client, window);
  if (window.calls.empty()) idle_.erase({window.idle_since_ms, client});
}

void RetryCache::EndChange(const ClientId& client, Window& window, TxId txid, int64_t now_ms) {
  window.txid = txid;
  window.idle_since_ms = window.calls.empty() ? now_ms : 0;
  if (window.calls.empty()) idle_.insert({now_ms, client});
  digest_ += HashWindow(client, window);
}

void RetryCache::DropEntry(const ClientId& client, Window& window, uint64_t call_id) {
  const auto it = window.calls.find(call_id);
  digest_ -= HashEntry(client, call_id, it->second);
  order_.erase(it->second.txid);
  window.calls.erase(it);
  window.floor = std::max(window.floor, call_id + 1);
}

void RetryCache::ForEachWindow(
    const std::function<void(const ClientId&, const Window&)>& fn) const {
  for (const auto& [client, window] : windows_) fn(client, window);
}

bool RetryCache::Restore(const ClientId& client, Window window) {
  const auto [it, is_new] = windows_.try_emplace(client, std::move(window));
  if (!is_new) return false;
  Window& restored = it->second;
  restored.txid = 0;
  for (const auto& [call_id, entry] : restored.calls) {
    if (!order_.emplace(entry.txid, std::pair(client, call_id)).second) return false;
    digest_ += HashEntry(client, call_id, entry);
  }
  if (restored.calls.empty()) idle_.insert({restored.idle_since_ms, client});
  digest_ += HashWindow(client, restored);
  return true;
}

Digest RetryCache::RecomputeDigest() const {
  Digest sum;
  for (const auto& [client, window] : windows_) {
    sum += HashWindow(client, window);
    for (const auto& [call_id, entry] : window.calls) sum += HashEntry(client, call_id, entry);
  }
  return sum;
}

Digest RetryCache::HashWindow(const ClientId& client, const Window& window) {
  return EntityBytes('w')
      .Add(Bytes(client))
      .Add(window.floor)
      .Add(static_cast<uint64_t>(window.idle_since_ms))
      .Hash();
}

Digest RetryCache::HashEntry(const ClientId& client, uint64_t call_id, const RetryEntry& entry) {
  EntityBytes bytes('r');
  bytes.Add(Bytes(client)).Add(call_id).Add(entry.txid);
  bytes.Add(static_cast<uint64_t>(entry.time_ms)).Add(entry.answer.index());
  std::visit(AnswerBytes{bytes}, entry.answer);
  return bytes.Hash();
}

}  // namespace cairn::namenode
