#include "common/net/grpc_log.h"

#include <grpc/support/log.h>

#include "common/logging.h"

namespace cairn {

void RouteGrpcLog() {
  // Errors too: what matters of them comes back as the status of a call or a bind, in our words.
  gpr_set_log_function([](gpr_log_func_args* args) {
    LogDebug("grpc: {}:{}: {}", args->file, args->line, args->message);
  });
}

}  // namespace cairn
