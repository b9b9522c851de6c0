#include "tests/unit/client/fake_namenode.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/net/rpc_status.h"

namespace cairn::testing {
namespace {

constexpr uint32_t kReplication = 3;
constexpr uint32_t kMinReplicas = 2;

}  // namespace

FakeNameNode::FakeNameNode(std::vector<FakeDataNode*> datanodes, uint16_t port)
    : datanodes_(std::move(datanodes)) {
  auto server = RpcServer::Start({.host = "127.0.0.1", .port = port}, {this});
  if (!server.ok()) std::abort();
  server_ = *std::move(server);
}

void FakeNameNode::Refuse(const std::string& method, int times, const absl::Status& status) {
  MutexLock lock(mu_);
  for (int i = 0; i < times; ++i) faults_[method].push_back({status});
}

void FakeNameNode::LoseAnswer(const std::string& method, int times) {
  Refuse(method, times, absl::OkStatus());
}

void FakeNameNode::SetLeaseSoftLimit(int64_t ms) {
  MutexLock lock(mu_);
  lease_soft_limit_ms_ = ms;
}

std::vector<FakeNameNode::Call> FakeNameNode::calls(const std::string& method) const {
  MutexLock lock(mu_);
  std::vector<Call> found;
  for (const Call& call : calls_) {
    if (call.method == method) found.push_back(call);
  }
  return found;
}

int FakeNameNode::runs(const std::string& method) const {
  MutexLock lock(mu_);
  const auto it = runs_.find(method);
  return it == runs_.end() ? 0 : it->second;
}

std::vector<FakeNameNode::FileState> FakeNameNode::files() const {
  MutexLock lock(mu_);
  std::vector<FileState> files;
  for (const auto& [inode, file] : files_) files.push_back(file);
  return files;
}

FakeNameNode::FileState FakeNameNode::file() const {
  const std::vector<FileState> all = files();
  return all.size() == 1 ? all[0] : FileState{};
}

template <typename Request, typename Reply>
grpc::Status FakeNameNode::Handle(const std::string& method, const Request& request, Reply* reply,
                                  const std::function<absl::Status()>& run) {
  MutexLock lock(mu_);
  const v1::Caller& caller = request.caller();
  calls_.push_back({method, caller.call_id(), caller.done_below(), caller.client_id()});
  bool lose_answer = false;
  if (std::deque<Fault>& faults = faults_[method]; !faults.empty()) {
    const absl::Status refuse = faults.front().refuse;
    faults.pop_front();
    if (!refuse.ok()) return ToRpcStatus(refuse);
    lose_answer = true;
  }
  const auto key = std::make_pair(caller.client_id(), caller.call_id());
  const auto cached = caller.call_id() == 0 ? retry_cache_.end() : retry_cache_.find(key);
  if (cached != retry_cache_.end()) {
    reply->ParseFromString(cached->second);
  } else {
    if (const absl::Status status = run(); !status.ok()) return ToRpcStatus(status);
    ++runs_[method];
    if (caller.call_id() != 0) retry_cache_[key] = reply->SerializeAsString();
  }
  return lose_answer ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed")
                     : grpc::Status::OK;
}

absl::Status FakeNameNode::NewBlock(uint64_t inode, const std::vector<uint32_t>& excluded,
                                    v1::LocatedBlock* block) {
  const uint32_t replication = files_[inode].created.replication();
  for (const FakeDataNode* node : datanodes_) {
    if (static_cast<uint32_t>(block->nodes_size()) == replication) break;
    if (std::count(excluded.begin(), excluded.end(), node->number()) > 0) continue;
    *block->add_nodes() = node->Address();
  }
  const uint32_t need = std::min(kMinReplicas, replication);
  if (static_cast<uint32_t>(block->nodes_size()) < need) {
    return WithKind(absl::ResourceExhaustedError(
                        fmt::format("need {} healthy DataNodes, {} available; add one or use -r {}",
                                    need, block->nodes_size(), block->nodes_size())),
                    ErrorKind::kNotEnoughDataNodes);
  }
  block->mutable_block()->set_id(++last_block_);
  block->mutable_block()->set_generation(last_block_ + 5000);
  files_[inode].blocks.emplace_back();
  *files_[inode].blocks.back().mutable_block() = block->block();
  return absl::OkStatus();
}

absl::Status FakeNameNode::TakeFinished(FileState& file, const v1::FinishedBlock& finished) {
  for (v1::FinishedBlock& block : file.blocks) {
    if (block.block().id() != finished.block().id()) continue;
    block = finished;
    return absl::OkStatus();
  }
  return absl::InternalError("finished an unknown block");
}

absl::StatusOr<FakeNameNode::FileState*> FakeNameNode::FindClosed(const std::string& path) {
  for (auto& [inode, file] : files_) {
    if (file.path == path && file.closed) return &file;
  }
  return absl::NotFoundError("No such file or directory");
}

v1::FileStatus FakeNameNode::StatusOf(uint64_t inode, const FileState& file) const {
  v1::FileStatus status;
  status.set_inode(inode);
  status.set_block_size(file.created.block_size());
  status.set_replication(file.created.replication());
  for (const v1::FinishedBlock& block : file.blocks) {
    status.set_length(status.length() + block.block().length());
  }
  return status;
}

grpc::Status FakeNameNode::Mkdirs(grpc::ServerContext*, const v1::MkdirsRequest* request,
                                  v1::MkdirsReply* reply) {
  return Handle("Mkdirs", *request, reply, [] { return absl::OkStatus(); });
}

grpc::Status FakeNameNode::Create(grpc::ServerContext*, const v1::CreateRequest* request,
                                  v1::CreateReply* reply) {
  return Handle("Create", *request, reply, [&]() -> absl::Status {
    const uint64_t inode = ++last_inode_;
    FileState& file = files_[inode];
    file.path = request->path();
    file.created = *request;
    if (request->replication() == 0) file.created.set_replication(kReplication);
    if (request->block_size() == 0) file.created.set_block_size(1 << 20);
    reply->set_inode(inode);
    reply->set_replication(file.created.replication());
    reply->set_block_size(file.created.block_size());
    reply->set_min_replicas(std::min(kMinReplicas, file.created.replication()));
    if (!request->with_block()) return absl::OkStatus();
    const absl::Status status = NewBlock(inode, {}, reply->mutable_block());
    if (!status.ok()) files_.erase(inode);
    return status;
  });
}

grpc::Status FakeNameNode::AddBlock(grpc::ServerContext*, const v1::AddBlockRequest* request,
                                    v1::AddBlockReply* reply) {
  return Handle("AddBlock", *request, reply, [&]() -> absl::Status {
    for (const v1::FinishedBlock& block : request->finished()) {
      RETURN_IF_ERROR(TakeFinished(files_[request->inode()], block));
    }
    return NewBlock(request->inode(), {request->excluded().begin(), request->excluded().end()},
                    reply->mutable_block());
  });
}

grpc::Status FakeNameNode::AbandonBlock(grpc::ServerContext*,
                                        const v1::AbandonBlockRequest* request,
                                        v1::AbandonBlockReply* reply) {
  return Handle("AbandonBlock", *request, reply, [&]() -> absl::Status {
    const size_t erased = std::erase_if(files_[request->inode()].blocks, [&](const auto& block) {
      return block.block().id() == request->block().id();
    });
    return erased == 1 ? absl::OkStatus() : absl::InternalError("abandoned an unknown block");
  });
}

grpc::Status FakeNameNode::Complete(grpc::ServerContext*, const v1::CompleteRequest* request,
                                    v1::CompleteReply* reply) {
  return Handle("Complete", *request, reply, [&]() -> absl::Status {
    FileState& file = files_[request->inode()];
    for (const v1::FinishedBlock& block : request->finished()) {
      RETURN_IF_ERROR(TakeFinished(file, block));
    }
    for (const v1::FinishedBlock& block : file.blocks) {
      if (block.storages().empty()) return absl::InternalError("a block is not finished");
    }
    file.completed = *request;
    file.closed = true;
    if (!request->publish_as().empty()) file.path = request->publish_as();
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::AbandonFile(grpc::ServerContext*, const v1::AbandonFileRequest* request,
                                       v1::AbandonFileReply* reply) {
  return Handle("AbandonFile", *request, reply, [&]() -> absl::Status {
    if (files_[request->inode()].closed) return absl::FailedPreconditionError("it is closed");
    files_.erase(request->inode());
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::RenewLease(grpc::ServerContext*, const v1::RenewLeaseRequest* request,
                                      v1::RenewLeaseReply* reply) {
  return Handle("RenewLease", *request, reply, [] { return absl::OkStatus(); });
}

grpc::Status FakeNameNode::GetFileInfo(grpc::ServerContext*, const v1::GetFileInfoRequest* request,
                                       v1::GetFileInfoReply* reply) {
  return Handle("GetFileInfo", *request, reply, [&]() -> absl::Status {
    if (request->path() == "/") {
      reply->mutable_status()->set_type(v1::FileStatus::DIRECTORY);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(FileState * file, FindClosed(request->path()));
    *reply->mutable_status() = StatusOf(0, *file);
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::GetBlockLocations(grpc::ServerContext*,
                                             const v1::GetBlockLocationsRequest* request,
                                             v1::GetBlockLocationsReply* reply) {
  return Handle("GetBlockLocations", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, FindClosed(request->path()));
    *reply->mutable_status() = StatusOf(file->completed.inode(), *file);
    uint64_t offset = 0;
    const uint64_t end =
        request->length() == 0 ? UINT64_MAX : request->offset() + request->length();
    for (const v1::FinishedBlock& block : file->blocks) {
      const uint64_t next = offset + block.block().length();
      if (next > request->offset() && offset < end) {
        v1::LocatedBlock* located = reply->add_blocks();
        *located->mutable_block() = block.block();
        located->set_offset(offset);
        for (const FakeDataNode* node : datanodes_) {
          if (std::count(block.storages().begin(), block.storages().end(), node->storage()) > 0) {
            *located->add_nodes() = node->Address();
          }
        }
      }
      offset = next;
    }
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::GetServerDefaults(grpc::ServerContext*,
                                             const v1::GetServerDefaultsRequest* request,
                                             v1::GetServerDefaultsReply* reply) {
  return Handle("GetServerDefaults", *request, reply, [&]() -> absl::Status {
    reply->set_lease_soft_limit_ms(lease_soft_limit_ms_);
    reply->set_replication(kReplication);
    return absl::OkStatus();
  });
}

}  // namespace cairn::testing
