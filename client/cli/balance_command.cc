// cairn admin balance: the run that moves replicas from fuller DataNodes to emptier ones.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "client/cli/balance_text.h"
#include "client/cli/commands.h"
#include "common/mutex.h"

namespace cairn::cli {
namespace {

constexpr int64_t kPollMs = 500;

struct BalanceOptions {
  double threshold = 10;  // HDFS's default
  Option* threshold_option = nullptr;
  bool wait = false;
  bool stop = false;
  bool status = false;
  bool json = false;
};

void Print(Context& context, bool json, const std::string& first, const BalanceStatus& status) {
  context.out().Write(json ? BalanceJson(status) + "\n" : first + BalanceText(status));
}

// The last answer, for the line that is drawn on a thread of its own.
class Shown {
 public:
  void Update(const BalanceStatus& status) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    status_ = status;
  }
  std::string Line(size_t columns) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    return FormatBalance(status_, columns);
  }

 private:
  Mutex mu_;
  BalanceStatus status_ ABSL_GUARDED_BY(mu_);
};

// Returns how the run ended.
absl::StatusOr<BalanceStatus> Await(Context& context, AdminClient& admin, BalanceStatus status) {
  Shown shown;
  shown.Update(status);
  std::string told;
  ProgressLine line(context.console(),
                    [&](int64_t, size_t columns) { return shown.Line(columns); });
  while (status.state == "running") {
    // Where no line is drawn, what is in the way is said once.
    if (status.reason != told) {
      told = status.reason;
      if (!told.empty() && !context.console().is_terminal()) context.console().PrintLine(told);
    }
    RETURN_IF_ERROR(context.interrupt().Sleep(kPollMs));
    ASSIGN_OR_RETURN(status, admin.BalanceProgress());
    shown.Update(status);
  }
  return status;
}

absl::Status Start(Context& context, AdminClient& admin, const BalanceOptions& options) {
  ASSIGN_OR_RETURN(BalanceStatus status, admin.BalanceProgress());
  // Everybody may see how far a run is; with a threshold, it is to be this run.
  const bool threshold_given = options.threshold_option->source() != OptionSource::kDefault;
  if (status.state != "running" || threshold_given) {
    ASSIGN_OR_RETURN(status, admin.StartBalancing(options.threshold));
  }
  if (options.wait) {
    ASSIGN_OR_RETURN(status, Await(context, admin, status));
    if (options.json) Print(context, true, "", status);
    RETURN_IF_ERROR(Balanced(status).status());
    if (!options.json) Print(context, false, "", status);
    return absl::OkStatus();
  }
  const char* first = status.started
                          ? "the balancer has begun; `cairn admin balance` shows how far it is\n"
                          : "the balancer runs already\n";
  Print(context, options.json, first, status);
  return absl::OkStatus();
}

absl::Status Balance(Context& context, const BalanceOptions& options) {
  const bool threshold_given = options.threshold_option->source() != OptionSource::kDefault;
  if ((options.stop || options.status) && (options.wait || threshold_given)) {
    return UsageError(
        fmt::format("--{} goes without --wait and --threshold", options.stop ? "stop" : "status"));
  }
  if (options.stop && options.status) return UsageError("--stop goes without --status");
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  if (!options.stop && !options.status) return Start(context, *admin, options);
  const absl::StatusOr<BalanceStatus> status =
      options.stop ? admin->StopBalancing() : admin->BalanceProgress();
  if (!status.ok()) return status.status();
  Print(context, options.json, "", *status);
  return absl::OkStatus();
}

}  // namespace

void AddBalance(Cli& cli) {
  auto options = std::make_shared<BalanceOptions>();
  Command& command = cli.Add(
      "admin balance", "", 0, 0,
      "move replicas until DataNodes are used alike; shows how far it is when it runs already",
      [options](Context& context, const Operands&) { return Balance(context, *options); });
  command.Example("cairn admin balance                       # begins, and returns at once")
      .Example("cairn admin balance --threshold 5 --wait")
      .Example("cairn admin balance --status --json | jq .bytes_left");
  OptionTable& table = command.options();
  options->threshold_option =
      &table
           .AddDouble("threshold", &options->threshold, 0.1, 100,
                      "how far a DataNode may be from the mean, in percentage points of its space")
           .Value("PERCENT");
  table.AddBool("wait", &options->wait, "return once it is balanced, or cannot be");
  table.AddBool("stop", &options->stop, "end it; moves under way are brought to their end");
  table.AddBool("status", &options->status,
                "show it, or how the last one ended, and begin nothing");
  table.AddBool("json", &options->json, "as JSON");
}

}  // namespace cairn::cli
