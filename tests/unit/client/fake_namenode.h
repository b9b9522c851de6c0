// A NameNode in this process: files of blocks on FakeDataNodes, a retry cache, and failures on
// demand. It knows nothing of its DataNodes' faults. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "common/net/rpc_server.h"
#include "common/status.h"
#include "proto/admin.grpc.pb.h"
#include "proto/namenode.grpc.pb.h"
#include "tests/unit/client/fake_datanode.h"

namespace cairn::testing {

class FakeNameNode : public v1::NameNode::Service {
 public:
  // A call as it arrived.
  struct Call {
    std::string method;
    uint64_t id = 0;
    uint64_t done_below = 0;
    std::string client_id;
  };
  struct FileState {
    uint64_t inode = 0;
    std::string path;
    std::string holder;  // client id; of an open file
    v1::CreateRequest created;
    v1::CompleteRequest completed;
    std::vector<v1::FinishedBlock> blocks;                // without storages while they are written
    std::map<uint64_t, std::vector<uint32_t>> pipelines;  // of open blocks, by id
    bool closed = false;
    bool appended = false;
  };

  // Listens on `port`, or on a free one.
  explicit FakeNameNode(std::vector<FakeDataNode*> datanodes, uint16_t port = 0);

  std::string address() const { return server_->address().ToString(); }
  uint16_t port() const { return server_->address().port; }
  void Stop() { server_->Shutdown(0); }

  // The next `times` calls of a method are refused, or done with their answer lost on the way.
  void Refuse(const std::string& method, int times, const absl::Status& status);
  void LoseAnswer(const std::string& method, int times);
  void SetLeaseSoftLimit(int64_t ms);
  // Of open blocks it names this node without an address from now on, of others not at all.
  void TakeForDead(NodeNumber node);
  void SeeAgain(NodeNumber node) {
    MutexLock lock(mu_);
    dead_.erase(node);
  }
  // Names this node first in every new pipeline.
  void Prefer(NodeNumber node);
  // The file is somebody else's from now on.
  void TakeOver();
  // The quotas of directories, as SetQuota left them.
  std::map<std::string, v1::GetContentSummaryReply> quotas() const;
  // A truncation is under way for so many GetFileInfo calls.
  void SetTruncateCalls(int calls);
  // All files are removed just before the next GetFileInfo.
  void RemoveFilesBeforeNextLook();

  // From now on it is an older NameNode, which has unary calls alone.
  void HaveNoSessions();
  int session_messages() const;
  int sessions_opened() const;

  std::vector<Call> calls(const std::string& method) const;  // those that arrived
  int runs(const std::string& method) const;                 // those that were carried out
  std::vector<FileState> files() const;
  // Of the one file, closed or not.
  FileState file() const;

  grpc::Status Session(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::SessionReply, v1::SessionRequest>* stream) override;
  grpc::Status Mkdirs(grpc::ServerContext*, const v1::MkdirsRequest*, v1::MkdirsReply*) override;
  grpc::Status Create(grpc::ServerContext*, const v1::CreateRequest*, v1::CreateReply*) override;
  grpc::Status AddBlock(grpc::ServerContext*, const v1::AddBlockRequest*,
                        v1::AddBlockReply*) override;
  grpc::Status AbandonBlock(grpc::ServerContext*, const v1::AbandonBlockRequest*,
                            v1::AbandonBlockReply*) override;
  grpc::Status NewStamp(grpc::ServerContext*, const v1::NewStampRequest*,
                        v1::NewStampReply*) override;
  grpc::Status UpdatePipeline(grpc::ServerContext*, const v1::UpdatePipelineRequest*,
                              v1::UpdatePipelineReply*) override;
  grpc::Status Append(grpc::ServerContext*, const v1::AppendRequest*, v1::AppendReply*) override;
  grpc::Status Truncate(grpc::ServerContext*, const v1::TruncateRequest*,
                        v1::TruncateReply*) override;
  grpc::Status RecoverLease(grpc::ServerContext*, const v1::RecoverLeaseRequest*,
                            v1::RecoverLeaseReply*) override;
  grpc::Status Complete(grpc::ServerContext*, const v1::CompleteRequest*,
                        v1::CompleteReply*) override;
  grpc::Status AbandonFile(grpc::ServerContext*, const v1::AbandonFileRequest*,
                           v1::AbandonFileReply*) override;
  grpc::Status RenewLease(grpc::ServerContext*, const v1::RenewLeaseRequest*,
                          v1::RenewLeaseReply*) override;
  grpc::Status SetQuota(grpc::ServerContext*, const v1::SetQuotaRequest*,
                        v1::SetQuotaReply*) override;
  grpc::Status Concat(grpc::ServerContext*, const v1::ConcatRequest*, v1::ConcatReply*) override;
  grpc::Status GetContentSummary(grpc::ServerContext*, const v1::GetContentSummaryRequest*,
                                 v1::GetContentSummaryReply*) override;
  grpc::Status GetFileInfo(grpc::ServerContext*, const v1::GetFileInfoRequest*,
                           v1::GetFileInfoReply*) override;
  grpc::Status GetBlockLocations(grpc::ServerContext*, const v1::GetBlockLocationsRequest*,
                                 v1::GetBlockLocationsReply*) override;
  grpc::Status GetServerDefaults(grpc::ServerContext*, const v1::GetServerDefaultsRequest*,
                                 v1::GetServerDefaultsReply*) override;

 private:
  struct Fault {
    absl::Status refuse;  // OK: the answer is lost
  };
  template <typename Request, typename Reply>
  grpc::Status Handle(const std::string& method, const Request& request, Reply* reply,
                      const std::function<absl::Status()>& run);
  grpc::Status RunSessionCall(const v1::Caller& caller, v1::SessionCall* call,
                              v1::SessionAnswer* answer);
  // These run under the lock.
  absl::Status NewBlock(uint64_t inode, const std::vector<uint32_t>& excluded,
                        v1::LocatedBlock* block);
  absl::Status TakeFinished(FileState& file, const v1::FinishedBlock& finished);
  // The open file that the caller writes: kLeaseLost when there is none.
  absl::StatusOr<FileState*> FindHeld(uint64_t inode, const v1::Caller& caller);
  absl::StatusOr<FileState*> Find(const std::string& path);
  absl::StatusOr<v1::FinishedBlock*> FindOpen(FileState& file, const v1::Block& block);
  v1::FileStatus StatusOf(const FileState& file) const;
  const FakeDataNode* NodeOf(NodeNumber number) const;
  // Up to `count` nodes, beside those of `without`.
  std::vector<const FakeDataNode*> Place(uint32_t count, std::vector<uint32_t> without) const;

  const std::vector<FakeDataNode*> datanodes_;
  mutable Mutex mu_;  // guards all below; handlers take it as a whole
  std::map<std::string, std::deque<Fault>> faults_;
  std::vector<Call> calls_;
  std::map<std::string, int> runs_;
  std::map<std::pair<std::string, uint64_t>, std::string> retry_cache_;
  bool remove_files_ = false;
  std::map<uint64_t, FileState> files_;                       // by inode
  std::map<std::string, v1::GetContentSummaryReply> quotas_;  // by path
  uint64_t last_inode_ = 100;
  uint64_t last_block_ = 1000;
  uint64_t last_generation_ = 5000;
  NodeNumber preferred_ = 0;
  int truncate_calls_ = 0;
  bool sessions_ = true;
  int sessions_opened_ = 0;
  int session_messages_ = 0;
  int64_t lease_soft_limit_ms_ = 60'000;
  std::set<NodeNumber> dead_;

  std::unique_ptr<RpcServer> server_;
};

}  // namespace cairn::testing
