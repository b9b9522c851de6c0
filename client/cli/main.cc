#include "client/cli/commands.h"
#include "client/cli/mini_command.h"
#include "common/program.h"

int main(int argc, char** argv) {
  cairn::TuneProcess();
  cairn::TerminationSignals signals;
  cairn::cli::Cli cli;
  cairn::cli::AddCommands(cli);
  cairn::cli::AddMini(cli);
  return cli.Run(argc, argv, signals);
}
