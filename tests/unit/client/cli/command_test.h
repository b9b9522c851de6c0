// A command of the CLI that is run in this process against fake services.
//
// For tests of what a command asks and prints. Not thread-safe.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "common/net/rpc_server.h"
#include "common/program.h"

namespace cairn::cli {

class CommandTest : public ::testing::Test {
 protected:
  void Serve(const std::vector<grpc::Service*>& services) {
    auto server = RpcServer::Start({.host = "127.0.0.1", .port = 0}, services);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // The exit status of `cairn WORDS`, of which `add` knows the command; what it printed is in out_
  // and err_.
  int Run(void (*add)(Cli& cli), const std::vector<std::string>& words) {
    Cli cli;
    add(cli);
    const std::string namenode = "--namenode=" + server_->address().ToString();
    std::vector<const char*> argv = {"cairn", namenode.c_str()};
    for (const std::string& word : words) argv.push_back(word.c_str());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = cli.Run(static_cast<int>(argv.size()), argv.data(), signals_);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return status;
  }

  TerminationSignals signals_;
  std::unique_ptr<RpcServer> server_;
  std::string out_;
  std::string err_;
};

}  // namespace cairn::cli
