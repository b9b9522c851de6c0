#include "client/async_namespace.h"

#include <string>
#include <utility>

#include "client/async_calls.h"
#include "client/client_core.h"
#include "client/convert.h"
#include "common/status.h"

namespace cairn {
namespace {

using Type = AsyncCalls::Type;

absl::Status OtherAnswer() { return absl::InternalError("the NameNode answered another call"); }

// Of calls whose reply says nothing.
AsyncCalls::Done StatusTo(AsyncNamespace::Done done, bool (v1::SessionAnswer::*has)() const) {
  return [done = std::move(done), has](absl::Status status, v1::SessionAnswer* answer) mutable {
    if (status.ok() && !(answer->*has)()) status = OtherAnswer();
    done(std::move(status));
  };
}

// The lease is held until the file is closed or given up.
using Lease = std::unique_ptr<LeaseRenewer::Hold>;

void Abandon(AsyncCalls* calls, uint64_t inode, Lease lease, absl::Status why,
             AsyncNamespace::Done done) {
  v1::SessionCall call;
  call.mutable_abandon_file()->set_inode(inode);
  calls->Start(std::move(call), Type::kMutation,
               [lease = std::move(lease), why = std::move(why), done = std::move(done)](
                   absl::Status, v1::SessionAnswer*) mutable {
                 lease.reset();  // whose end removes the file if this did not
                 done(std::move(why));
               });
}

void Complete(AsyncCalls* calls, v1::CompleteRequest request, Lease lease,
              AsyncNamespace::Done done) {
  const uint64_t inode = request.inode();
  v1::SessionCall call;
  call.mutable_complete()->Swap(&request);
  calls->Start(std::move(call), Type::kMutation,
               [calls, inode, lease = std::move(lease), done = std::move(done)](
                   absl::Status status, v1::SessionAnswer* answer) mutable {
                 if (status.ok() && !answer->has_complete()) status = OtherAnswer();
                 // Of others it is not known whether the file is closed; nor could it be given up.
                 const bool refused = !status.ok() && !absl::IsCancelled(status) &&
                                      KindOf(status) != ErrorKind::kClusterUnreachable;
                 if (refused) {
                   return Abandon(calls, inode, std::move(lease), std::move(status),
                                  std::move(done));
                 }
                 lease.reset();
                 done(std::move(status));
               });
}

}  // namespace

absl::StatusOr<std::unique_ptr<AsyncNamespace>> AsyncNamespace::Connect(ClientOptions options) {
  ASSIGN_OR_RETURN(std::shared_ptr<ClientCore> core, ClientCore::Make(std::move(options)));
  return std::unique_ptr<AsyncNamespace>(new AsyncNamespace(std::move(core)));
}

AsyncNamespace::AsyncNamespace(std::shared_ptr<ClientCore> core)
    : core_(std::move(core)),
      calls_(std::make_unique<AsyncCalls>(&core_->namenode().endpoints(), &core_->clock())) {}

AsyncNamespace::~AsyncNamespace() = default;

void AsyncNamespace::Mkdirs(std::string_view path, const MkdirsOptions& options, Done done) {
  v1::SessionCall call;
  v1::MkdirsRequest& request = *call.mutable_mkdirs();
  request.set_path(path.data(), path.size());
  request.set_create_parents(options.create_parents);
  request.set_mode(options.mode.value_or(0));
  if (options.mode == 0u) {  // which the request cannot say
    done = [this, path = std::string(path), done = std::move(done)](absl::Status status) mutable {
      if (!status.ok()) return done(std::move(status));
      SetPermission(path, 0, std::move(done));
    };
  }
  calls_->Start(std::move(call), Type::kMutation,
                StatusTo(std::move(done), &v1::SessionAnswer::has_mkdirs));
}

void AsyncNamespace::CreateEmpty(std::string_view path, const EmptyFileOptions& options,
                                 Done done) {
  v1::SessionCall call;
  v1::CreateRequest& request = *call.mutable_create();
  request.set_path(path.data(), path.size());
  request.set_mode(options.mode.value_or(0));
  request.set_replication(options.replication);
  request.set_block_size(options.block_size);
  request.set_overwrite(options.overwrite);
  v1::CompleteRequest complete;
  complete.set_mtime_ms(options.mtime_ms);
  complete.set_atime_ms(options.atime_ms);
  complete.set_set_mode(options.mode.has_value());
  complete.set_mode(options.mode.value_or(0));
  calls_->Start(
      std::move(call), Type::kMutation,
      [calls = calls_.get(), lease = core_->leases().Acquire(), complete = std::move(complete),
       done = std::move(done)](absl::Status status, v1::SessionAnswer* answer) mutable {
        if (status.ok() && !answer->has_create()) status = OtherAnswer();
        if (!status.ok()) {
          lease.reset();
          return done(std::move(status));
        }
        complete.set_inode(answer->create().inode());
        Complete(calls, std::move(complete), std::move(lease), std::move(done));
      });
}

void AsyncNamespace::Rename(std::string_view from, std::string_view to, Done done) {
  v1::SessionCall call;
  call.mutable_rename()->set_from(from.data(), from.size());
  call.mutable_rename()->set_to(to.data(), to.size());
  calls_->Start(std::move(call), Type::kMutation,
                StatusTo(std::move(done), &v1::SessionAnswer::has_rename));
}

void AsyncNamespace::Delete(std::string_view path, bool recursive, Done done) {
  v1::SessionCall call;
  call.mutable_delete_()->set_path(path.data(), path.size());
  call.mutable_delete_()->set_recursive(recursive);
  calls_->Start(std::move(call), Type::kMutation,
                StatusTo(std::move(done), &v1::SessionAnswer::has_delete_));
}

void AsyncNamespace::SetPermission(std::string_view path, uint32_t mode, Done done) {
  v1::SessionCall call;
  call.mutable_set_permission()->set_path(path.data(), path.size());
  call.mutable_set_permission()->set_mode(mode);
  calls_->Start(std::move(call), Type::kMutation,
                StatusTo(std::move(done), &v1::SessionAnswer::has_set_permission));
}

void AsyncNamespace::GetFileInfo(std::string_view path, Got<FileStatus> got) {
  v1::SessionCall call;
  call.mutable_get_file_info()->set_path(path.data(), path.size());
  calls_->Start(std::move(call), Type::kRead,
                [got = std::move(got)](absl::Status status, v1::SessionAnswer* answer) mutable {
                  if (status.ok() && !answer->has_get_file_info()) status = OtherAnswer();
                  if (!status.ok()) return got(std::move(status));
                  got(FromProto(answer->get_file_info().status()));
                });
}

void AsyncNamespace::List(std::string_view path, std::string_view start_after, uint32_t limit,
                          Got<ListPage> got) {
  v1::SessionCall call;
  v1::ListRequest& request = *call.mutable_list();
  request.set_path(path.data(), path.size());
  request.set_start_after(start_after.data(), start_after.size());
  request.set_limit(limit);
  calls_->Start(std::move(call), Type::kRead,
                [got = std::move(got)](absl::Status status, v1::SessionAnswer* answer) mutable {
                  if (status.ok() && !answer->has_list()) status = OtherAnswer();
                  if (!status.ok()) return got(std::move(status));
                  ListPage page{.entries = {}, .has_more = answer->list().has_more()};
                  page.entries.reserve(answer->list().entries_size());
                  for (const v1::FileStatus& entry : answer->list().entries()) {
                    page.entries.push_back(FromProto(entry));
                  }
                  got(std::move(page));
                });
}

}  // namespace cairn
