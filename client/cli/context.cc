#include "client/cli/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/cli/expand.h"
#include "client/cli/paths.h"
#include "common/program.h"

namespace cairn::cli {

ClusterPath ClusterPath::Child(std::string_view name) const { return At(JoinPath(path, name)); }

ClusterPath ClusterPath::At(std::string other) const {
  ClusterPath result;
  result.fs = fs;
  result.shown = prefix() + other;
  result.path = std::move(other);
  return result;
}

absl::StatusOr<ClusterPath> Context::Resolve(std::string_view operand) {
  ASSIGN_OR_RETURN(const ClientPath parsed, ParseClientPath(operand));
  std::unique_ptr<FileSystem>& fs = file_systems_[parsed.cluster];
  if (fs == nullptr) {
    ASSIGN_OR_RETURN(ClientOptions options, config_.Resolve(parsed.cluster));
    ASSIGN_OR_RETURN(fs, FileSystem::Connect(std::move(options)));
  }
  ClusterPath result;
  result.fs = fs.get();
  result.path = NormalizePath(parsed.path);
  result.shown = (parsed.cluster.empty() ? "" : "cairn://" + parsed.cluster) + result.path;
  result.trailing_slash = parsed.path.size() > 1 && parsed.path.back() == '/';
  return result;
}

absl::StatusOr<ClientOptions> Context::OptionsOf(std::string_view operand) const {
  ASSIGN_OR_RETURN(const ClientPath parsed, ParseClientPath(operand));
  return config_.Resolve(parsed.cluster);
}

absl::StatusOr<std::vector<ClusterPath>> Context::ResolveAll(
    const std::vector<std::string>& operands) {
  std::vector<ClusterPath> paths;
  for (const std::string& operand : operands) {
    ASSIGN_OR_RETURN(ClusterPath path, Resolve(operand));
    paths.push_back(std::move(path));
  }
  return paths;
}

absl::StatusOr<std::vector<ClusterPath>> Context::Expand(const std::vector<std::string>& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, ResolveAll(operands));
  std::vector<ClusterPath> expanded;
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(Continue());
    absl::StatusOr<std::vector<ClusterPath>> matches = ExpandPattern(path);
    if (!matches.ok()) {
      Fail(path.shown, matches.status());
      continue;
    }
    expanded.insert(expanded.end(), matches->begin(), matches->end());
  }
  return expanded;
}

absl::StatusOr<AdminClient*> Context::Admin() {
  if (admin_ == nullptr) {
    ASSIGN_OR_RETURN(ClientOptions options, config_.Resolve());
    ASSIGN_OR_RETURN(admin_, AdminClient::Connect(std::move(options)));
  }
  return admin_.get();
}

void Context::Fail(std::string_view what, const absl::Status& status) {
  // Our own cancellation alone is silent: a server may answer CANCELLED too.
  if (absl::IsCancelled(status) && !Continue().ok()) return;
  const bool unreachable = KindOf(status) == ErrorKind::kClusterUnreachable;
  if (unreachable && unreachable_.exchange(true)) return;
  RaiseExitStatus(ExitStatusOf(status));
  if (unreachable || what.empty()) {
    console_.PrintLine(fmt::format("cairn: {}: {}", command_, MessageOf(status)));
  } else {
    console_.PrintLine(fmt::format("cairn: {}: {}: {}", command_, what, MessageOf(status)));
  }
}

absl::Status Context::Continue() const {
  RETURN_IF_ERROR(interrupt_.Check());
  RETURN_IF_ERROR(out_.status());
  if (unreachable_.load()) return absl::CancelledError("the cluster cannot be reached");
  return absl::OkStatus();
}

void Context::RaiseExitStatus(int status) {
  int current = exit_status_.load();
  while (current < status && !exit_status_.compare_exchange_weak(current, status)) {
  }
}

}  // namespace cairn::cli
