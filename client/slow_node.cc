#include "client/slow_node.h"

namespace cairn {
namespace {

constexpr double kWriterWaited = 0.8;  // of the window; else the writer has little to write
constexpr double kNodeWaited = 0.5;    // of the window; the fault lies behind such a node
constexpr double kNodeWorked = 0.5;    // of the window, makes it busy
constexpr double kIdleShare = 0.25;    // of the slow speed, for a node that is not
constexpr double kTimesFaster = 10;    // than the pipeline, each of the other nodes by itself

}  // namespace

std::optional<SlowNode> FindSlowNode(const PipelineWindow& window, uint64_t slow_bytes_per_s) {
  if (window.duration_us <= 0 || window.bytes == 0 || window.nodes.size() < 2) return std::nullopt;
  const auto duration_us = static_cast<double>(window.duration_us);
  const auto bytes = static_cast<double>(window.bytes);
  const double bytes_per_us = bytes / duration_us;
  if (static_cast<double>(window.writer_waited_us) < kWriterWaited * duration_us) {
    return std::nullopt;
  }
  int culprit = 0;
  for (const PipelineWindow::Node& node : window.nodes) {
    if (static_cast<double>(node.waited_us) < kNodeWaited * duration_us) break;
    ++culprit;
  }
  const int count = static_cast<int>(window.nodes.size());
  // The last one says that it waits for others: none can be blamed.
  if (culprit == count) return std::nullopt;
  const bool busy =
      static_cast<double>(window.nodes[culprit].worked_us) >= kNodeWorked * duration_us;
  const double slow = static_cast<double>(slow_bytes_per_s) * (busy ? 1 : kIdleShare);
  if (bytes_per_us * 1e6 >= slow) return std::nullopt;
  for (int i = 0; i < count; ++i) {
    const auto worked_us = static_cast<double>(window.nodes[i].worked_us);
    if (i != culprit && bytes < kTimesFaster * bytes_per_us * worked_us) return std::nullopt;
  }
  return SlowNode{culprit, busy};
}

}  // namespace cairn
