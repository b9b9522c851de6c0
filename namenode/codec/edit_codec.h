// Edits as bytes, for the journal (storage.proto: EditRecord), and as text, for people.
//
// Decoding is strict: unknown fields, a missing edit or values out of range are errors, so that a
// NameNode never goes on with an edit that it does not fully understand. Thread-safe: pure.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "namenode/namespace/edit.h"

namespace cairn::namenode {

// Appends the record's bytes to `out`.
void EncodeEdit(const EditRecord& record, std::string* out);

// DATA_LOSS when the bytes are not exactly one record.
absl::StatusOr<EditRecord> DecodeEdit(std::string_view bytes);

// One line of JSON with the field names of storage.proto, for dump-edits.
std::string EditToJson(TxId txid, const EditRecord& record);

}  // namespace cairn::namenode
