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

// --- Entries
// ----------------------------------------------------------------------------------------

RetryEntry::RetryEntry(TxId txid, int64_t time_ms, const Answer& answer)
    : txid_(txid), time_ms_(time_ms) {
  if (!std::holds_alternative<NoAnswer>(answer)) answer_ = std::make_unique<const Answer>(answer);
}

const Answer& RetryEntry::answer() const {
  static const Answer kNone;
  return answer_ == nullptr ? kNone : *answer_;
}

const RetryEntry* RetryCalls::Find(uint64_t call_id) const {
  const auto before = [](const Call& call, uint64_t id) { return call.first < id; };
  const Call* call = std::lower_bound(begin(), end(), call_id, before);
  return call != end() && call->first == call_id ? &call->second : nullptr;
}

void RetryCalls::emplace(uint64_t call_id, RetryEntry entry) {
  size_t at = calls_.size();  // from the end, where it mostly belongs
  while (at > first_ && calls_[at - 1].first >= call_id) --at;
  if (at < calls_.size() && calls_[at].first == call_id) return;
  calls_.emplace(calls_.begin() + static_cast<ptrdiff_t>(at), call_id, std::move(entry));
}

void RetryCalls::Erase(uint64_t call_id) {
  size_t at = first_;
  while (calls_[at].first != call_id) ++at;
  if (at == first_ && size() > 1) {
    calls_[at].second = RetryEntry(0, 0, NoAnswer{});
    ++first_;
    if (first_ < size() || first_ < 16) return;
    calls_.erase(calls_.begin(), calls_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  } else {
    calls_.erase(calls_.begin() + static_cast<ptrdiff_t>(at));
    if (!empty()) return;
    calls_.clear();
    first_ = 0;
  }
}

void RetryCalls::Release() {
  calls_ = std::vector<Call>();
  first_ = 0;
}

// --- The cache
// --------------------------------------------------------------------------------------

std::optional<RetryHit> RetryCache::Find(const RetryKey& key) const {
  uint64_t floor = key.done_below;
  TxId observed = 0;
  if (const auto it = clients_.find(key.client); it != clients_.end()) {
    const Window& window = it->second->window;
    const RetryEntry* entry = window.calls.Find(key.call_id);
    if (entry != nullptr) return RetryHit{entry->answer(), entry->txid()};
    floor = std::max(floor, window.floor);
    observed = window.txid;
  }
  if (key.call_id >= floor) return std::nullopt;
  return RetryHit{OutcomeUnknown(), observed};
}

bool RetryCache::Record(const RetryKey& key, TxId txid, int64_t time_ms, const Answer& answer) {
  if (key.call_id < key.done_below || order_.contains(txid)) return false;
  std::unique_ptr<Client>& place = clients_[key.client];
  if (place == nullptr) {
    place = std::make_unique<Client>();
    place->id = key.client;
  } else {
    const Window& window = place->window;
    if (key.call_id < window.floor || window.calls.Find(key.call_id) != nullptr) return false;
    BeginChange(*place);
  }
  Client& client = *place;
  Window& window = client.window;
  while (!window.calls.empty() && window.calls.begin()->first < key.done_below) {
    DropEntry(client, window.calls.begin()->first);
  }
  window.floor = std::max(window.floor, key.done_below);
  RetryEntry entry(txid, time_ms, answer);
  digest_ += HashEntry(key.client, key.call_id, entry);
  window.calls.emplace(key.call_id, std::move(entry));
  order_.emplace_hint(order_.end(), txid, &client);
  if (window.calls.size() > kMaxEntriesPerClient) {
    DropEntry(client, window.calls.begin()->first);
  }
  EndChange(client, txid, time_ms);
  return true;
}

void RetryCache::Expire(TxId txid, int64_t now_ms) {
  for (int i = 0; i < kExpirePerEdit && !order_.empty(); ++i) {
    const auto [oldest, client] = *order_.begin();
    // The oldest of all is among its client's first ones.
    const RetryCalls::Call* call = client->window.calls.begin();
    while (call->second.txid() != oldest) ++call;
    const int64_t age_ms = now_ms - call->second.time_ms();
    if (age_ms <= kWindowMs && order_.size() <= kMaxEntries) break;
    BeginChange(*client);
    DropEntry(*client, call->first);
    EndChange(*client, txid, now_ms);
  }
  for (int i = 0; i < 2 * kExpirePerEdit && !idle_.empty(); ++i) {
    const auto [since_ms, id] = *idle_.begin();
    if (now_ms - since_ms <= kIdleMs && idle_.size() <= kMaxIdleClients) break;
    const auto it = clients_.find(id);
    BeginChange(*it->second);
    clients_.erase(it);
  }
}

void RetryCache::BeginChange(const Client& client) {
  digest_ -= HashWindow(client.id, client.window);
  if (client.window.calls.empty()) idle_.erase({client.window.idle_since_ms, client.id});
}

void RetryCache::EndChange(Client& client, TxId txid, int64_t now_ms) {
  Window& window = client.window;
  window.txid = txid;
  window.idle_since_ms = window.calls.empty() ? now_ms : 0;
  if (window.calls.empty()) {
    window.calls.Release();
    idle_.insert({now_ms, client.id});
  }
  digest_ += HashWindow(client.id, window);
}

void RetryCache::DropEntry(Client& client, uint64_t call_id) {
  const RetryEntry& entry = *client.window.calls.Find(call_id);
  digest_ -= HashEntry(client.id, call_id, entry);
  order_.erase(entry.txid());
  client.window.calls.Erase(call_id);
  client.window.floor = std::max(client.window.floor, call_id + 1);
}

void RetryCache::ForEachWindow(absl::FunctionRef<void(const ClientId&, const Window&)> fn) const {
  for (const auto& [id, client] : clients_) fn(id, client->window);
}

bool RetryCache::Restore(const ClientId& id, Window window) {
  std::unique_ptr<Client>& place = clients_[id];
  if (place != nullptr) return false;
  place = std::make_unique<Client>();
  place->id = id;
  place->window = std::move(window);
  Window& restored = place->window;
  restored.txid = 0;
  for (const auto& [call_id, entry] : restored.calls) {
    if (!order_.emplace(entry.txid(), place.get()).second) return false;
    digest_ += HashEntry(id, call_id, entry);
  }
  if (restored.calls.empty()) idle_.insert({restored.idle_since_ms, id});
  digest_ += HashWindow(id, restored);
  return true;
}

Digest RetryCache::RecomputeDigest() const {
  Digest sum;
  for (const auto& [id, client] : clients_) {
    sum += HashWindow(id, client->window);
    for (const auto& [call_id, entry] : client->window.calls) {
      sum += HashEntry(id, call_id, entry);
    }
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
  bytes.Add(Bytes(client)).Add(call_id).Add(entry.txid());
  bytes.Add(static_cast<uint64_t>(entry.time_ms())).Add(entry.answer().index());
  std::visit(AnswerBytes{bytes}, entry.answer());
  return bytes.Hash();
}

}  // namespace cairn::namenode
