#include "tests/unit/client/fake_namenode.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/net/rpc_status.h"

namespace cairn::testing {
namespace {

constexpr uint32_t kReplication = 3;
constexpr uint32_t kMinReplicas = 2;

uint32_t MinReplicas(v1::Consistency consistency, uint32_t replication) {
  return consistency == v1::STRONG ? std::min(kMinReplicas, replication) : 1;
}

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

void FakeNameNode::TakeForDead(NodeNumber node) {
  MutexLock lock(mu_);
  dead_.insert(node);
}

void FakeNameNode::Prefer(NodeNumber node) {
  MutexLock lock(mu_);
  preferred_ = node;
}

void FakeNameNode::TakeOver() {
  MutexLock lock(mu_);
  for (auto& [inode, file] : files_) file.holder = "another";
}

void FakeNameNode::SetTruncateCalls(int calls) {
  MutexLock lock(mu_);
  truncate_calls_ = calls;
}

void FakeNameNode::RemoveFilesBeforeNextLook() {
  MutexLock lock(mu_);
  remove_files_ = true;
}

std::map<std::string, v1::GetContentSummaryReply> FakeNameNode::quotas() const {
  MutexLock lock(mu_);
  return quotas_;
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

const FakeDataNode* FakeNameNode::NodeOf(NodeNumber number) const {
  for (const FakeDataNode* node : datanodes_) {
    if (node->number() == number) return node;
  }
  return nullptr;
}

std::vector<const FakeDataNode*> FakeNameNode::Place(uint32_t count,
                                                     std::vector<uint32_t> without) const {
  std::vector<const FakeDataNode*> order(datanodes_.begin(), datanodes_.end());
  std::stable_partition(order.begin(), order.end(),
                        [&](const FakeDataNode* node) { return node->number() == preferred_; });
  std::erase_if(order, [&](const FakeDataNode* node) {
    return std::count(without.begin(), without.end(), node->number()) > 0;
  });
  if (order.size() > count) order.resize(count);
  return order;
}

absl::Status FakeNameNode::NewBlock(uint64_t inode, const std::vector<uint32_t>& excluded,
                                    v1::LocatedBlock* block) {
  FileState& file = files_[inode];
  const uint32_t replication = file.created.replication();
  const auto nodes = Place(replication, excluded);
  const uint32_t need = MinReplicas(file.created.consistency(), replication);
  if (nodes.size() < need) {
    return WithKind(absl::ResourceExhaustedError(
                        fmt::format("need {} healthy DataNodes, {} available; add one or use -r {}",
                                    need, nodes.size(), nodes.size())),
                    ErrorKind::kNotEnoughDataNodes);
  }
  block->mutable_block()->set_id(++last_block_);
  block->mutable_block()->set_generation(++last_generation_);
  *file.blocks.emplace_back().mutable_block() = block->block();
  for (const FakeDataNode* node : nodes) {
    *block->add_nodes() = node->Address();
    file.pipelines[last_block_].push_back(node->number());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::FinishedBlock*> FakeNameNode::FindOpen(FileState& file, const v1::Block& block) {
  for (v1::FinishedBlock& known : file.blocks) {
    if (known.block().id() != block.id()) continue;
    if (known.block().generation() != block.generation() || !file.pipelines.contains(block.id())) {
      break;
    }
    return &known;
  }
  return absl::FailedPreconditionError(
      fmt::format("block {} with stamp {} is not open", block.id(), block.generation()));
}

absl::Status FakeNameNode::TakeFinished(FileState& file, const v1::FinishedBlock& finished) {
  ASSIGN_OR_RETURN(v1::FinishedBlock * block, FindOpen(file, finished.block()));
  if (finished.storages().empty()) {
    // Append opened it, and nothing was written.
    if (block->block().length() != finished.block().length() || block->storages().empty()) {
      return absl::InternalError("finished without storages");
    }
  } else {
    *block = finished;
  }
  file.pipelines.erase(finished.block().id());
  return absl::OkStatus();
}

absl::StatusOr<FakeNameNode::FileState*> FakeNameNode::FindHeld(uint64_t inode,
                                                                const v1::Caller& caller) {
  const auto it = files_.find(inode);
  if (it == files_.end() || it->second.closed || it->second.holder != caller.client_id()) {
    return WithKind(absl::FailedPreconditionError("the file's lease was lost"),
                    ErrorKind::kLeaseLost);
  }
  return &it->second;
}

absl::StatusOr<FakeNameNode::FileState*> FakeNameNode::Find(const std::string& path) {
  for (auto& [inode, file] : files_) {
    if (file.path == path) return &file;
  }
  return absl::NotFoundError("No such file or directory");
}

v1::FileStatus FakeNameNode::StatusOf(const FileState& file) const {
  v1::FileStatus status;
  status.set_inode(file.inode);
  status.set_block_size(file.created.block_size());
  status.set_replication(file.created.replication());
  status.set_open(!file.closed);
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
    file.inode = inode;
    file.path = request->path();
    file.holder = request->caller().client_id();
    file.created = *request;
    if (request->replication() == 0) file.created.set_replication(kReplication);
    if (request->block_size() == 0) file.created.set_block_size(1 << 20);
    reply->set_inode(inode);
    reply->set_replication(file.created.replication());
    reply->set_block_size(file.created.block_size());
    reply->set_min_replicas(MinReplicas(request->consistency(), file.created.replication()));
    if (!request->with_block()) return absl::OkStatus();
    const absl::Status status = NewBlock(inode, {}, reply->mutable_block());
    if (!status.ok()) files_.erase(inode);
    return status;
  });
}

grpc::Status FakeNameNode::AddBlock(grpc::ServerContext*, const v1::AddBlockRequest* request,
                                    v1::AddBlockReply* reply) {
  return Handle("AddBlock", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, FindHeld(request->inode(), request->caller()));
    for (const v1::FinishedBlock& block : request->finished()) {
      RETURN_IF_ERROR(TakeFinished(*file, block));
    }
    return NewBlock(request->inode(), {request->excluded().begin(), request->excluded().end()},
                    reply->mutable_block());
  });
}

grpc::Status FakeNameNode::AbandonBlock(grpc::ServerContext*,
                                        const v1::AbandonBlockRequest* request,
                                        v1::AbandonBlockReply* reply) {
  return Handle("AbandonBlock", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, FindHeld(request->inode(), request->caller()));
    ASSIGN_OR_RETURN(const v1::FinishedBlock* block, FindOpen(*file, request->block()));
    if (block->block().length() > 0) return absl::InternalError("abandoned a block with bytes");
    file->pipelines.erase(request->block().id());
    std::erase_if(file->blocks, [&](const v1::FinishedBlock& known) {
      return known.block().id() == request->block().id();
    });
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::NewStamp(grpc::ServerContext*, const v1::NewStampRequest* request,
                                    v1::NewStampReply* reply) {
  return Handle("NewStamp", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, FindHeld(request->inode(), request->caller()));
    RETURN_IF_ERROR(FindOpen(*file, request->block()).status());
    reply->set_generation(++last_generation_);
    std::vector<uint32_t> without(request->survivors().begin(), request->survivors().end());
    without.insert(without.end(), request->excluded().begin(), request->excluded().end());
    for (const FakeDataNode* node : Place(request->additional(), without)) {
      *reply->add_additional() = node->Address();
    }
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::UpdatePipeline(grpc::ServerContext*,
                                          const v1::UpdatePipelineRequest* request,
                                          v1::UpdatePipelineReply* reply) {
  return Handle("UpdatePipeline", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, FindHeld(request->inode(), request->caller()));
    ASSIGN_OR_RETURN(v1::FinishedBlock * block, FindOpen(*file, request->block()));
    if (request->generation() <= block->block().generation() ||
        request->generation() > last_generation_ || request->nodes().empty()) {
      return absl::InternalError("no such stamp, or no nodes");
    }
    block->mutable_block()->set_generation(request->generation());
    file->pipelines[block->block().id()] = {request->nodes().begin(), request->nodes().end()};
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::Append(grpc::ServerContext*, const v1::AppendRequest* request,
                                  v1::AppendReply* reply) {
  return Handle("Append", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, Find(request->path()));
    if (!file->closed) {
      return WithKind(absl::FailedPreconditionError("the file is being written by another client"),
                      ErrorKind::kBeingWritten);
    }
    file->closed = false;
    file->appended = true;
    file->holder = request->caller().client_id();
    reply->set_inode(file->inode);
    reply->set_length(StatusOf(*file).length());
    reply->set_replication(file->created.replication());
    reply->set_block_size(file->created.block_size());
    reply->set_min_replicas(MinReplicas(request->consistency(), file->created.replication()));
    if (file->blocks.empty()) return absl::OkStatus();
    const v1::FinishedBlock& last = file->blocks.back();
    if (last.block().length() == file->created.block_size()) return absl::OkStatus();
    *reply->mutable_block()->mutable_block() = last.block();
    reply->mutable_block()->set_offset(reply->length() - last.block().length());
    for (const FakeDataNode* node : datanodes_) {
      if (std::count(last.storages().begin(), last.storages().end(), node->storage()) == 0)
        continue;
      *reply->mutable_block()->add_nodes() = node->Address();
      file->pipelines[last.block().id()].push_back(node->number());
    }
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::Truncate(grpc::ServerContext*, const v1::TruncateRequest* request,
                                    v1::TruncateReply* reply) {
  return Handle("Truncate", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, Find(request->path()));
    uint64_t left = request->length();
    std::erase_if(file->blocks, [&](v1::FinishedBlock& block) {
      const uint64_t keep = std::min<uint64_t>(left, block.block().length());
      block.mutable_block()->set_length(keep);
      left -= keep;
      return keep == 0;
    });
    file->closed = truncate_calls_ == 0;
    reply->set_done(file->closed);
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::RecoverLease(grpc::ServerContext*,
                                        const v1::RecoverLeaseRequest* request,
                                        v1::RecoverLeaseReply* reply) {
  return Handle("RecoverLease", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, Find(request->path()));
    reply->set_closed(file->closed);
    file->closed = true;
    file->pipelines.clear();
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::Complete(grpc::ServerContext*, const v1::CompleteRequest* request,
                                    v1::CompleteReply* reply) {
  return Handle("Complete", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, FindHeld(request->inode(), request->caller()));
    for (const v1::FinishedBlock& block : request->finished()) {
      RETURN_IF_ERROR(TakeFinished(*file, block));
    }
    if (!file->pipelines.empty()) return absl::InternalError("a block is not finished");
    file->completed = *request;
    file->closed = true;
    if (!request->publish_as().empty()) file->path = request->publish_as();
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::AbandonFile(grpc::ServerContext*, const v1::AbandonFileRequest* request,
                                       v1::AbandonFileReply* reply) {
  return Handle("AbandonFile", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, FindHeld(request->inode(), request->caller()));
    if (file->appended) {
      file->closed = true;
      file->pipelines.clear();
    } else {
      files_.erase(request->inode());
    }
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::RenewLease(grpc::ServerContext*, const v1::RenewLeaseRequest* request,
                                      v1::RenewLeaseReply* reply) {
  return Handle("RenewLease", *request, reply, [] { return absl::OkStatus(); });
}

grpc::Status FakeNameNode::SetQuota(grpc::ServerContext*, const v1::SetQuotaRequest* request,
                                    v1::SetQuotaReply* reply) {
  return Handle("SetQuota", *request, reply, [&] {
    v1::GetContentSummaryReply& quota = quotas_[request->path()];
    if (request->has_names()) quota.clear_name_quota();
    if (request->names().has_limit()) quota.set_name_quota(request->names().limit());
    if (request->has_space()) quota.clear_space_quota();
    if (request->space().has_limit()) quota.set_space_quota(request->space().limit());
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::Concat(grpc::ServerContext*, const v1::ConcatRequest* request,
                                  v1::ConcatReply* reply) {
  return Handle("Concat", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * target, Find(request->target()));
    for (const std::string& path : request->sources()) {
      ASSIGN_OR_RETURN(FileState * source, Find(path));
      target->blocks.insert(target->blocks.end(), source->blocks.begin(), source->blocks.end());
      files_.erase(source->inode);
    }
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::GetContentSummary(grpc::ServerContext*,
                                             const v1::GetContentSummaryRequest* request,
                                             v1::GetContentSummaryReply* reply) {
  return Handle("GetContentSummary", *request, reply, [&] {
    *reply = quotas_[request->path()];
    reply->set_directories(1);
    for (const auto& [inode, file] : files_) {
      reply->set_files(reply->files() + 1);
      reply->set_length(reply->length() + StatusOf(file).length());
    }
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::GetFileInfo(grpc::ServerContext*, const v1::GetFileInfoRequest* request,
                                       v1::GetFileInfoReply* reply) {
  return Handle("GetFileInfo", *request, reply, [&]() -> absl::Status {
    if (request->path() == "/") {
      reply->mutable_status()->set_type(v1::FileStatus::DIRECTORY);
      return absl::OkStatus();
    }
    if (std::exchange(remove_files_, false)) files_.clear();
    ASSIGN_OR_RETURN(FileState * file, Find(request->path()));
    if (truncate_calls_ > 0 && --truncate_calls_ == 0) file->closed = true;
    *reply->mutable_status() = StatusOf(*file);
    return absl::OkStatus();
  });
}

grpc::Status FakeNameNode::GetBlockLocations(grpc::ServerContext*,
                                             const v1::GetBlockLocationsRequest* request,
                                             v1::GetBlockLocationsReply* reply) {
  return Handle("GetBlockLocations", *request, reply, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(FileState * file, Find(request->path()));
    *reply->mutable_status() = StatusOf(*file);
    uint64_t next = 0;
    const uint64_t end =
        request->length() == 0 ? UINT64_MAX : request->offset() + request->length();
    for (const v1::FinishedBlock& block : file->blocks) {
      const uint64_t offset = next;
      next += file->created.block_size();
      const auto open = file->pipelines.find(block.block().id());
      const bool is_open = open != file->pipelines.end();
      if ((next <= request->offset() && !is_open) || offset >= end) continue;
      v1::LocatedBlock* located = reply->add_blocks();
      *located->mutable_block() = block.block();
      located->set_offset(offset);
      located->set_open(is_open);
      for (const FakeDataNode* node : datanodes_) {
        const auto& storages = block.storages();
        const bool named =
            is_open ? std::count(open->second.begin(), open->second.end(), node->number()) > 0
                    : std::count(storages.begin(), storages.end(), node->storage()) > 0;
        const bool dead = dead_.contains(node->number());
        if (!named || (dead && !is_open)) continue;
        *located->add_nodes() = node->Address();
        if (dead) located->mutable_nodes()->rbegin()->clear_addresses();
      }
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
