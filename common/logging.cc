#include "common/logging.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace cairn {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> MakeLogger(spdlog::sink_ptr sink, LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>("cairn", std::move(sink));
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %-7l [%t] %v");
  logger->set_level(ToSpdlog(level));
  logger->flush_on(spdlog::level::info);  // a crash must not take the lines that explain it
  return logger;
}

// spdlog's own default writes to stdout, which belongs to the programs' output: replaced before its
// first use.
spdlog::logger& Logger() {
  static const bool replaced = [] {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    spdlog::set_default_logger(MakeLogger(std::move(sink), LogLevel::kInfo));
    return true;
  }();
  (void)replaced;
  return *spdlog::default_logger_raw();
}

}  // namespace

absl::StatusOr<LogLevel> ParseLogLevel(std::string_view text) {
  if (text == "trace") return LogLevel::kTrace;
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warn" || text == "warning") return LogLevel::kWarn;
  if (text == "error") return LogLevel::kError;
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a log level; use trace, debug, info, warn or error", text));
}

absl::Status InitLogging(LogLevel level, const std::string& file) {
  Logger();  // so that the first use does not undo this
  try {
    spdlog::sink_ptr sink;
    if (file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file, /*truncate=*/false);
    }
    spdlog::set_default_logger(MakeLogger(std::move(sink), level));
  } catch (const spdlog::spdlog_ex& e) {
    return absl::FailedPreconditionError(
        fmt::format("cannot open the log file {}: {}", file, e.what()));
  }
  return absl::OkStatus();
}

void FlushLog() { Logger().flush(); }

bool LogEnabled(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void LogFormatted(LogLevel level, fmt::string_view format, fmt::format_args args) {
  fmt::memory_buffer line;
  fmt::vformat_to(fmt::appender(line), format, args);
  Logger().log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace cairn
