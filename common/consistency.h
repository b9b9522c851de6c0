// What an acknowledgement of a file's bytes says (promise P3, docs/guarantees.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cairn {

enum class Consistency : uint8_t {
  kStrong = 0,    // durable on every node of the pipeline, and on at least min-replicas
  kEventual = 1,  // in the memory of every node of the pipeline; durable within 5 s
  kWeak = 2,      // in the memory of the pipeline's first node
};

constexpr std::string_view ToString(Consistency consistency) {
  switch (consistency) {
    case Consistency::kEventual:
      return "eventual";
    case Consistency::kWeak:
      return "weak";
    case Consistency::kStrong:
      break;
  }
  return "strong";
}

constexpr std::optional<Consistency> ParseConsistency(std::string_view text) {
  if (text == "strong") return Consistency::kStrong;
  if (text == "eventual") return Consistency::kEventual;
  if (text == "weak") return Consistency::kWeak;
  return std::nullopt;
}

}  // namespace cairn
