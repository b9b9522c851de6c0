// Replicas in real files, and a Unix socket in this process that passes them as a DataNode does, or
// fails on demand. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/fd.h"
#include "common/ids.h"
#include "common/net/unix_socket.h"
#include "proto/data_transfer.pb.h"
#include "tests/unit/common/temp_dir.h"

namespace cairn::testing {

class FakeLocalSocket {
 public:
  enum class Mode {
    kServe,
    kSilent,         // takes requests and says nothing: a process that was stopped
    kRubbish,        // answers with what is no message
    kTooLong,        // with more than anybody takes
    kHangUp,         // not at all
    kOther,          // is another node's
    kRefuse,         // does not give the files away
    kOneDescriptor,  // passes the data alone
    kWrongBlock,
    kWrongChecksums,  // of a kind that nobody knows
    kShortData,       // passes the checksums as the data, too
    kFolders,         // passes what are no files
  };

  FakeLocalSocket();
  ~FakeLocalSocket();

  const std::string& path() const { return listener_.path(); }
  static std::string Instance() { return "instance-of-fake"; }
  void SetMode(Mode mode) { mode_ = mode; }

  // Makes the files of a finalized replica.
  void Put(const Block& block, std::string_view bytes);
  std::string DataFile(BlockId id) const { return dir_ / ("data-" + std::to_string(id)); }
  std::string ChecksumFile(BlockId id) const { return dir_ / ("sums-" + std::to_string(id)); }

  static std::vector<uint32_t> CrcsOf(std::string_view bytes);
  static uint64_t ChecksumsOffset();

  int requests() const { return requests_; }

 private:
  void Serve();
  void Answer(Fd socket);
  // The reply for a request whose files are these.
  v1::LocalReadReply ReplyFor(const v1::LocalReadRequest& request);

  TempDir dir_;
  UnixListener listener_;
  std::atomic<Mode> mode_ = Mode::kServe;
  std::atomic<int> requests_ = 0;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

}  // namespace cairn::testing
