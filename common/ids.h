// The numbers that rooms exchange. Plain aliases and one struct; terms are HDFS's.
#pragma once

#include <cstdint>

namespace cairn {

using INodeId = uint64_t;  // never reused; 1 is the root
using BlockId = uint64_t;  // sequential, never reused
using GenerationStamp =
    uint64_t;                 // sequential; grows whenever a block's replicas must be told apart
using TxId = uint64_t;        // an edit's place in the journal, from 1; 0: none
using NodeNumber = uint32_t;  // short name of a DataNode, given at its first registration; 0: none
using StorageNumber = uint32_t;  // short name of one data directory of a DataNode; 0: none

inline constexpr uint64_t kChunkBytes = 4096;  // bytes under one CRC32C

struct Block {
  BlockId id = 0;
  GenerationStamp generation = 0;
  uint64_t length = 0;  // bytes

  friend bool operator==(const Block&, const Block&) = default;
};

}  // namespace cairn
