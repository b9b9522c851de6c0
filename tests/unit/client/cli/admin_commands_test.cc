// `cairn admin repair`: what is asked, what is printed.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/cli/admin_text.h"
#include "common/mutex.h"
#include "common/net/rpc_status.h"
#include "proto/admin.grpc.pb.h"
#include "tests/unit/client/cli/command_test.h"

namespace cairn::cli {
namespace {

class Repairs final : public v1::Admin::Service {
 public:
  std::vector<uint64_t> asked() {
    MutexLock lock(mu_);
    return asked_;
  }

 private:
  grpc::Status Repair(grpc::ServerContext*, const v1::RepairRequest* request,
                      v1::RepairReply* reply) override {
    if (request->caller().user() == "eve") {
      return ToRpcStatus(
          absl::PermissionDeniedError("Permission denied: user eve is no superuser"));
    }
    reply->set_planned(5);
    reply->set_in_flight(7);
    reply->set_waiting(2);
    reply->set_no_target(2);
    reply->set_reason("for 2 no target qualifies");
    MutexLock lock(mu_);
    asked_.push_back(request->max());
    return grpc::Status::OK;
  }

  Mutex mu_;
  std::vector<uint64_t> asked_ ABSL_GUARDED_BY(mu_);
};

class RepairCommandTest : public CommandTest {
 protected:
  RepairCommandTest() { Serve({&repairs_}); }
  ~RepairCommandTest() override { server_.reset(); }

  int Repair(std::vector<std::string> words, const std::string& user = "root") {
    words.insert(words.begin(), {"--user=" + user, "admin", "repair"});
    return Run(AddAdminCommands, words);
  }

  Repairs repairs_;
};

TEST_F(RepairCommandTest, SaysWhatIsPlannedAndWhatWaits) {
  EXPECT_EQ(Repair({}), 0) << err_;
  EXPECT_EQ(out_,
            "planned now       5\n"
            "under way         7\n"
            "waiting           2\n"
            "because           for 2 no target qualifies\n");
  EXPECT_EQ(RepairText({.planned = 1, .in_flight = 1}),
            "planned now       1\nunder way         1\nwaiting           0\n");
}

TEST_F(RepairCommandTest, AsJson) {
  EXPECT_EQ(Repair({"--max", "3", "--json"}), 0) << err_;
  const auto json = nlohmann::json::parse(out_, nullptr, false);
  EXPECT_EQ(json, nlohmann::json({{"planned", 5},
                                  {"in_flight", 7},
                                  {"waiting", 2},
                                  {"no_target", 2},
                                  {"nodes_busy", 0},
                                  {"reason", "for 2 no target qualifies"}}));
  EXPECT_EQ(Repair({"--max=0"}), 0) << err_;
  EXPECT_EQ(repairs_.asked(), (std::vector<uint64_t>{3, 0}));
}

TEST_F(RepairCommandTest, WrongUseAndRefusals) {
  EXPECT_EQ(Repair({"--max", "-1"}), 2);
  EXPECT_EQ(Repair({"--max", "many"}), 2);
  EXPECT_EQ(Repair({"5"}), 2);
  EXPECT_TRUE(repairs_.asked().empty());
  EXPECT_EQ(Repair({}, "eve"), 1);
  EXPECT_EQ(err_, "cairn: admin repair: Permission denied: user eve is no superuser\n");
}

}  // namespace
}  // namespace cairn::cli
