#include "client/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

namespace cairn::cli {
namespace {

constexpr std::string_view kClearLine = "\r\033[K";
constexpr std::chrono::milliseconds kInterval{200};

size_t TerminalColumns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void Write(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

Console::Console() : is_terminal_(isatty(STDERR_FILENO) == 1) {}

void Console::PrintLine(std::string_view line) {
  MutexLock lock(mu_);
  std::string text(drawn_ ? kClearLine : "");
  drawn_ = false;
  text += line;
  text += '\n';
  Write(text);
}

void Console::Draw(std::string_view line) {
  MutexLock lock(mu_);
  if (line.empty() && !drawn_) return;
  drawn_ = !line.empty();
  Write(std::string(kClearLine) + std::string(line));
}

ProgressLine::ProgressLine(Console& console, const Progress& progress)
    : ProgressLine(console, [&progress](int64_t elapsed_ms, size_t columns) {
        return FormatProgress(progress.Read(elapsed_ms), columns);
      }) {}

ProgressLine::ProgressLine(Console& console, Format format)
    : console_(console), format_(std::move(format)) {
  if (console_.is_terminal()) thread_ = std::thread([this] { Run(); });
}

ProgressLine::~ProgressLine() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mu_);
    ended_ = true;
    end_cv_.SignalAll();
  }
  thread_.join();
  console_.Draw("");
}

void ProgressLine::Run() {
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    {
      MutexLock lock(mu_);
      const auto until = std::chrono::steady_clock::now() + kInterval;
      while (!ended_ && std::chrono::steady_clock::now() < until) {
        end_cv_.WaitFor(mu_, until - std::chrono::steady_clock::now());
      }
      if (ended_) return;
    }
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    // One column stays free: some terminals wrap at the last one.
    console_.Draw(format_(elapsed.count(), TerminalColumns() - 1));
  }
}

}  // namespace cairn::cli
