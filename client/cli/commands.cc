#include "client/cli/commands.h"

namespace cairn::cli {

void AddCommands(Cli& cli) {
  AddPut(cli);
  AddGet(cli);
  AddReadCommands(cli);
  AddListCommands(cli);
  AddUsageCommands(cli);
  AddFind(cli);
  AddChangeCommands(cli);
  AddTrashCommands(cli);
  AddAppendCommands(cli);
  AddCopy(cli);
  AddAttributeCommands(cli);
  AddCheckCommands(cli);
  AddFsck(cli);
  AddAdminCommands(cli);
  AddNodeCommands(cli);
  AddVolumes(cli);
  AddBalance(cli);
  AddBench(cli);
  AddBenchTransfers(cli);
  AddQuota(cli);
  AddCompletion(cli);
}

}  // namespace cairn::cli
