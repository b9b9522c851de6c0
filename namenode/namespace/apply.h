// Apply: the only way the journaled state changes, live, in replay and in a checkpoint alike.
//
// It is total and deterministic: no clock, no randomness, no order of a hash container. The outcome
// depends on nothing but the state and the record.
#pragma once

#include "absl/status/statusor.h"
#include "namenode/namespace/edit.h"
#include "namenode/namespace/effects.h"
#include "namenode/namespace/fs_state.h"

namespace cairn::namenode {

// Applies the edit with number `txid`, which must be state.applied_txid() + 1. DATA_LOSS when the
// edit does not fit the state (the journal is damaged or belongs to another image): the state must
// not be used any further. An edit that a plan just made on this state always fits.
absl::StatusOr<Effects> Apply(FsState& state, TxId txid, const EditRecord& record);

}  // namespace cairn::namenode
