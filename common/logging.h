// The process's log: LogInfo("registered {} at {}", id, address).
//
// Why: spdlog does the work, but its headers are large; only logging.cc sees them. One line an
// event, with ms, level and thread: "2026-01-31 12:00:00.123 info    [4711] ...". Before
// InitLogging, lines from `info` up go to stderr. Thread-safe.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

#include "common/status.h"

namespace cairn {

enum class LogLevel { kTrace = 0, kDebug, kInfo, kWarn, kError };

// "trace", "debug", "info", "warn" (or "warning"), "error".
absl::StatusOr<LogLevel> ParseLogLevel(std::string_view text);

// Sends lines of `level` and above to `file` (appended to; made if needed, with its directories),
// or to stderr when `file` is empty.
absl::Status InitLogging(LogLevel level, const std::string& file);
void FlushLog();

bool LogEnabled(LogLevel level);
void LogFormatted(LogLevel level, fmt::string_view format, fmt::format_args args);

template <typename... Args>
void Log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(level)) LogFormatted(level, format, fmt::make_format_args(args...));
}
template <typename... Args>
void LogTrace(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kTrace, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarn(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarn, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace cairn
