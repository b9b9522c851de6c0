// cairn admin quota: shows and sets how much the tree of a directory may hold.
#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/json_text.h"
#include "client/cli/quota_text.h"
#include "common/units.h"

namespace cairn::cli {
namespace {

struct QuotaOptions {
  std::string names;
  std::string space;
  bool json = false;
};

using Limit = std::optional<uint64_t>;

absl::StatusOr<Limit> ParseNames(const std::string& text) {
  if (text == "none") return Limit();
  uint64_t names = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), names);
  if (error != std::errc() || end != text.data() + text.size() || names == 0 ||
      names > std::numeric_limits<int64_t>::max()) {
    return UsageError(fmt::format("--names: '{}' is neither a number above 0 nor none", text));
  }
  return Limit(names);
}

absl::StatusOr<Limit> ParseSpace(const std::string& text) {
  if (text == "none") return Limit();
  const absl::StatusOr<uint64_t> bytes = ParseSize(text);
  if (!bytes.ok() || *bytes > std::numeric_limits<int64_t>::max()) {
    return UsageError(fmt::format("--space: '{}' is neither a size like 10T nor none", text));
  }
  return Limit(*bytes);
}

absl::Status ShowQuota(Context& context, bool json, const ClusterPath& path) {
  ASSIGN_OR_RETURN(const FileStatus status, path.fs->GetFileInfo(path.path));
  if (!status.is_directory()) return absl::FailedPreconditionError("Not a directory");
  ASSIGN_OR_RETURN(const ContentSummary summary, path.fs->GetContentSummary(path.path));
  context.out().Write(json ? QuotaJson(path.shown, summary) + "\n" : QuotaText(summary));
  return absl::OkStatus();
}

absl::Status RunQuota(Context& context, const QuotaOptions& options, const Operands& operands) {
  QuotaChange change;
  if (!options.names.empty()) {
    ASSIGN_OR_RETURN(change.names, ParseNames(options.names));
  }
  if (!options.space.empty()) {
    ASSIGN_OR_RETURN(change.space, ParseSpace(options.space));
  }
  const bool set = change.names || change.space;
  if (set && options.json)
    return UsageError("--json shows a quota; it goes without --names, --space");
  ASSIGN_OR_RETURN(const ClusterPath path, context.Resolve(operands.front()));
  const absl::Status status =
      set ? path.fs->SetQuota(path.path, change) : ShowQuota(context, options.json, path);
  if (!status.ok()) context.Fail(path.shown, status);
  return context.Continue();
}

}  // namespace

void AddQuota(Cli& cli) {
  auto options = std::make_shared<QuotaOptions>();
  Command& quota = cli.Add("admin quota", "PATH", 1, 1,
                           "show or set how many names and how much space a directory may hold",
                           [options](Context& context, const Operands& operands) {
                             return RunQuota(context, *options, operands);
                           });
  quota.Example("cairn admin quota /home/ann                          # what is set and used")
      .Example("cairn admin quota /home/ann --names 100000 --space 30T")
      .Example("cairn admin quota /home/ann --space none             # no limit any more");
  quota.options()
      .AddString("names", &options->names, "files and directories, itself included")
      .Value("N|none");
  quota.options()
      .AddString("space", &options->space,
                 "bytes with all copies; a block that is being written counts with its full size")
      .Value("SIZE|none");
  quota.options().AddBool("json", &options->json, "show as JSON");
}

}  // namespace cairn::cli
