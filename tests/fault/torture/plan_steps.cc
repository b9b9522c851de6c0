#include <fmt/format.h>

#include <array>

#include "tests/fault/torture/plan.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kLargestPiece = 60'000;
constexpr uint64_t kMostPieces = 6;
constexpr std::array<const char*, 9> kStepNames = {
    "put", "write", "append", "truncate", "rename", "delete", "stat", "list", "read"};

// How often each kind comes, of 100.
constexpr std::array<int, 9> kShares = {20, 14, 14, 6, 8, 6, 6, 6, 20};

}  // namespace

std::string ToString(const Step& step) {
  std::string text = fmt::format("{} {}", kStepNames[static_cast<size_t>(step.kind)], step.path);
  if (!step.to.empty()) text += " -> " + step.to;
  if (step.length != 0) text += fmt::format(" {}", step.length);
  if (step.overwrite) text += " -f";
  for (const WritePiece& piece : step.pieces) {
    text += fmt::format(" +{}", piece.bytes);
    if (piece.then == WritePiece::Then::kFlush) text += " hflush";
    if (piece.then == WritePiece::Then::kSync) text += " hsync";
  }
  return text;
}

std::string DirectoryName(int number) { return fmt::format("/t{}", number); }

ClientPlan::ClientPlan(uint64_t seed, int client, int directories)
    : directories_(directories), random_(seed * 1'000'003 + static_cast<uint64_t>(client)) {}

std::string ClientPlan::AnyPath() {
  const int directory = static_cast<int>(Below(static_cast<uint64_t>(directories_)));
  return fmt::format("{}/f{}", DirectoryName(directory), Below(kNamesPerDirectory));
}

void ClientPlan::AddPieces(Step& step) {
  const uint64_t pieces = 1 + Below(kMostPieces);
  for (uint64_t i = 0; i < pieces; ++i) {
    WritePiece piece{.bytes = 1 + Below(kLargestPiece)};
    if (const uint64_t dice = Below(6); dice < 3) {
      piece.then = dice == 0 ? WritePiece::Then::kSync : WritePiece::Then::kFlush;
    }
    step.pieces.push_back(piece);
  }
}

Step ClientPlan::Next() {
  auto dice = static_cast<int>(Below(100));
  size_t kind = 0;
  while (dice >= kShares[kind]) dice -= kShares[kind++];
  Step step{.kind = static_cast<StepKind>(kind), .path = AnyPath()};
  step.consistency = Below(2) == 0 ? Consistency::kStrong : Consistency::kEventual;
  switch (step.kind) {
    case StepKind::kPut:
      step.length = Below(kLargestFile);
      step.overwrite = Below(2) == 0;
      break;
    case StepKind::kWrite:
    case StepKind::kAppend:
      AddPieces(step);
      break;
    case StepKind::kTruncate:
      step.length = Below(kLargestFile);
      break;
    case StepKind::kRename: {
      // Within a directory: histories of different ones are judged apart.
      const size_t slash = step.path.rfind('/');
      step.to = step.path.substr(0, slash) + fmt::format("/f{}", Below(kNamesPerDirectory));
      break;
    }
    case StepKind::kList:
      step.path.resize(step.path.rfind('/'));
      break;
    case StepKind::kRead:
      step.length = Below(3) == 0 ? Below(kLargestFile) : 0;
      break;
    case StepKind::kDelete:
    case StepKind::kStat:
      break;
  }
  return step;
}

}  // namespace cairn::testing
