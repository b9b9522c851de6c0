// The groups of commands. Each function declares its commands, with options and examples, and says
// what runs them. Called once, by main.
#pragma once

#include "client/cli/cli.h"

namespace cairn::cli {

void AddPut(Cli& cli);
void AddGet(Cli& cli);
void AddReadCommands(Cli& cli);       // cat head tail
void AddListCommands(Cli& cli);       // ls stat
void AddUsageCommands(Cli& cli);      // du df count
void AddFind(Cli& cli);               // find
void AddChangeCommands(Cli& cli);     // mkdir rm mv touch
void AddTrashCommands(Cli& cli);      // expunge
void AddAppendCommands(Cli& cli);     // append truncate concat
void AddCopy(Cli& cli);               // cp
void AddAttributeCommands(Cli& cli);  // chmod chown chgrp setrep
void AddCheckCommands(Cli& cli);      // test locations checksum
void AddFsck(Cli& cli);               // fsck
void AddAdminCommands(Cli& cli);      // admin report|health|nodes|safe-mode|checkpoint
void AddNodeCommands(Cli& cli);       // admin decommission|recommission|maintenance
void AddVolumes(Cli& cli);            // admin volumes
void AddBalance(Cli& cli);            // admin balance
void AddBench(Cli& cli);              // bench metadata
void AddBenchTransfers(Cli& cli);     // bench put|get|pipeline|smallfiles
void AddQuota(Cli& cli);              // admin quota
void AddCompletion(Cli& cli);         // completion

// All of them.
void AddCommands(Cli& cli);

}  // namespace cairn::cli
