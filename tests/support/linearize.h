// Whether operations that overlapped can have happened one after the other.
//
// Why: that is what "linearizable" means (Herlihy, Wing 1990): every operation seems to happen at
// one moment between its call and its answer. The search is Wing and Gong's with Lowe's
// memoization of (operations done, state): take any operation that nothing else must precede, apply
// it to the model, go on; back up where nothing fits. What keeps it small:
//   - an operation that fits and changes nothing is taken at once, without alternatives;
//   - a failure knows its cause: the places of the state (paths and the like; each is one bit) that
//   it
//     looked at, and those from which changes on the way to it made them. An operation that changes
//     none of these cannot mend it, so the search goes back over all such at once;
//   - an operation of unknown outcome ("optional") is tried after all others, and only if it can
//     mend their failures: few of them in a row first, since there is hardly a reason for many that
//     nobody sees in between;
//   - what failed with some optional operations left fails with fewer.
//
// A Model is:
//   using State = ...;                     // copyable
//   uint64_t Hash(const State&) const;     // of all of it
//   Step Apply(const State&, size_t op, State* next) const;
//   // Places that Apply looks at; while they stay as they are its answer stays the same.
//   Places Reads(const State&, size_t op) const;
//   Places Writes(const State&, size_t op) const;  // and those which it may change
// Header only, pure; used by checker.cc.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace cairn::testing {

enum class Step {
  kImpossible,  // the answer does not fit the state
  kSame,        // it fits, and nothing changes
  kChanged,     // it fits, and `next` is the new state
};

using Places = std::bitset<256>;  // several may share a bit

struct Interval {
  int64_t start = 0;
  int64_t end = 0;        // of an optional operation: without meaning
  bool optional = false;  // may never happen
};

enum class Verdict { kYes, kNo, kUndecided };

template <typename Model>
class Linearizer {
 public:
  using State = typename Model::State;

  struct Result {
    Verdict verdict = Verdict::kYes;
    size_t states = 0;  // that were looked at
    // Of the attempt that came farthest, if the verdict is not yes: what it did, what it had then,
    // and what should have come next.
    std::vector<size_t> order;
    State state;
    std::vector<size_t> stuck;
  };

  // `operations` in any order. Gives up, undecided, after `max_states`.
  Linearizer(const Model* model, std::vector<Interval> operations, size_t max_states)
      : model_(*model), ops_(std::move(operations)), max_states_(max_states) {
    std::mt19937_64 random(1);
    for (size_t i = 0; i < ops_.size(); ++i) {
      keys_.push_back(ops_[i].optional ? 0 : random());
      (ops_[i].optional ? optional_ : required_).push_back(i);
    }
    const auto by_start = [this](size_t a, size_t b) {
      return std::pair(ops_[a].start, a) < std::pair(ops_[b].start, b);
    };
    std::sort(required_.begin(), required_.end(), by_start);
    std::sort(optional_.begin(), optional_.end(), by_start);
    used_.assign(ops_.size() / 64 + 1, 0);
    // A ring through the required operations that are not done, in the order of their starts; the
    // last place is its head.
    const size_t head = required_.size();
    next_.resize(head + 1);
    previous_.resize(head + 1);
    for (size_t i = 0; i <= head; ++i) {
      next_[i] = i == head ? 0 : i + 1;
      previous_[i] = i == 0 ? head : i - 1;
    }
  }

  Result Run(const State& initial) {
    result_ = {};
    for (longest_chain_ = 1; longest_chain_ <= kLongestChain; longest_chain_ *= 2) {
      result_.verdict = Search(initial);
      if (result_.verdict != Verdict::kNo || optional_.empty()) break;
    }
    return result_;
  }

 private:
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  static constexpr int kLongestChain = 64;

  // The required operations that are done, and the state.
  using Key = std::pair<uint64_t, uint64_t>;
  using Bits = std::vector<uint64_t>;
  // With these optional operations used up, the last `chain` of them in a row.
  struct Failure {
    Bits used;
    int chain;
    Places cause;
  };
  struct Candidate {
    size_t op;
    size_t place;  // in the ring; kNone: optional
  };
  struct Frame {
    std::shared_ptr<const State> state;
    Candidate taken{kNone, kNone};  // that led here
    bool changed = false;           // by it
    int chain = 0;                  // of optional operations in a row, up to here
    Key key;                        // in failed_
    std::vector<Candidate> candidates;
    std::vector<Candidate> optional;
    size_t tried = 0;  // of the candidates
    Places cause;      // of all failures so far
    bool went_on = false;
  };

  Verdict Search(const State& initial) {
    failed_.clear();
    stack_.clear();
    const Key key(0, model_.Hash(initial));
    Push(std::make_shared<const State>(initial), key, {kNone, kNone}, false);
    while (!stack_.empty()) {
      if (next_[required_.size()] == required_.size()) return Verdict::kYes;  // all are done
      if (result_.states > max_states_) return Verdict::kUndecided;
      if (!Advance()) Pop();
    }
    return Verdict::kNo;
  }

  void Push(std::shared_ptr<const State> state, const Key& key, Candidate taken, bool changed) {
    Frame& frame = stack_.emplace_back();
    frame.state = std::move(state);
    frame.key = key;
    frame.taken = taken;
    frame.changed = changed;
    if (taken.op != kNone && taken.place == kNone) frame.chain = ChainOfParent() + 1;
    // Whoever began before the first answer that is to come may be next.
    const size_t head = required_.size();
    int64_t first_end = std::numeric_limits<int64_t>::max();
    for (size_t at = next_[head]; at != head; at = next_[at]) {
      const Interval& interval = ops_[required_[at]];
      if (interval.start > first_end) break;
      first_end = std::min(first_end, interval.end);
    }
    for (size_t at = next_[head]; at != head; at = next_[at]) {
      if (ops_[required_[at]].start > first_end) break;
      frame.candidates.push_back({required_[at], at});
    }
    std::stable_sort(
        frame.candidates.begin(), frame.candidates.end(),
        [&](const Candidate& a, const Candidate& b) { return ops_[a.op].end < ops_[b.op].end; });
    if (frame.chain == longest_chain_) return;
    for (const size_t i : optional_) {
      if (ops_[i].start > first_end) break;
      if (!IsUsed(i)) frame.optional.push_back({i, kNone});
    }
    // What began last is the likeliest.
    std::reverse(frame.optional.begin(), frame.optional.end());
  }

  int ChainOfParent() const { return stack_[stack_.size() - 2].chain; }

  // Optional operations have their bits.
  bool IsUsed(size_t op) const { return (used_[op / 64] >> op % 64 & 1) != 0; }
  void FlipUsed(const Candidate& candidate) {
    if (candidate.place == kNone) used_[candidate.op / 64] ^= uint64_t{1} << candidate.op % 64;
  }

  // A failure that tells of one at `key` with what is used now.
  const Failure* FindFailure(const Key& key, int chain) const {
    const auto there = failed_.find(key);
    if (there == failed_.end()) return nullptr;
    for (const Failure& failure : there->second) {
      bool fewer = failure.chain <= chain;
      for (size_t i = 0; i < used_.size() && fewer; ++i) {
        fewer = (failure.used[i] & ~used_[i]) == 0;
      }
      if (fewer) return &failure;
    }
    return nullptr;
  }

  // Takes the next candidate that fits; false when there is none.
  bool Advance() {
    while (stack_.back().tried < stack_.back().candidates.size()) {
      Frame& frame = stack_.back();
      if (Try(frame.candidates[frame.tried++])) return true;
    }
    while (true) {
      Frame& frame = stack_.back();
      const auto it =
          std::find_if(frame.optional.begin(), frame.optional.end(), [&](const Candidate& c) {
            return (model_.Writes(*frame.state, c.op) & frame.cause).any();
          });
      if (it == frame.optional.end()) return false;
      const Candidate candidate = *it;
      frame.optional.erase(it);
      if (Try(candidate)) return true;
    }
  }

  bool Try(const Candidate& candidate) {
    Frame& frame = stack_.back();
    auto next = std::make_shared<State>();
    const Step step = model_.Apply(*frame.state, candidate.op, next.get());
    if (step == Step::kImpossible) {
      frame.cause |= model_.Reads(*frame.state, candidate.op);
      return false;
    }
    if (step == Step::kSame) {
      if (candidate.place == kNone) {
        frame.cause |= model_.Reads(*frame.state, candidate.op);
        return false;
      }
      frame.tried = frame.candidates.size();
      frame.optional.clear();
    }
    const bool changed = step == Step::kChanged;
    std::shared_ptr<const State> state =
        changed ? std::shared_ptr<const State>(std::move(next)) : frame.state;
    const Key key(frame.key.first ^ keys_[candidate.op],
                  changed ? model_.Hash(*state) : frame.key.second);
    FlipUsed(candidate);
    const int chain = candidate.place == kNone ? frame.chain + 1 : 0;
    if (const Failure* failure = FindFailure(key, chain); failure != nullptr) {
      FlipUsed(candidate);
      Blame(frame, failure->cause, candidate, changed);
      return false;
    }
    ++result_.states;
    frame.went_on = true;
    Unlink(candidate.place);
    Push(std::move(state), key, candidate, changed);
    return true;
  }

  // What came after `taken` failed because of `cause`. If `taken` has nothing to do with that, then
  // nothing that might be taken in its place helps: it could come just before `taken`'s turn, which
  // would not matter to the failure. After an optional one others may help nevertheless: where a
  // chain has its longest, it has no more of them.
  void Blame(Frame& frame, const Places& cause, const Candidate& taken, bool changed) const {
    if (changed && (model_.Writes(*frame.state, taken.op) & cause).any()) {
      frame.cause |= cause | model_.Reads(*frame.state, taken.op);
      return;
    }
    if (taken.place == kNone) {
      frame.cause |= cause;
      return;
    }
    frame.cause = cause;
    frame.tried = frame.candidates.size();
    frame.optional.clear();
  }

  void Pop() {
    const Frame& frame = stack_.back();
    if (!frame.went_on && stack_.size() > farthest_) NoteFarthest(frame);
    failed_[frame.key].push_back({used_, frame.chain, frame.cause});
    const Candidate taken = frame.taken;
    const Places cause = frame.cause;
    const bool changed = frame.changed;
    stack_.pop_back();
    if (taken.op == kNone) return;
    Blame(stack_.back(), cause, taken, changed);
    FlipUsed(taken);
    Relink(taken.place);
  }

  void NoteFarthest(const Frame& frame) {
    farthest_ = stack_.size();
    result_.order.clear();
    for (size_t i = 1; i < stack_.size(); ++i) result_.order.push_back(stack_[i].taken.op);
    result_.state = *frame.state;
    result_.stuck.clear();
    for (const Candidate& candidate : frame.candidates) {
      if (candidate.place != kNone) result_.stuck.push_back(candidate.op);
    }
  }

  void Unlink(size_t place) {
    if (place == kNone) return;
    next_[previous_[place]] = next_[place];
    previous_[next_[place]] = previous_[place];
  }
  void Relink(size_t place) {
    if (place == kNone) return;
    next_[previous_[place]] = place;
    previous_[next_[place]] = place;
  }

  const Model& model_;
  const std::vector<Interval> ops_;
  const size_t max_states_;
  std::vector<uint64_t> keys_;
  std::vector<size_t> required_;
  std::vector<size_t> optional_;
  Bits used_;
  int longest_chain_ = 1;
  std::vector<size_t> next_;
  std::vector<size_t> previous_;
  std::vector<Frame> stack_;
  absl::flat_hash_map<Key, std::vector<Failure>> failed_;
  size_t farthest_ = 0;
  Result result_;
};

}  // namespace cairn::testing
