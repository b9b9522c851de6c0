// How bytes get into the data file of an open replica: through the page cache, or past it.
//
// Why: a block that streams in is not read while it is written, and copying it into new pages of
// the page cache costs more than anything else a DataNode does; direct writes (O_DIRECT) take half
// of the CPU, and leave nothing for the sync at the end. They write whole pages only, so the rest
// goes through the page cache. The rule that keeps the two apart: a page is written either way,
// never both. A replica grows, so a page that is begun through the page cache (its end was not at a
// page's border) is also ended through it, and a page that was written directly was written whole.
// What open(2) says of mixing both on the same bytes does not arise, nor does a reader in between.
//
// Whichever way, what Write has returned for is the system's: it outlives this process. Of one
// thread. Used by OpenFiles.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/cord.h"
#include "common/env.h"
#include "common/status.h"
#include "datanode/store/aligned_buffers.h"
#include "datanode/store/replica.h"

namespace cairn::datanode {

class DiskMeter;

class DataWriter {
 public:
  virtual ~DataWriter() = default;

  // Writes all of `bytes` at `offset`, which is where the file ends. After an error it may have
  // some of them.
  virtual absl::Status Write(uint64_t offset, const absl::Cord& bytes) = 0;
};

// What decides how a replica is written.
struct DataWriting {
  DiskWrites how = DiskWrites::kBuffered;
  AlignedBuffers* buffers = nullptr;  // unless how is kBuffered; must outlive the writer
  DiskMeter* meter = nullptr;         // of the disk, outlives the files; null: nobody measures
};

// For the file at `path`, open as `file`, both of which must outlive the writer. `path` must stay
// its name. kAuto writes directly what comes in large packets, until one ends within a page: a
// stream that is flushed is likely to be read at once. `fresh`: the replica is new; one that is
// appended to is written through the page cache then.
std::unique_ptr<DataWriter> MakeDataWriter(Env* env, std::string path, File* file,
                                           const DataWriting& writing, bool fresh);

// Whether files in this folder can be written directly, which only a try tells. Writes a file
// `path` and removes it.
absl::Status TryDirectWrite(Env* env, const std::string& path, AlignedBuffers* buffers);

}  // namespace cairn::datanode
