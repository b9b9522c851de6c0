// The pure parts of the HTTP server: request targets and plain answers. Used by http_server.cc.
#pragma once

#include <string>
#include <string_view>

#include "common/net/http_server.h"

namespace cairn {

// Splits "/a%20b?x=1&y" into request->path and request->query, decoded ("+" in a query is a blank).
// Returns false for what is not an absolute path or has a broken escape or a NUL.
bool ParseHttpTarget(std::string_view target, HttpRequest* request);

// A line of text as an answer.
HttpResponse TextResponse(int status, std::string_view line);

}  // namespace cairn
