// Gets a block that lost its pipeline going again: HDFS's pipeline recovery.
//
// The nodes that are left take a new generation stamp, which leaves the replicas of the failed ones
// behind; where too few are left, others join with a copy of what was acknowledged. Any step can
// fail in its turn: then again, with the node that failed left out and with another stamp, until it
// works or the tries are used up. The stamp is the block's only when the NameNode has journaled it
// together with the pipeline, before a byte is sent. docs/adr/0013-pipeline-recovery.md tells why
// it is done like this. Used by BlockWriter's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/block_pipeline.h"
#include "client/write_tries.h"
#include "common/consistency.h"
#include "common/ids.h"
#include "proto/namenode.pb.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

// What a writer knows of its file.
struct WrittenFile {
  INodeId inode = 0;
  uint64_t block_size = 0;
  uint32_t replication = 1;
  uint32_t min_replicas = 1;  // what a block needs to be finished
  Consistency consistency = Consistency::kStrong;
};

// How many nodes are wanted beside `survivors`: HDFS's rule (of three replicas and more, half or
// more are lost, or any of a block that was flushed), and never fewer than min_replicas.
uint32_t ReplacementsWanted(uint32_t replication, uint32_t survivors, uint32_t min_replicas,
                            bool flushed);

class PipelineRecovery {
 public:
  struct State {
    v1::LocatedBlock target;  // the journaled stamp and pipeline
    uint64_t acked = 0;       // bytes that all of its nodes have
    bool flushed = false;     // a user counts on them
    bool find_slow_nodes = true;
  };

  // All must outlive it. `state` is brought up to date; `failure` is why the pipeline is gone.
  PipelineRecovery(ClientCore* core, const WrittenFile* file, WriteTries* tries, State* state,
                   absl::Status failure);

  // The pipeline, open, journaled, and ready for what was not acknowledged.
  absl::StatusOr<std::unique_ptr<BlockPipeline>> Run();

 private:
  using Nodes = std::vector<v1::NodeAddress>;

  // The members that are there and have the replica; the others are left out.
  Nodes FindSurvivors();
  absl::StatusOr<v1::NewStampReply> NewStamp(const Nodes& survivors);
  // Those of `nodes` that answer; the others are left out.
  Nodes Living(const Nodes& nodes);
  // More nodes, though they failed before. OK: look again.
  absl::Status TooFew(size_t survivors, size_t available);
  // Copies what was acknowledged to the newcomers, who are members then.
  absl::Status BringUpToDate(const Nodes& survivors, const Nodes& newcomers);
  absl::StatusOr<std::unique_ptr<BlockPipeline>> OpenPipeline(const Nodes& nodes,
                                                              GenerationStamp generation);
  absl::Status UpdatePipeline(const Nodes& nodes, GenerationStamp generation);
  // After a step failed: OK when it is worth another round.
  absl::Status Again(const absl::Status& failure);

  ClientCore* const core_;
  const WrittenFile& file_;
  WriteTries& tries_;
  State& state_;
  absl::Status failure_;  // the last one
  Nodes members_;         // have, or had, what was acknowledged
  bool slow_;             // a slow node was left out
  size_t next_source_ = 0;
  int failed_copies_ = 0;
};

}  // namespace cairn
