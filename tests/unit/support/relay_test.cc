#include "tests/support/relay.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/files.h"
#include "tests/support/process.h"

namespace cairn::testing {
namespace {

constexpr int kTimeoutSeconds = 20;

// A blocking socket with a deadline for everything.
class Peer {
 public:
  explicit Peer(int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) : fd_(fd) {
    SetTimeout(kTimeoutSeconds * 1000);
  }
  ~Peer() { Close(); }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void SetTimeout(int64_t ms) {
    const timeval timeout{ms / 1000, ms % 1000 * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  }

  std::string Listen() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
  }
  Peer Accept() { return Peer(accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)); }
  // 0, or errno.
  int Connect(const std::string& to) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(std::atoi(to.c_str() + to.rfind(':') + 1)));
    return connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0
                                                                                           : errno;
  }
  bool Send(const std::string& text) {
    return send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // Up to `bytes` bytes, fewer at an end; `error` gets errno when it was no clean one.
  std::string Receive(size_t bytes, int* error = nullptr) {
    std::string text(bytes, 0);
    size_t got = 0;
    ssize_t more = 0;
    while (got < bytes && (more = recv(fd_, text.data() + got, bytes - got, 0)) > 0) {
      got += static_cast<size_t>(more);
    }
    if (error != nullptr) *error = more < 0 ? errno : 0;
    text.resize(got);
    return text;
  }
  void EndSending() { shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

class RelayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = Relay::Start(listener_.Listen());
    ASSERT_TRUE(started.ok()) << started.status();
    relay_ = *std::move(started);
  }

  // A connection through the relay: its client, its server.
  std::pair<Peer, Peer> Connect() {
    Peer client;
    EXPECT_EQ(client.Connect(relay_->address()), 0);
    return {std::move(client), listener_.Accept()};
  }

  Peer listener_;
  std::unique_ptr<Relay> relay_;
};

TEST_F(RelayTest, ForwardsAndCountsBothWays) {
  auto [client, server] = Connect();
  EXPECT_TRUE(client.Send("hello"));
  EXPECT_EQ(server.Receive(5), "hello");
  EXPECT_TRUE(server.Send("you too"));
  EXPECT_EQ(client.Receive(7), "you too");
  EXPECT_EQ(relay_->forwarded(Direction::kToServer), 5u);
  EXPECT_EQ(relay_->forwarded(Direction::kToClient), 7u);
  EXPECT_EQ(relay_->connections(), 1u);
  // An end passes, one direction at a time.
  client.EndSending();
  int error = -1;
  EXPECT_EQ(server.Receive(1, &error), "");
  EXPECT_EQ(error, 0);
  EXPECT_TRUE(server.Send("still here"));
  server.Close();
  EXPECT_EQ(client.Receive(100, &error), "still here");
  EXPECT_EQ(error, 0);
  EXPECT_TRUE(WaitUntil(20'000, [&] { return relay_->connections() == 0; }));
  EXPECT_EQ(relay_->accepted(), 1u);
}

TEST_F(RelayTest, ForwardsMoreThanFitsInBuffers) {
  auto [client, server] = Connect();
  const std::string sent = RandomBytes(1, 8 << 20);
  std::thread sender([&client = client, &sent] {
    EXPECT_TRUE(client.Send(sent));
    client.Close();
  });
  const std::string got = server.Receive(sent.size() + 1);
  sender.join();
  EXPECT_TRUE(got == sent);
}

TEST_F(RelayTest, ResetsWhenTheTargetIsNotThere) {
  Peer gone;
  const std::string address = gone.Listen();
  gone.Close();
  for (const std::string& target : {address, std::string("nowhere")}) {
    relay_->SetTarget(target);
    Peer client;
    EXPECT_EQ(client.Connect(relay_->address()), 0);
    int error = 0;
    EXPECT_EQ(client.Receive(1, &error), "");
    EXPECT_EQ(error, ECONNRESET);
  }
}

TEST_F(RelayTest, ThrottlesEachDirection) {
  auto [client, server] = Connect();
  relay_->Throttle(100'000);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(client.Send(std::string(40'000, 'x')));
  EXPECT_EQ(server.Receive(40'000).size(), 40'000u);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_GT(took.count(), 0.3);  // 0.4 s less what was saved up
  // Fast again.
  relay_->Pass();
  EXPECT_TRUE(client.Send(std::string(200'000, 'x')));
  EXPECT_EQ(server.Receive(200'000).size(), 200'000u);
}

TEST_F(RelayTest, HoldsWithoutAWordAndLosesNothing) {
  auto [client, server] = Connect();
  EXPECT_TRUE(client.Send("before"));
  EXPECT_EQ(server.Receive(6), "before");
  relay_->Hold();
  EXPECT_TRUE(client.Send("held"));
  server.SetTimeout(200);
  int error = 0;
  EXPECT_EQ(server.Receive(1, &error), "");
  EXPECT_EQ(error, EAGAIN);
  EXPECT_EQ(relay_->forwarded(Direction::kToServer), 6u);
  Peer late;
  EXPECT_EQ(late.Connect(relay_->address()), 0);
  EXPECT_TRUE(late.Send("late"));
  relay_->Pass();
  server.SetTimeout(kTimeoutSeconds * 1000);
  EXPECT_EQ(server.Receive(4), "held");
  EXPECT_EQ(listener_.Accept().Receive(4), "late");
}

TEST_F(RelayTest, RefusesAndComesBackAtTheSamePort) {
  auto [client, server] = Connect();
  relay_->Refuse();
  int error = 0;
  EXPECT_EQ(client.Receive(1, &error), "");
  EXPECT_EQ(error, ECONNRESET);
  EXPECT_EQ(server.Receive(1, &error), "");
  EXPECT_EQ(error, ECONNRESET);
  EXPECT_EQ(Peer().Connect(relay_->address()), ECONNREFUSED);
  relay_->Pass();
  auto [again, behind] = Connect();
  EXPECT_TRUE(again.Send("again"));
  EXPECT_EQ(behind.Receive(5), "again");
}

TEST_F(RelayTest, ResetsAfterSoManyBytes) {
  for (const size_t bytes : {0u, 1u, 1000u, 70'000u}) {
    SCOPED_TRACE(bytes);
    auto [client, server] = Connect();
    const uint64_t before = relay_->forwarded(Direction::kToClient);
    relay_->ResetAfter(Direction::kToClient, bytes);
    EXPECT_TRUE(server.Send(std::string(100'000, 'x')));
    int error = 0;
    EXPECT_EQ(client.Receive(100'000, &error).size(), bytes);
    EXPECT_EQ(error, ECONNRESET);
    EXPECT_EQ(relay_->forwarded(Direction::kToClient), before + bytes);
    server.Receive(1, &error);
    EXPECT_EQ(error, ECONNRESET);
  }
  EXPECT_EQ(relay_->resets(), 4u);
  // Once each; the other direction, and what comes later, is left alone.
  auto [client, server] = Connect();
  EXPECT_TRUE(server.Send("x"));
  EXPECT_EQ(client.Receive(1), "x");
}

TEST_F(RelayTest, FlipsOneBit) {
  auto [client, server] = Connect();
  const std::string sent = RandomBytes(2, 50'000);
  for (const size_t at : {0u, 1u, 49'999u}) {
    SCOPED_TRACE(at);
    relay_->FlipAfter(Direction::kToServer, at);
    EXPECT_TRUE(client.Send(sent));
    std::string expected = sent;
    expected[at] ^= 1;
    EXPECT_TRUE(server.Receive(sent.size()) == expected);
  }
  EXPECT_EQ(relay_->flips(), 3u);
  // Bytes of several connections count together.
  relay_->FlipAfter(Direction::kToServer, sent.size() + 2);
  EXPECT_TRUE(client.Send(sent));
  EXPECT_TRUE(server.Receive(sent.size()) == sent);
  auto [other, behind] = Connect();
  EXPECT_TRUE(other.Send("AAAA"));
  EXPECT_EQ(behind.Receive(4), "AA@A");
  // Disarmed before it happens.
  relay_->FlipAfter(Direction::kToServer, 0);
  relay_->Disarm();
  EXPECT_TRUE(other.Send("AAAA"));
  EXPECT_EQ(behind.Receive(4), "AAAA");
}

TEST_F(RelayTest, ResetsAllAtOnce) {
  auto [first, first_server] = Connect();
  auto [second, second_server] = Connect();
  relay_->ResetAll();
  for (Peer* peer : {&first, &first_server, &second, &second_server}) {
    int error = 0;
    EXPECT_EQ(peer->Receive(1, &error), "");
    EXPECT_EQ(error, ECONNRESET);
  }
}

TEST_F(RelayTest, EndsInAnyMode) {
  auto [client, server] = Connect();
  EXPECT_TRUE(client.Send(std::string(100'000, 'x')));
  relay_->Hold();
  relay_.reset();
  int error = 0;
  server.Receive(200'000, &error);
  EXPECT_EQ(error, ECONNRESET);
}

}  // namespace
}  // namespace cairn::testing
