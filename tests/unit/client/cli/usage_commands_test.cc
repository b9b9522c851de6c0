#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/net/rpc_status.h"
#include "proto/admin.grpc.pb.h"
#include "proto/namenode.grpc.pb.h"
#include "tests/unit/client/cli/command_test.h"

namespace cairn::cli {
namespace {

// A namespace of "/" and "/data".
class Names final : public v1::NameNode::Service {
  grpc::Status GetFileInfo(grpc::ServerContext*, const v1::GetFileInfoRequest* request,
                           v1::GetFileInfoReply* reply) override {
    if (request->path() != "/" && request->path() != "/data") {
      return ToRpcStatus(absl::NotFoundError("No such file or directory"));
    }
    reply->mutable_status()->set_type(v1::FileStatus::DIRECTORY);
    return grpc::Status::OK;
  }
};

class Figures final : public v1::Admin::Service {
  grpc::Status Report(grpc::ServerContext*, const v1::ReportRequest*,
                      v1::ReportReply* reply) override {
    reply->mutable_cluster()->set_capacity_bytes(1000);
    reply->mutable_cluster()->set_used_bytes(250);
    reply->mutable_cluster()->set_remaining_bytes(750);
    reply->mutable_cluster()->set_utilization_percent(25);
    return grpc::Status::OK;
  }
};

class DiskFreeTest : public CommandTest {
 protected:
  DiskFreeTest() { Serve({&names_, &figures_}); }
  ~DiskFreeTest() override { server_.reset(); }

  int DiskFree(std::vector<std::string> operands) {
    operands.insert(operands.begin(), "df");
    return Run(AddUsageCommands, operands);
  }

  Names names_;
  Figures figures_;
};

TEST_F(DiskFreeTest, APathThatExistsChangesNothing) {
  ASSERT_EQ(DiskFree({}), 0) << err_;
  const std::string figures = out_;
  EXPECT_NE(figures.find("750"), std::string::npos) << figures;
  EXPECT_EQ(DiskFree({"/data", "/"}), 0) << err_;
  EXPECT_EQ(out_, figures);
}

TEST_F(DiskFreeTest, APathThatDoesNotExistIsAFailure) {
  EXPECT_EQ(DiskFree({"/none"}), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "cairn: df: /none: No such file or directory\n");
  EXPECT_EQ(DiskFree({"/none", "/data"}), 1);
  EXPECT_NE(out_.find("750"), std::string::npos) << out_;
}

}  // namespace
}  // namespace cairn::cli
