#include "namenode/namesystem/client_operations.h"

#include <utility>

#include "common/clock.h"
#include "namenode/namespace/audit.h"

namespace cairn::namenode {
ClientOperations::ClientOperations(Namesystem* namesystem, BlockManager* blocks, Clock* clock,
                                   NamespaceConfig config)
    : namesystem_(namesystem), blocks_(blocks), clock_(clock), config_(std::move(config)) {}

Facts ClientOperations::FactsNow() const {
  Facts facts;
  facts.now_ms = clock_->WallMs();
  facts.limits = config_.limits;
  facts.default_replication = config_.default_replication;
  facts.default_block_size = config_.default_block_size;
  facts.min_replicas = config_.min_replicas;
  facts.superuser_group = config_.superuser_group;
  return facts;
}

void ClientOperations::Enter(const CallContext& call, std::unique_ptr<DoorCall> door_call) {
  door_call->ExpireAt(call.expires_us);
  if (call.batch != nullptr) {
    call.batch->push_back(std::move(door_call));
  } else {
    namesystem_->Enter(std::move(door_call));
  }
}

Planned ClientOperations::Noted(const CallContext& call, const FsState& state, Planned planned) {
  if (call.perm != nullptr && planned.edit) *call.perm = PermOf(state, *planned.edit);
  return planned;
}

LocatedBlock ClientOperations::Locate(const NewBlock& block, uint64_t length) const {
  LocatedBlock located;
  located.block = {block.id, block.generation, length};
  located.offset = block.offset;
  located.nodes = blocks_->NodeAddresses(block.targets);
  located.open = true;
  return located;
}

LocatedBlock ClientOperations::Locate(const BlockInfo& info, std::string_view host,
                                      std::string_view rack) const {
  LocatedBlock located;
  located.block = info.block;
  located.offset = info.offset;
  // Of one that is being cut readers get what will be left, whatever its replicas still have.
  located.open = info.open && !info.cut;
  if (info.open) {
    // What they have readers ask them themselves: more than is known here, and none is stale.
    located.nodes = blocks_->LocateOpen(info.pipeline, host, rack);
    return located;
  }
  BlockLocations found = blocks_->Locate(info.block.id, host, rack);
  located.nodes = std::move(found.nodes);
  located.corrupt = found.corrupt;
  return located;
}

void ClientOperations::Mkdirs(const CallContext& call, MkdirsRequest request, StatusReply reply) {
  if (request.mode == 0) request.mode = 0777 & ~config_.umask;
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanMkdirs(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::Rename(const CallContext& call, RenameRequest request, StatusReply reply) {
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanRename(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::Delete(const CallContext& call, DeleteRequest request, StatusReply reply) {
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanDelete(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::SetReplication(const CallContext& call, std::string path,
                                      uint32_t replication, StatusReply reply) {
  CommitStatus(
      call,
      [this, &call, path = std::move(path), replication](const FsState& s) {
        return PlanSetReplication(s, call.caller, path, replication, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::SetTimes(const CallContext& call, std::string path, int64_t mtime_ms,
                                int64_t atime_ms, StatusReply reply) {
  CommitStatus(
      call,
      [this, &call, path = std::move(path), mtime_ms, atime_ms](const FsState& s) {
        return PlanSetTimes(s, call.caller, path, mtime_ms, atime_ms, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::SetOwner(const CallContext& call, std::string path, std::string owner,
                                std::string group, StatusReply reply) {
  CommitStatus(
      call,
      [this, &call, path = std::move(path), owner = std::move(owner),
       group = std::move(group)](const FsState& s) {
        return PlanSetOwner(s, call.caller, path, owner, group, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::SetPermission(const CallContext& call, std::string path, uint32_t mode,
                                     StatusReply reply) {
  CommitStatus(
      call,
      [this, &call, path = std::move(path), mode](const FsState& s) {
        return PlanSetPermission(s, call.caller, path, mode, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::SetQuota(const CallContext& call, SetQuotaRequest request,
                                StatusReply reply) {
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanSetQuota(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::Concat(const CallContext& call, ConcatRequest request, StatusReply reply) {
  CommitStatus(
      call,
      [this, &call, request = std::move(request)](const FsState& s) {
        return PlanConcat(s, call.caller, request, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::GetFileInfo(const CallContext& call, std::string path,
                                   Reply<FileStatus> reply) {
  Read<FileStatus>(
      call,
      [this, &call, path = std::move(path)](const FsState& s) {
        return ReadFileInfo(s, call.caller, path, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::List(const CallContext& call, std::string path, std::string start_after,
                            uint32_t limit, Reply<ListPage> reply) {
  Read<ListPage>(
      call,
      [this, &call, path = std::move(path), start_after = std::move(start_after),
       limit](const FsState& s) {
        return ReadList(s, call.caller, path, start_after, limit, FactsNow());
      },
      std::move(reply));
}

void ClientOperations::GetBlockLocations(const CallContext& call, std::string path, uint64_t offset,
                                         uint64_t length, Reply<LocatedFile> reply) {
  Read<FileBlocks>(
      call,
      [this, &call, path = std::move(path), offset, length](const FsState& s) {
        return ReadBlocks(s, call.caller, path, offset, length, FactsNow());
      },
      [this, host = call.host, rack = call.rack,
       reply = std::move(reply)](absl::StatusOr<FileBlocks> file) {
        if (!file.ok()) return reply(file.status());
        LocatedFile located;
        located.status = std::move(file->status);
        located.blocks.reserve(file->blocks.size());
        for (const BlockInfo& info : file->blocks) {
          located.blocks.push_back(Locate(info, host, rack));
        }
        reply(std::move(located));
      });
}

void ClientOperations::GetContentSummary(const CallContext& call, std::string path,
                                         Reply<ContentSummary> reply) {
  Read<ContentSummary>(
      call,
      [this, &call, path = std::move(path)](const FsState& s) {
        return ReadContentSummary(s, call.caller, path, FactsNow());
      },
      std::move(reply));
}

}  // namespace cairn::namenode
