#include "common/net/proto_json.h"

#include <gtest/gtest.h>

#include <limits>

#include <nlohmann/json.hpp>

#include "proto/admin.pb.h"
#include "proto/namenode.pb.h"

namespace cairn {
namespace {

TEST(ProtoJsonTest, EveryFieldInOrderWithNumbersAsNumbers) {
  v1::VolumeReport volume;
  EXPECT_EQ(ProtoToJsonText(volume, false),
            R"({"path":"","capacity_bytes":0,"used_bytes":0,"failed":false,"slow":false})");
  volume.set_path("/d");
  volume.set_capacity_bytes(std::numeric_limits<uint64_t>::max());
  volume.set_failed(true);
  EXPECT_EQ(ProtoToJsonText(volume, false),
            R"({"path":"/d","capacity_bytes":18446744073709551615,"used_bytes":0,)"
            R"("failed":true,"slow":false})");
}

TEST(ProtoJsonTest, UnsetMessagesAreNullAndListsAreThere) {
  v1::ReportReply report;
  EXPECT_EQ(ProtoToJsonText(report, false), R"({"cluster":null,"datanodes":[]})");
  report.mutable_cluster()->set_health_score(99.5);
  v1::DataNodeReport* node = report.add_datanodes();
  node->add_addresses("a:1");
  node->add_addresses("b:2");
  node->add_volumes()->set_path("/d");
  const auto json = ProtoToJson(report);
  EXPECT_EQ(json["cluster"]["health_score"], 99.5);
  EXPECT_EQ(json["cluster"]["nodes_total"], 0);
  EXPECT_EQ(json["datanodes"][0]["addresses"].dump(), R"(["a:1","b:2"])");
  EXPECT_EQ(json["datanodes"][0]["volumes"][0]["path"], "/d");
  EXPECT_EQ(JsonText(json["datanodes"][0]["last_heartbeat_ms_ago"]), "0");
}

TEST(ProtoJsonTest, EnumsBytesAndSignedNumbers) {
  v1::FileStatus status;
  status.set_type(v1::FileStatus::DIRECTORY);
  status.set_mtime_ms(-5);
  EXPECT_EQ(ProtoToJson(status)["type"], "directory");
  EXPECT_EQ(ProtoToJson(status)["mtime_ms"], -5);
  v1::Caller caller;
  caller.set_client_id(std::string("\x01\xab", 2));
  EXPECT_EQ(ProtoToJson(caller)["client_id"], "01ab");
}

TEST(ProtoJsonTest, WhatJsonCannotSay) {
  v1::ClusterReport cluster;
  cluster.set_health_score(std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(ProtoToJson(cluster)["health_score"].is_null());
  EXPECT_EQ(JsonText(nlohmann::ordered_json("a\xFF"), false), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace cairn
