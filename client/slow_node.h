// Which DataNode holds a whole pipeline up.
//
// Why: a pipeline is as fast as its slowest node, and a node with a dying disk or a bad link can be
// a hundred times slower than the others without ever failing. Acks say how long each node waited
// for those behind it, and how long it worked itself: the one that made the others wait, without
// waiting itself, is at fault. Pure functions, thread-safe. Used by WriteStream.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace cairn {

// What was seen of a pipeline for some time.
struct PipelineWindow {
  struct Node {
    int64_t waited_us = 0;  // for those behind it
    int64_t worked_us = 0;  // checking and storing packets itself
  };
  int64_t duration_us = 0;
  int64_t writer_waited_us = 0;  // for the pipeline, with nothing else to do
  uint64_t bytes = 0;            // acknowledged
  std::vector<Node> nodes;       // in the pipeline's order
};

struct SlowNode {
  int index = 0;  // in the pipeline
  // It was at work for most of the time: its disk or its processor is slow, there is no doubt. Else
  // it is the way to it, or all machines together have too much to do, which looks the same for a
  // while.
  bool busy = false;

  friend bool operator==(const SlowNode&, const SlowNode&) = default;
};

// The node that holds up a pipeline that moves less than `slow_bytes_per_s`, or less than a quarter
// of that when the node is not busy. None while the writer is the slow one, or when the others did
// not work much faster than the pipeline: all share a slow disk, or the load is slow everywhere.
std::optional<SlowNode> FindSlowNode(const PipelineWindow& window, uint64_t slow_bytes_per_s);

}  // namespace cairn
