// Status helpers: the two propagation macros and the error kinds that travel with a status.
//
// Why: errors are absl::Status everywhere. A message is one line that a user can act on; it does
// not repeat the path, which the command line puts before it ("cairn: put: /a/b: File exists").
// Where a program must tell errors of one code apart, the status carries an ErrorKind as a payload,
// which also crosses the wire (common/net/rpc_status.h). Thread-safe: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CAIRN_CONCAT_INNER(a, b) a##b
#define CAIRN_CONCAT(a, b) CAIRN_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` (an absl::Status) is not OK.
#define RETURN_IF_ERROR(expr)                          \
  do {                                                 \
    if (absl::Status s_ = (expr); !s_.ok()) return s_; \
  } while (false)

// Assigns the value of `expr` (an absl::StatusOr) to `lhs`, or returns its status.
#define ASSIGN_OR_RETURN(lhs, expr) \
  CAIRN_ASSIGN_OR_RETURN_INNER(CAIRN_CONCAT(status_or_, __LINE__), lhs, expr)
#define CAIRN_ASSIGN_OR_RETURN_INNER(var, lhs, expr) \
  auto var = (expr);                                 \
  if (!var.ok()) return std::move(var).status();     \
  lhs = std::move(var).value()

namespace cairn {

// What kind of failure a status tells of, where its code alone is not enough. The numbers are wire
// values (cairn.v1.ErrorDetail): never reuse one.
enum class ErrorKind : int {
  kNone = 0,
  kSafeMode = 1,             // UNAVAILABLE: the NameNode is in safe mode; wait or retry
  kNotEnoughDataNodes = 2,   // RESOURCE_EXHAUSTED: fewer than min-replicas targets
  kOutcomeUnknown = 3,       // ABORTED: a retry from below the retry cache's window
  kLeaseLost = 4,            // FAILED_PRECONDITION: the caller does not hold the file's lease
  kNotActive = 5,            // UNAVAILABLE: this NameNode does not serve; try another
  kUnknownNode = 6,          // NOT_FOUND: the DataNode must register (again)
  kNotYetReplicated = 7,     // UNAVAILABLE: complete() before min-replicas are durable; retry
  kClusterUnreachable = 8,   // UNAVAILABLE: no NameNode answered within --timeout (exit status 3)
  kNoSpace = 9,              // RESOURCE_EXHAUSTED: a disk is full
  kChecksum = 10,            // DATA_LOSS: bytes that fail their checksum
  kUsage = 11,               // INVALID_ARGUMENT: wrong usage of a program (exit status 2)
  kRecoveryInProgress = 12,  // UNAVAILABLE: the file's blocks are being settled; retry
  kBeingWritten = 13,        // FAILED_PRECONDITION: another client holds the file's lease
  kStaleReplica = 14,   // FAILED_PRECONDITION: a generation stamp below the replica's, or above
  kIdleStream = 15,     // ABORTED: a peer neither sent nor took anything for too long
  kSlowNode = 16,       // UNAVAILABLE: a DataNode far slower than the others of its pipeline
  kQuotaExceeded = 17,  // RESOURCE_EXHAUSTED: a directory's quota of names or space
  kBusy = 18,           // RESOURCE_EXHAUSTED: a DataNode has as many streams as it may; retry
};

// `status` with `kind` attached (replaces an earlier one). An OK status is returned as it is.
absl::Status WithKind(absl::Status status, ErrorKind kind);
ErrorKind KindOf(const absl::Status& status);

// A status for a failed system call: the code that fits `error_number`, "CONTEXT: strerror".
// ENOSPC, EDQUOT and EFBIG carry kNoSpace.
absl::Status ErrnoStatus(std::string_view context, int error_number);

// The message as std::string_view (Debian's absl::string_view is a type of its own).
inline std::string_view MessageOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// `status` with "PREFIX: " put before its message; code and kind stay.
absl::Status Annotate(absl::Status status, std::string_view prefix);

}  // namespace cairn
