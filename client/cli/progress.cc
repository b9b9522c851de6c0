#include "client/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/units.h"

namespace cairn::cli {
namespace {

std::string TimeLeft(uint64_t bytes_left, uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return "";
  const uint64_t seconds = (bytes_left + bytes_per_second - 1) / bytes_per_second;
  return fmt::format(", {} left", FormatSeconds(seconds));
}

}  // namespace

std::string FormatSeconds(uint64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

std::string FormatBar(double part, const std::string& text, size_t columns) {
  const std::string percent = fmt::format("{:3}%", static_cast<int>(part * 100));
  constexpr size_t kMinBar = 10;
  constexpr size_t kMaxBar = 40;
  const size_t used = percent.size() + text.size() + 4;  // " [" and "] "
  if (columns < used + kMinBar) return fmt::format("{} {}", percent, text).substr(0, columns);
  const size_t width = std::min(columns - used, kMaxBar);
  const auto filled = static_cast<size_t>(part * static_cast<double>(width));
  std::string bar(filled, '=');
  if (filled < width) bar += '>';
  bar.resize(width, ' ');
  return fmt::format("{} [{}] {}", percent, bar, text);
}

std::string FormatProgress(const ProgressNumbers& numbers, size_t columns) {
  const uint64_t rate = numbers.elapsed_ms <= 0
                            ? 0
                            : static_cast<uint64_t>(static_cast<double>(numbers.done_bytes) * 1000 /
                                                    static_cast<double>(numbers.elapsed_ms));
  const std::string files =
      numbers.total_files > 1
          ? fmt::format(", {}/{} files", numbers.done_files, numbers.total_files)
          : "";
  if (numbers.total_bytes == 0) {
    return fmt::format("{}{}, {}/s", FormatSize(numbers.done_bytes), files, FormatSize(rate))
        .substr(0, columns);
  }
  // A file that grows while it is read has more than was expected.
  const uint64_t done = std::min(numbers.done_bytes, numbers.total_bytes);
  const double part = static_cast<double>(done) / static_cast<double>(numbers.total_bytes);
  const std::string text =
      fmt::format("{} of {}{}, {}/s{}", FormatSize(done), FormatSize(numbers.total_bytes), files,
                  FormatSize(rate), TimeLeft(numbers.total_bytes - done, rate));
  return FormatBar(part, text, columns);
}

}  // namespace cairn::cli
