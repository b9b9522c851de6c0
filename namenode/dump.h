// The NameNode's files as JSON lines, for people and scripts: `cairn-namenode
// dump-edits|dump-image`.
//
// Works on the files of a stopped or a running NameNode: nothing is locked or changed. Damage ends
// the output with an error that names the file and the byte.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/env.h"

namespace cairn::namenode {

// A line on stdout. CANCELLED when nobody reads on.
absl::Status PrintJsonLine(std::string_view json);
absl::Status FlushJsonLines();

// One line an edit of a journal segment, on stdout.
absl::Status DumpEdits(Env* env, const std::string& path);
// One line an entity of an image, on stdout.
absl::Status DumpImageFile(Env* env, const std::string& path);

}  // namespace cairn::namenode
