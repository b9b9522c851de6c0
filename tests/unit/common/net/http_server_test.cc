#include "common/net/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace cairn {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A plain blocking socket: what goes over the wire is the test's business.
class Client {
 public:
  explicit Client(const HostPort& server) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    inet_pton(AF_INET, server.host.c_str(), &address.sin_addr);
    const timeval limit = {.tv_sec = 20, .tv_usec = 0};  // so that a bug fails and does not hang
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() { close(fd_); }

  void Send(const std::string& text) {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  void FinishSending() { shutdown(fd_, SHUT_WR); }
  // Until the server closes.
  std::string ReadAll() {
    while (ReadSome()) {
    }
    return std::move(received_);
  }
  // Up to and including `end`.
  std::string ReadUntil(const std::string& end) {
    while (received_.find(end) == std::string::npos && ReadSome()) {
    }
    const size_t size = received_.find(end);
    EXPECT_NE(size, std::string::npos) << received_;
    const std::string text = received_.substr(0, size + end.size());
    received_.erase(0, text.size());
    return text;
  }

 private:
  bool ReadSome() {
    char bytes[4096];
    const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
    if (n < 0) EXPECT_EQ(errno, ECONNRESET) << "the server neither answered nor closed";
    if (n > 0) received_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }

  const int fd_;
  std::string received_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServer::Options options = {}) {
    HttpServer::Routes routes;
    routes["/healthz"] = {
        .handler = [](const HttpRequest&) { return HttpResponse{.body = "ok\n"}; }};
    routes["/echo"] = {.handler = [](const HttpRequest& request) {
      return HttpResponse{.content_type = "application/json",
                          .body = request.method + request.path + ":" + request.query.at("q")};
    }};
    routes["/post"] = {.handler =
                           [](const HttpRequest& request) {
                             return HttpResponse{.status = 201, .body = request.body};
                           },
                       .method = "POST"};
    routes["/throw"] = {
        .handler = [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("secret"); }};
    routes["/large"] = {.handler = [](const HttpRequest&) {
      return HttpResponse{.body = std::string(64 << 20, 'x')};
    }};
    auto server = HttpServer::Start({"127.0.0.1", 0}, std::move(routes), options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Exchange(const std::string& request) {
    Client client(server_->address());
    client.Send(request);
    client.FinishSending();
    return client.ReadAll();
  }

  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, Get) {
  Start();
  const std::string reply = Exchange("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(reply, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\nok\n"));
  EXPECT_THAT(Exchange("GET /echo?q=a%20b HTTP/1.0\r\n\r\n"), EndsWith("GET/echo:a b"));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  Start();
  const std::string reply = Exchange("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, PathsAndMethodsThatAreNotThere) {
  Start();
  EXPECT_THAT(Exchange("GET /none HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Exchange("GET /healthz/ HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  const std::string reply = Exchange("DELETE /healthz HTTP/1.1\r\n\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(reply, HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(Exchange("GET /post HTTP/1.1\r\n\r\n"), HasSubstr("Allow: POST\r\n"));
  EXPECT_THAT(Exchange("POST /post HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"),
              AllOf(StartsWith("HTTP/1.1 201"), EndsWith("\r\n\r\nbody")));
}

TEST_F(HttpServerTest, ConnectionsAreKept) {
  Start();
  Client client(server_->address());
  for (int i = 0; i < 3; ++i) {
    client.Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(client.ReadUntil("ok\n"), StartsWith("HTTP/1.1 200"));
  }
  client.Send("HEAD /healthz HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string rest = client.ReadAll();
  EXPECT_THAT(rest, AllOf(HasSubstr("200 OK"), HasSubstr("404 Not Found")));
}

TEST_F(HttpServerTest, MalformedRequests) {
  Start();
  for (const std::string request :
       {"nonsense\r\n\r\n", "GET\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n",
        "GET /%zz HTTP/1.1\r\n\r\n", "GET healthz HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "POST /post HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    EXPECT_THAT(Exchange(request), StartsWith("HTTP/1.1 400")) << request;
  }
  EXPECT_EQ(Exchange(""), "");
  EXPECT_EQ(Exchange("GET /heal"), "");
  EXPECT_THAT(Exchange("GET /healthz HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200"));  // still well
}

TEST_F(HttpServerTest, TooLarge) {
  Start();
  EXPECT_THAT(Exchange("GET /healthz HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(Exchange("GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(
      Exchange("POST /post HTTP/1.1\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x')),
      StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(
      Exchange("POST /post HTTP/1.1\r\nContent-Length: 65536\r\n\r\n" + std::string(65'536, 'x')),
      StartsWith("HTTP/1.1 201"));
}

TEST_F(HttpServerTest, AThrowingHandlerIsAnAnswer) {
  Start();
  const std::string reply = Exchange("GET /throw HTTP/1.1\r\n\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(reply, Not(HasSubstr("secret")));
}

TEST_F(HttpServerTest, SlowClientsAreDropped) {
  Start({.idle_timeout_ms = 50, .request_timeout_ms = 50});
  Client idle(server_->address());
  EXPECT_EQ(idle.ReadAll(), "");
  Client half(server_->address());
  half.Send("POST /post HTTP/1.1\r\nContent-Length: 10\r\n\r\nab");
  EXPECT_EQ(half.ReadAll(), "");
}

TEST_F(HttpServerTest, TooManyConnectionsAreClosed) {
  Start({.max_connections = 1});
  Client first(server_->address());
  first.Send("GET /healthz HTTP/1.1\r\n\r\n");
  first.ReadUntil("ok\n");
  Client second(server_->address());
  EXPECT_EQ(second.ReadAll(), "");
  first.Send("GET /healthz HTTP/1.1\r\n\r\n");
  first.ReadUntil("ok\n");
}

TEST_F(HttpServerTest, ASecondServerOnThePortIsRefused) {
  Start();
  const absl::Status second = HttpServer::Start(server_->address(), {}).status();
  EXPECT_TRUE(absl::IsAlreadyExists(second)) << second;
  EXPECT_THAT(std::string(MessageOf(second)), HasSubstr("the port is in use"));
  EXPECT_THAT(std::string(MessageOf(HttpServer::Start({"192.0.2.1", 0}, {}).status())),
              HasSubstr("not an address of this machine"));
}

TEST_F(HttpServerTest, StopsWithConnectionsOpen) {
  Start();
  Client idle(server_->address());
  idle.Send("GET /healthz HTTP/1.1\r\n\r\n");
  idle.ReadUntil("ok\n");
  Client stuck(server_->address());  // never reads its large answer
  stuck.Send("GET /large HTTP/1.1\r\n\r\n");
  const HostPort address = server_->address();
  server_->Stop();
  server_->Stop();
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_TRUE(HttpServer::Start(address, {}).ok());  // the port is free again
}

TEST_F(HttpServerTest, ManyClientsAtOnce) {
  Start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] {
      for (int j = 0; j < 20; ++j) {
        EXPECT_THAT(Exchange("GET /healthz HTTP/1.1\r\n\r\n"), EndsWith("ok\n"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cairn
