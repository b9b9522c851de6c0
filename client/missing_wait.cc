#include "client/missing_wait.h"

#include "common/status.h"
#include "proto/admin.pb.h"

namespace cairn {

bool MissingWait::Again() {
  const absl::StatusOr<v1::SafeModeReply> reply = core_->namenode().SafeMode(v1::SafeModeRequest());
  const bool was_starting = !starting_.empty();
  starting_ = reply.ok() && reply->starting() ? reply->reason() : "";
  if (was_starting && starting_.empty())
    wait_.End();  // those that are not needed for it may follow
  const ClientOptions& options = core_->options();
  if (wait_.Begin(starting_.empty() ? options.transfer.missing_ms : options.timeout_ms)) {
    wait_.Pause();
    return true;
  }
  wait_.End();
  return false;
}

}  // namespace cairn
