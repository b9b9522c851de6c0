#include "namenode/namespace/retry_cache.h"

#include <iterator>
#include <map>
#include <random>

#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

class RetryCacheTest : public testing::Test {
 protected:
  // One edit with a retry key.
  bool Record(uint8_t client, uint64_t call_id, uint64_t done_below = 0) {
    ++txid_;
    const bool recorded = cache_.Record({Client(client), call_id, done_below}, txid_, now_ms_,
                                        CreatedAnswer{.inode = call_id});
    cache_.Expire(txid_, now_ms_);
    EXPECT_EQ(cache_.digest(), cache_.RecomputeDigest());
    return recorded;
  }
  void OtherEdit() { cache_.Expire(++txid_, now_ms_); }
  // 'n': new, 'u': outcome unknown, 'h': hit
  char Find(uint8_t client, uint64_t call_id, uint64_t done_below = 0) {
    const auto hit = cache_.Find({Client(client), call_id, done_below});
    if (!hit) return 'n';
    if (hit->answer.ok()) {
      EXPECT_EQ(std::get<CreatedAnswer>(*hit->answer).inode, call_id);
      return 'h';
    }
    EXPECT_EQ(KindOf(hit->answer.status()), ErrorKind::kOutcomeUnknown);
    return 'u';
  }

  RetryCache cache_;
  TxId txid_ = 0;
  int64_t now_ms_ = 1'000'000;
};

TEST_F(RetryCacheTest, HitsNewAndUnknown) {
  EXPECT_EQ(Find(1, 1), 'n');
  EXPECT_TRUE(Record(1, 1));
  EXPECT_TRUE(Record(1, 3));
  EXPECT_EQ(Find(1, 1), 'h');
  EXPECT_EQ(Find(1, 2), 'n') << "still on its way";
  EXPECT_EQ(Find(1, 3), 'h');
  EXPECT_EQ(Find(2, 1), 'n');
  EXPECT_EQ(cache_.Find({Client(1), 3, 0})->txid, 2u);
  EXPECT_FALSE(Record(1, 3)) << "answered before";
}

TEST_F(RetryCacheTest, DoneBelowDrops) {
  for (uint64_t call = 1; call <= 5; ++call) Record(1, call);
  EXPECT_TRUE(Record(1, 6, 4));
  EXPECT_EQ(Find(1, 3), 'u');
  EXPECT_EQ(Find(1, 4), 'h');
  EXPECT_EQ(cache_.entries(), 3u);
  EXPECT_EQ(Find(2, 5, 9), 'u') << "the client says itself that it is done";
  EXPECT_FALSE(Record(2, 5, 9));
  EXPECT_FALSE(Record(1, 2, 0));
}

TEST_F(RetryCacheTest, EntriesExpireByTheEditsTime) {
  Record(1, 1);
  Record(1, 2);
  now_ms_ += RetryCache::kWindowMs;
  OtherEdit();
  EXPECT_EQ(Find(1, 1), 'h');
  now_ms_ += 1;
  EXPECT_EQ(Find(1, 1), 'h') << "no edit yet";
  OtherEdit();
  EXPECT_EQ(Find(1, 1), 'u');
  EXPECT_EQ(Find(1, 2), 'u');
  EXPECT_EQ(Find(1, 3), 'n');
  EXPECT_EQ(cache_.entries(), 0u);
  EXPECT_EQ(cache_.clients(), 1u);
  now_ms_ += RetryCache::kIdleMs + 1;
  OtherEdit();
  EXPECT_EQ(cache_.clients(), 0u);
  EXPECT_EQ(cache_.digest(), Digest{});
}

TEST_F(RetryCacheTest, ClockGoingBackKeepsEntries) {
  Record(1, 1);
  now_ms_ -= 3'600'000;
  Record(1, 2);
  EXPECT_EQ(Find(1, 1), 'h');
  EXPECT_EQ(Find(1, 2), 'h');
}

TEST_F(RetryCacheTest, ExpiryGoesInSmallSteps) {
  for (uint64_t call = 1; call <= 40; ++call) Record(1, call);
  now_ms_ += RetryCache::kWindowMs + 1;
  OtherEdit();
  EXPECT_EQ(cache_.entries(), 24u);
  OtherEdit();
  OtherEdit();
  EXPECT_EQ(cache_.entries(), 0u);
}

TEST_F(RetryCacheTest, EntriesOfAClientAreLimited) {
  for (uint64_t call = 1; call <= RetryCache::kMaxEntriesPerClient; ++call) {
    cache_.Record({Client(1), call, 0}, ++txid_, now_ms_, NoAnswer{});
  }
  EXPECT_TRUE(cache_.Find({Client(1), 1, 0})->answer.ok());
  cache_.Record({Client(1), RetryCache::kMaxEntriesPerClient + 1, 0}, ++txid_, now_ms_, NoAnswer{});
  EXPECT_EQ(cache_.entries(), RetryCache::kMaxEntriesPerClient);
  EXPECT_FALSE(cache_.Find({Client(1), 1, 0})->answer.ok());
  EXPECT_EQ(cache_.digest(), cache_.RecomputeDigest());
}

TEST(RetryCallsTest, BehaveLikeAMap) {
  RetryCalls calls;
  std::map<uint64_t, TxId> model;
  std::mt19937_64 random(6);
  uint64_t next = 1;
  for (TxId txid = 1; txid <= 20'000; ++txid) {
    const uint64_t id = next > 5 ? next - random() % 5 : next;  // nearly in order
    ++next;
    model.emplace(id, txid);
    calls.emplace(id, RetryEntry(txid, 0, txid % 2 == 0 ? Answer() : Answer(TruncatedAnswer{})));
    const size_t most = txid % 1000 < 500 ? 300 : txid % 1000 == 999 ? 0 : 2;
    while (model.size() > most) {
      auto it = model.begin();
      if (random() % 10 == 0) std::advance(it, random() % model.size());
      calls.Erase(it->first);
      model.erase(it);
    }
    if (model.empty()) calls.Release();
    ASSERT_EQ(calls.size(), model.size());
    if (txid % 50 != 0) continue;
    auto it = model.begin();
    for (const auto& [call_id, entry] : calls) {
      ASSERT_EQ(call_id, it->first);
      ASSERT_EQ(entry.txid(), it->second);
      ASSERT_EQ(std::holds_alternative<NoAnswer>(entry.answer()), entry.txid() % 2 == 0);
      ASSERT_EQ(calls.Find(call_id), &entry);
      ++it;
    }
    ASSERT_EQ(calls.Find(next + 1), nullptr);
  }
}

TEST_F(FsTest, RetriesFindTheirAnswer) {
  retry = RetryKey{Client(9), 1, 1};
  ASSERT_THAT(Create("/f"), Succeeds());
  const auto hit = state.FindRetry(*retry);
  ASSERT_TRUE(hit.has_value());
  EXPECT_EQ(*hit->answer, last.answer);
  EXPECT_EQ(hit->txid, state.applied_txid());
  retry->call_id = 2;
  EXPECT_FALSE(state.FindRetry(*retry).has_value());
}

}  // namespace
}  // namespace cairn::namenode
