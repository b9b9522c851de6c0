#include "common/net/http_server.h"

#include <fmt/format.h>
#include <pthread.h>

#include <array>
#include <chrono>
#include <exception>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "common/logging.h"
#include "common/mutex.h"
#include "common/net/http_message.h"
#include "common/net/listen.h"

namespace cairn {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr int64_t kDrainMs = 1'000;
constexpr size_t kMaxDrainBytes = 1 << 20;

using Parser = http::request_parser<http::string_body>;

// The answer to a request that could not be read; nullopt when there is nobody to answer.
std::optional<HttpResponse> AnswerTo(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return TextResponse(431, "the request's header is too large");
  }
  if (error == http::error::body_limit) return TextResponse(413, "the request's body is too large");
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return std::nullopt;
  }
  if (error.category() == http::make_error_code(http::error::bad_method).category()) {
    return TextResponse(400, "not a valid HTTP request");
  }
  return std::nullopt;
}

}  // namespace

// All members but the constructor's and Stop's work belong to the server's one thread.
class HttpServer::Impl {
 public:
  Impl(Routes routes, Options options) : routes_(std::move(routes)), options_(options) {}

  absl::Status Listen(const HostPort& listen) {
    ASSIGN_OR_RETURN(const std::string host, ResolveListenHost(listen));
    error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(host, error), listen.port);
    if (!error) acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return ListenFailure(listen, error.value());
    address_ = {listen.host, acceptor_.local_endpoint().port()};
    return absl::OkStatus();
  }

  void Run() {
    asio::co_spawn(io_, Accept(), asio::detached);
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "http");
      io_.run();
    });
  }

  void Stop() {
    MutexLock lock(stop_mu_);
    if (!thread_.joinable()) return;
    asio::post(io_, [this] { BeginStop(); });
    thread_.join();
  }

  const HostPort& address() const { return address_; }

 private:
  struct Connection {
    explicit Connection(tcp::socket socket) : stream(std::move(socket)) {}
    beast::tcp_stream stream;
    bool answering = false;
  };

  asio::awaitable<void> Accept() {
    while (!stopping_) {
      error_code error;
      tcp::socket socket =
          co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (stopping_) co_return;
      if (error) {  // no descriptor left, most likely: wait for some to be closed
        asio::steady_timer pause(io_, std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      if (connections_.size() >= options_.max_connections) continue;  // closes it
      asio::co_spawn(io_, Serve(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> Serve(tcp::socket socket) {
    Connection connection(std::move(socket));
    connections_.insert(&connection);
    try {
      beast::flat_buffer buffer(options_.max_header_bytes + options_.max_body_bytes);
      while (!stopping_ && co_await ServeOne(connection, buffer)) {
      }
    } catch (const std::exception& e) {
      LogDebug("http: {}", e.what());
    }
    connections_.erase(&connection);
    error_code ignored;
    connection.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  // Reads a request and answers it. Returns false when the connection is to be closed.
  asio::awaitable<bool> ServeOne(Connection& connection, beast::flat_buffer& buffer) {
    Parser parser;
    parser.header_limit(static_cast<uint32_t>(options_.max_header_bytes));
    parser.body_limit(options_.max_body_bytes);
    error_code error;
    connection.stream.expires_after(std::chrono::milliseconds(options_.idle_timeout_ms));
    co_await http::async_read_header(connection.stream, buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      connection.stream.expires_after(std::chrono::milliseconds(options_.request_timeout_ms));
      co_await http::async_read(connection.stream, buffer, parser,
                                asio::redirect_error(asio::use_awaitable, error));
    }
    if (error) {
      if (const auto answer = AnswerTo(error)) {
        SendOptions send{.keep_alive = false};
        co_await Send(connection, *answer, std::move(send));
        co_await Drain(connection);
      }
      co_return false;
    }
    const http::request<http::string_body> request = parser.release();
    SendOptions send{.version = request.version(),
                     .keep_alive = request.keep_alive() && !stopping_,
                     .head_only = request.method() == http::verb::head};
    HttpResponse answer = Answer(request, &send.allow);
    co_return co_await Send(connection, std::move(answer), std::move(send));
  }

  HttpResponse Answer(const http::request<http::string_body>& request, std::string* allow) const {
    HttpRequest plain;
    plain.method =
        request.method() == http::verb::head ? "GET" : std::string(request.method_string());
    if (!ParseHttpTarget(std::string(request.target()), &plain)) {
      return TextResponse(400, "not a valid path");
    }
    const auto route = routes_.find(plain.path);
    if (route == routes_.end()) return TextResponse(404, "there is no such page");
    if (route->second.method != plain.method) {
      *allow = route->second.method == "GET" ? "GET, HEAD" : route->second.method;
      return TextResponse(405, fmt::format("use {}", route->second.method));
    }
    plain.body = request.body();
    try {
      return route->second.handler(plain);
    } catch (const std::exception& e) {
      LogError("http: {}: {}", plain.path, e.what());
      return TextResponse(500, "the server failed; see its log");
    }
  }

  struct SendOptions {
    unsigned version = 11;
    bool keep_alive = true;
    bool head_only = false;
    std::string allow = {};  // the methods of the path, with a 405
  };

  // Returns whether the connection goes on.
  asio::awaitable<bool> Send(Connection& connection, HttpResponse answer, SendOptions options) {
    http::response<http::string_body> response(static_cast<http::status>(answer.status),
                                               options.version);
    response.set(http::field::content_type, answer.content_type);
    if (!options.allow.empty()) response.set(http::field::allow, options.allow);
    response.keep_alive(options.keep_alive);
    response.content_length(answer.body.size());
    if (!options.head_only) response.body() = std::move(answer.body);

    connection.answering = true;
    connection.stream.expires_after(std::chrono::milliseconds(options_.request_timeout_ms));
    http::response_serializer<http::string_body> serializer(response);
    error_code error;
    if (options.head_only) {
      co_await http::async_write_header(connection.stream, serializer,
                                        asio::redirect_error(asio::use_awaitable, error));
    } else {
      co_await http::async_write(connection.stream, serializer,
                                 asio::redirect_error(asio::use_awaitable, error));
    }
    connection.answering = false;
    co_return !error && options.keep_alive;
  }

  // Takes what the client still sends, for a moment: closing a socket with unread bytes resets it,
  // and the client would never see the answer.
  asio::awaitable<void> Drain(Connection& connection) {
    error_code error;
    connection.stream.socket().shutdown(tcp::socket::shutdown_send, error);
    connection.stream.expires_after(std::chrono::milliseconds(kDrainMs));
    std::array<char, 4096> bytes;
    size_t left = kMaxDrainBytes;
    while (!stopping_ && left >= bytes.size()) {
      left -= co_await connection.stream.async_read_some(
          asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
    }
  }

  void BeginStop() {
    stopping_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    for (Connection* connection : connections_) {
      if (!connection->answering) connection->stream.cancel();
    }
    // Answers under way get a moment; then the thread ends whatever still waits.
    give_up_.expires_after(std::chrono::seconds(1));
    WatchEnd();
  }

  // Ends the thread once no connection is left, or when the moment has passed.
  void WatchEnd() {
    if (connections_.empty() || give_up_.expiry() <= std::chrono::steady_clock::now()) {
      io_.stop();
      return;
    }
    poll_.expires_after(std::chrono::milliseconds(5));
    poll_.async_wait([this](const error_code&) { WatchEnd(); });
  }

  const Routes routes_;
  const Options options_;
  HostPort address_;
  Mutex stop_mu_;
  std::thread thread_;

  std::set<Connection*> connections_;  // before io_: its coroutines take themselves out
  bool stopping_ = false;
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer give_up_{io_};
  asio::steady_timer poll_{io_};
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { Stop(); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HostPort& listen, Routes routes,
                                                              Options options) {
  auto impl = std::make_unique<Impl>(std::move(routes), options);
  RETURN_IF_ERROR(impl->Listen(listen));
  impl->Run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HostPort& listen,
                                                              Routes routes) {
  return Start(listen, std::move(routes), Options());
}

const HostPort& HttpServer::address() const { return impl_->address(); }
void HttpServer::Stop() { impl_->Stop(); }

}  // namespace cairn
