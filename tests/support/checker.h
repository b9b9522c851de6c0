// Decides whether a file system that keeps its promises can have given the answers of a record.
//
// What is found:
//   - bytes that were read and that nobody had written there by then;
//   - answers that fit no order of the operations (linearizability): acknowledged bytes that are
//     lost, half a file under a published name, a rename that is seen in half, a writer that goes
//     on after another one took over, a name that comes back.
// Each violation names the operations. Records of some thousand operations by up to eight clients
// take seconds: what lies under different directories of "/" is judged apart, unless an operation
// (a rename, a listing of "/") connects them.
//
// Reads that overlap a truncation of the same file are judged by the first rule alone: a reader
// that opened the file before may see bytes from before and after it, as in HDFS.
// Pure. Used by tests of random histories.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/history.h"

namespace cairn::testing {

struct Violation {
  std::string what;                // some lines, for people
  std::vector<size_t> operations;  // that cannot be explained
};

struct CheckOptions {
  size_t max_states = 3'000'000;  // of one directory; after that it stays undecided
};

struct CheckResult {
  std::vector<Violation> violations;
  std::vector<std::string> undecided;  // how far the search came where it found no answer in time
  size_t states = 0;                   // that were looked at

  bool ok() const { return violations.empty() && undecided.empty(); }
  std::string ToString() const;
};

CheckResult CheckHistory(const Record& record, const CheckOptions& options = {});

}  // namespace cairn::testing
