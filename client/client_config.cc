#include "client/client_config.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "common/strings.h"

namespace cairn {
namespace {

constexpr std::string_view kScheme = "cairn://";
constexpr std::string_view kSystemFile = "/etc/cairn/client.toml";
constexpr int64_t kMissingMs = 4'000;  // an interrupted command ends itself after five seconds

}  // namespace

absl::StatusOr<ClientPath> ParseClientPath(std::string_view operand) {
  if (operand.starts_with('/')) return ClientPath{.cluster = "", .path = std::string(operand)};
  if (!operand.starts_with(kScheme)) {
    return UsageError(fmt::format(
        "{}: paths in the cluster are absolute, as in /a/b or cairn://NAME/a/b", operand));
  }
  const std::string_view rest = operand.substr(kScheme.size());
  const size_t slash = rest.find('/');
  if (slash == 0 || rest.empty()) {
    return UsageError(
        fmt::format("{}: the cluster's name is missing, as in cairn://NAME/a/b", operand));
  }
  if (slash == std::string_view::npos) return ClientPath{std::string(rest), "/"};
  return ClientPath{std::string(rest.substr(0, slash)), std::string(rest.substr(slash))};
}

void ClientConfig::Declare(CommandLine& line, std::string_view home) {
  OptionTable& table = line.globals();
  table.AddString("namenode", &namenode_, "addresses of the NameNodes, tried in turn")
      .Value("HOST:PORT[,...]");
  table.AddString("user", &user_, "act as this user").Value("USER").Default("your login");
  table.AddString("rack", &rack_, "where this client is, to find the nearest replicas")
      .Value("/REGION/RACK");
  table.AddDuration("timeout", &timeout_ms_, "how long to wait for a NameNode");
  table.AddBool("no-short-circuit", &no_short_circuit_,
                "read replicas on this host over TCP too, not out of their files");
  table.AllowSections("clusters", &clusters_);

  std::vector<std::string> files;
  const char* variable = std::getenv("HOME");
  if (home.empty() && variable != nullptr) home = variable;
  if (!home.empty()) files.push_back(fmt::format("{}/.config/cairn/client.toml", home));
  files.emplace_back(kSystemFile);
  line.AddConfigOption(std::move(files));
}

absl::StatusOr<ClientOptions> ClientConfig::Resolve(std::string_view cluster) const {
  std::string namenodes = namenode_;
  if (!cluster.empty()) {
    const auto table = clusters_.find(std::string(cluster));
    if (table == clusters_.end()) {
      return UsageError(
          fmt::format("unknown cluster {0}; client.toml needs a table [clusters.{0}]", cluster));
    }
    for (const auto& [key, unused] : table->second) {
      if (key != "namenode") {
        return UsageError(
            fmt::format("unknown key {} in [clusters.{}] of client.toml", key, cluster));
      }
    }
    const auto value = table->second.find("namenode");
    if (value == table->second.end()) {
      return UsageError(fmt::format("[clusters.{}] of client.toml has no namenode", cluster));
    }
    namenodes = value->second;
  }
  ClientOptions options;
  options.namenodes = SplitList(namenodes, ',');
  options.user = user_;
  options.rack = rack_;
  options.timeout_ms = timeout_ms_;
  options.short_circuit = !no_short_circuit_;
  options.transfer.missing_ms = kMissingMs;
  return options;
}

}  // namespace cairn
