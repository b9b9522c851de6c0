// cairn mini: a whole cluster in this process, until Ctrl-C.
#include "client/cli/mini_command.h"

#include <fmt/format.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "client/mini/mini.h"
#include "common/clock.h"
#include "common/env.h"
#include "common/program.h"

namespace cairn::cli {
namespace {

struct MiniFlags {
  std::string dir;
  int64_t datanodes = 3;
  std::string listen = "127.0.0.1:8020";
  std::string http = "127.0.0.1:9870";
  std::string ready_file;
};

absl::Status RunMini(Context& context, const MiniFlags& flags) {
  if (flags.dir.empty()) return UsageError("--dir says where to keep the cluster; it is missing");
  // A daemon may take 10 s to stop.
  context.interrupt().set_grace_ms(15'000);
  const std::unique_ptr<Env> env = NewPosixEnv();
  const std::unique_ptr<Clock> clock = NewSystemClock();
  RETURN_IF_ERROR(RemoveReadyFile(*env, flags.ready_file));
  mini::MiniOptions options;
  options.dir = flags.dir;
  options.datanodes = static_cast<int>(flags.datanodes);
  options.namenode.listen = flags.listen;
  options.namenode.http = flags.http;
  ASSIGN_OR_RETURN(const std::unique_ptr<mini::MiniCluster> cluster,
                   mini::MiniCluster::Start(std::move(options), env.get(), clock.get()));
  context.out().Write(fmt::format("cairn mini ready: rpc={} http={} dir={}\n",
                                  cluster->rpc_address(), cluster->http_address(), flags.dir));
  context.out().Flush();
  RETURN_IF_ERROR(WriteReadyFile(*env, flags.ready_file, cluster->ReadyJson()));
  while (context.interrupt().Sleep(60'000).ok()) {
  }
  cluster->Stop();
  return RemoveReadyFile(*env, flags.ready_file);  // its addresses are not served any more
}

}  // namespace

void AddMini(Cli& cli) {
  auto flags = std::make_shared<MiniFlags>();
  Command& command =
      cli.Add("mini", "--dir D", 0, 0, "run a whole cluster in this process, until Ctrl-C",
              [flags](Context& context, const Operands&) { return RunMini(context, *flags); });
  command.Example("cairn mini --dir /tmp/cairn           # then, elsewhere: cairn ls /");
  OptionTable& table = command.options();
  table.AddString("dir", &flags->dir, "where it keeps everything; made if needed").Value("D");
  table.AddInt("datanodes", &flags->datanodes, 0, 100, "how many DataNodes");
  table.AddString("listen", &flags->listen, "the NameNode's address; port 0 takes a free one")
      .Value("HOST:PORT");
  table.AddString("http", &flags->http, "the NameNode's HTTP address; port 0 takes a free one")
      .Value("HOST:PORT");
  table.AddString("ready-file", &flags->ready_file, "write addresses here as JSON once serving")
      .Value("FILE");
}

}  // namespace cairn::cli
