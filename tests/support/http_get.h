// One HTTP GET over a plain socket, for tests of the daemons' pages.
//
// Why: the pages are public, so a test asks as any program would, not through our own server code.
// Thread-safe: a function.
#pragma once

#include <string>

#include "common/status.h"

namespace cairn::testing {

struct HttpReply {
  int status = 0;
  std::string headers;  // lines, as they came
  std::string body;
};

// GET of `target` ("/healthz", a query included) from `address` ("host:port", numeric), on a
// connection of its own. Fails when there is no whole answer within 10 s.
absl::StatusOr<HttpReply> HttpGet(const std::string& address, const std::string& target);

}  // namespace cairn::testing
