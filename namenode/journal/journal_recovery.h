// Makes the data directories agree on one complete chain of closed segments, before a start.
//
// After a crash the segment in progress may end in a torn batch, and a directory may lag behind
// another, be new, or have lost a file. Recovery checks every segment that is needed, takes the
// longest copy of each, closes what was in progress at its last valid record (cutting a torn tail)
// and copies what a directory lacks; it logs each of these. Damage that a crash cannot explain,
// missing edits, or directories that hold different histories end it with an error that names the
// file, the byte and the way out; nothing was changed then. Called by the NameNode's start alone,
// with the directories' locks held.
#pragma once

#include <string>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::namenode {

// `dirs`: current/ folders. `from`: the first txid that must be there, one above the image that
// will be loaded (1 without one); segments wholly below it are not looked into. Returns the last
// txid of the journal (from - 1 when there is none after the image): start the journal at one
// above.
absl::StatusOr<TxId> RecoverJournal(Env* env, const std::vector<std::string>& dirs, TxId from);

}  // namespace cairn::namenode
