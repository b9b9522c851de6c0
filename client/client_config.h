// Where a client finds its cluster: --namenode, else $CAIRN_NAMENODE, else
// ~/.config/cairn/client.toml, else /etc/cairn/client.toml, else 127.0.0.1:8020; and
// cairn://NAME/path resolves [clusters.NAME] of those files.
//
//     ClientConfig config;
//     config.Declare(line);                              // options and files of `cairn`
//     ASSIGN_OR_RETURN(ParsedCommand parsed, line.Parse(argc, argv));
//     ASSIGN_OR_RETURN(ClientPath path, ParseClientPath(parsed.operands[0]));
//     ASSIGN_OR_RETURN(ClientOptions options, config.Resolve(path.cluster));
//
// Not thread-safe: used before threads start. client.toml:
//     namenode = "nn1:8020,nn2:8020"
//     [clusters.archive]
//     namenode = "archive-nn:8020"
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "client/file_system.h"
#include "common/command_line.h"
#include "common/options.h"
#include "common/status.h"

namespace cairn {

// An operand: "/a/b" in the default cluster (cluster is empty) or "cairn://NAME/a/b".
struct ClientPath {
  std::string cluster;
  std::string path;  // absolute
};
// kUsage when it is neither.
absl::StatusOr<ClientPath> ParseClientPath(std::string_view operand);

class ClientConfig {
 public:
  // Adds --namenode, --user, --rack, --timeout and --no-short-circuit, [clusters.NAME] and the two
  // files. `home` is the user's home directory; empty: $HOME. This object must outlive the parsing.
  void Declare(CommandLine& line, std::string_view home = "");

  // The options of a cluster, after the command line was parsed. kUsage for a name without a table
  // or a table without a namenode. An empty name is the default cluster; a --namenode given on the
  // command line or by the environment speaks for that one alone.
  absl::StatusOr<ClientOptions> Resolve(std::string_view cluster = "") const;

 private:
  std::string namenode_ = "127.0.0.1:8020";
  std::string user_;
  std::string rack_;
  int64_t timeout_ms_ = 30'000;
  bool no_short_circuit_ = false;
  std::map<std::string, std::map<std::string, std::string>> clusters_;
};

}  // namespace cairn
