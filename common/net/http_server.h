// A small HTTP/1.1 server for status pages, /healthz, /metrics and the JSON API.
//
// Why: a few fast pages need no framework: one thread, Boost.Beast coroutines, bounded headers (8
// KiB), bodies (64 KiB), connections (256) and idle time. Handlers run on the server's thread: they
// must be fast and must not block. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/net/address.h"
#include "common/status.h"

namespace cairn {

struct HttpRequest {
  std::string method;  // "GET", "POST"; HEAD is served as GET, without the body
  std::string path;    // decoded, without the query
  std::map<std::string, std::string> query;  // decoded
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpRoute {
  std::function<HttpResponse(const HttpRequest&)> handler;
  std::string method = "GET";  // another one gets 405; GET serves HEAD too
};

class HttpServer {
 public:
  struct Options {
    int64_t idle_timeout_ms = 30'000;     // between requests of a connection
    int64_t request_timeout_ms = 10'000;  // to send or take a whole message
    size_t max_header_bytes = 8 << 10;
    size_t max_body_bytes = 64 << 10;
    size_t max_connections = 256;  // more are closed at once
  };
  using Routes = std::map<std::string, HttpRoute>;  // by exact path

  // Listens and serves at once. Port 0 takes a free one. ALREADY_EXISTS when the port is taken.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HostPort& listen, Routes routes,
                                                           Options options);
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HostPort& listen, Routes routes);
  ~HttpServer();  // Stop()

  const HostPort& address() const;  // the host as given, the actual port
  // Closes the listener and idle connections, lets answers under way go out for at most 1 s, joins
  // the thread.
  void Stop();

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cairn
