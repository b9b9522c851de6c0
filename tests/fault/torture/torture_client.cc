// A client of a torture: carries out the steps of its plan until its time is up, and writes
// everything down. It is killed, stopped and cut off at any moment.
//
//     torture_client NAMENODE SEED CLIENT DIRECTORIES LOG SECONDS
//
// CLIENT, a number from 1 on, makes its versions and its plan its own.
#include <chrono>
#include <cstdlib>
#include <string>

#include "tests/fault/torture/plan.h"
#include "tests/integration/recorded_client.h"

namespace cairn::testing {
namespace {

constexpr Version kVersionsPerClient = 1'000'000;

void WriteAndClose(RecordedClient& client, const Step& step) {
  for (const WritePiece& piece : step.pieces) {
    client.Write(piece.bytes);
    if (!client.writing()) return;
    if (piece.then == WritePiece::Then::kNothing) continue;
    client.Flush(piece.then == WritePiece::Then::kSync);
    if (!client.writing()) return;
  }
  client.Close();
}

void CarryOut(RecordedClient& client, const Step& step) {
  switch (step.kind) {
    case StepKind::kPut:
      return client.Publish(step.path, step.length, step.overwrite, step.consistency);
    case StepKind::kWrite:
      if (client.Create(step.path, step.consistency)) WriteAndClose(client, step);
      return;
    case StepKind::kAppend:
      if (client.Append(step.path)) WriteAndClose(client, step);
      return;
    case StepKind::kTruncate:
      return client.Truncate(step.path, step.length);
    case StepKind::kRename:
      return client.Rename(step.path, step.to);
    case StepKind::kDelete:
      return client.Delete(step.path, false);
    case StepKind::kStat:
      return client.Stat(step.path).status().IgnoreError();
    case StepKind::kList:
      return client.List(step.path);
    case StepKind::kRead:
      return client.Read(step.path, step.length).IgnoreError();
  }
}

int Run(char** argv) {
  const int client = std::atoi(argv[3]);
  // Impatient, so that a run does not end long after its time. Every other one reads over TCP.
  auto fs = FileSystem::Connect({.namenodes = {argv[1]},
                                 .timeout_ms = 15'000,
                                 .short_circuit = client % 2 == 0,
                                 .transfer = {.packet_bytes = 64 << 10}});
  if (!fs.ok()) return 1;
  ClientPlan plan(std::strtoull(argv[2], nullptr, 10), client, std::atoi(argv[4]));
  History history(static_cast<Version>(client) * kVersionsPerClient, argv[5]);
  RecordedClient recorded(fs->get(), &history, client);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoll(argv[6]));
  while (std::chrono::steady_clock::now() < end) CarryOut(recorded, plan.Next());
  return 0;
}

}  // namespace
}  // namespace cairn::testing

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  return cairn::testing::Run(argv);
}
