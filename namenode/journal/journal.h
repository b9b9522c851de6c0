// The edit log as the namesystem sees it: bytes in, transaction ids out, and word of what is
// durable.
//
// Why an interface: edits go to local files (FileJournal) or to a quorum of others; the door is the
// same. The journal knows bytes and txids and no meaning: what a record says is the codec's affair.
//
// A journal that cannot write or sync ends the process (see FileJournalOptions::fatal): memory is
// then ahead of the disk, and going on would answer what a crash takes back (P1, P2).
//
// Use: OnDurable, Start, then Append by whoever holds the namesystem's lock; Roll and DropBefore by
// the checkpoint; Stop at the end. Thread-safe from Start on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/functional/function_ref.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::namenode {

class Journal {
 public:
  virtual ~Journal() = default;  // stops

  // Called from the journal's own thread after each sync, with the highest durable txid: in rising
  // order, one call at a time, no journal lock held. It must not call Roll or Stop. Set before
  // Start.
  virtual void OnDurable(std::function<void(TxId)> callback) = 0;

  // Begins a new segment; the first Append gets `next` (one above the last txid that recovery
  // found). Everything below `next` counts as durable.
  virtual absl::Status Start(TxId next) = 0;

  // Appends one record, ordered with all others, and returns its txid: consecutive from Start's
  // `next`. `encode` adds the record's bytes to the end of *out, which holds the records before it:
  // it must touch nothing else and not call the journal. Cheap: memory only, never waits for a
  // disk. Calls may come from any thread; the caller's own lock decides the order.
  virtual TxId Append(absl::FunctionRef<void(std::string* out)> encode) = 0;

  // Records that are appended between the two travel to the disk together, as far as the journal is
  // idle: it need not begin before EndGroup. Called in pairs, by who holds the caller's own lock.
  virtual void BeginGroup() {}
  virtual void EndGroup() {}

  virtual TxId last() const = 0;     // the highest txid given out
  virtual TxId durable() const = 0;  // the highest txid that no crash takes back

  // Bytes appended and not yet durable. Append never refuses: whoever admits requests turns them
  // away, or waits, while this is large.
  virtual uint64_t pending_bytes() const = 0;

  // Closes the segment after everything that was appended before this call, which is durable when
  // it returns, and begins a new one. Returns the last txid of the closed segment. A segment
  // without records is kept instead. Blocks for I/O: not under the namesystem's lock.
  virtual absl::StatusOr<TxId> Roll() = 0;

  // Removes closed segments whose records are all below `txid`, except the newest closed one (it
  // shows at the next start that no edits are missing after an image). Only after a verified
  // checkpoint: `txid` is one above the oldest image that is kept.
  virtual absl::Status DropBefore(TxId txid) = 0;

  // Makes everything appended durable, closes the segment and ends the thread. Appending afterwards
  // is an error of the caller. May be called more than once.
  virtual void Stop() = 0;
};

}  // namespace cairn::namenode
