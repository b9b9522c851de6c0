// cairn cat, head and tail: files to standard output.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/copy.h"
#include "client/cli/tail.h"
#include "common/status.h"
#include "common/units.h"

namespace cairn::cli {
namespace {

WriteFn ToOutput(Context& context) {
  return [&context](std::string_view data) {
    context.out().Write(data);
    return context.out().status();
  };
}

// Opens each file in turn; what fails is told and the next one comes.
absl::Status ForEachFile(Context& context, const Operands& operands, bool headers,
                         const std::function<absl::Status(InputStream&)>& print) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  bool first = true;
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    const absl::StatusOr<std::unique_ptr<InputStream>> in = path.fs->Open(path.path);
    absl::Status status = in.status();
    if (status.ok()) {
      if (headers && paths.size() > 1) {
        context.out().Write(fmt::format("{}==> {} <==\n", first ? "" : "\n", path.shown));
        first = false;
      }
      status = print(**in);
    }
    // A failure to write is no failure of this file.
    if (!status.ok() && context.out().status().ok()) context.Fail(path.shown, status);
  }
  return context.Continue();
}

absl::Status CopyRest(Context& context, InputStream& in,
                      std::optional<uint64_t> limit = std::nullopt) {
  const auto read = [&](std::span<char> buffer) { return in.Read(buffer); };
  return CopyBytes(context, read, ToOutput(context), nullptr, limit);
}

// Copies up to and with the newline that ends line number `lines`.
absl::Status CopyLines(Context& context, InputStream& in, uint64_t lines) {
  // Small pieces: most lines are short, and read-ahead fetches more by itself.
  const std::unique_ptr<char[]> buffer(new char[kChunkBytes * 16]);
  while (lines > 0) {
    RETURN_IF_ERROR(context.Continue());
    ASSIGN_OR_RETURN(const size_t bytes, in.Read(std::span(buffer.get(), kChunkBytes * 16)));
    if (bytes == 0) break;
    const std::string_view text(buffer.get(), bytes);
    size_t end = 0;
    while (lines > 0 && end < text.size()) {
      const size_t newline = text.find('\n', end);
      if (newline == std::string_view::npos) {
        end = text.size();
      } else {
        end = newline + 1;
        --lines;
      }
    }
    context.out().Write(text.substr(0, end));
  }
  return absl::OkStatus();
}

// Moves the cursor behind the first `lines` lines.
absl::Status SkipLines(Context& context, InputStream& in, uint64_t lines) {
  const std::unique_ptr<char[]> buffer(new char[kChunkBytes * 16]);
  while (lines > 0) {
    RETURN_IF_ERROR(context.Continue());
    const uint64_t start = in.position();
    ASSIGN_OR_RETURN(const size_t bytes, in.Read(std::span(buffer.get(), kChunkBytes * 16)));
    if (bytes == 0) break;
    for (size_t i = 0; i < bytes && lines > 0; ++i) {
      if (buffer[i] == '\n' && --lines == 0) return in.Seek(start + i + 1);
    }
  }
  return absl::OkStatus();
}

// The text of -n or -c, each with an option that tells whether it was given.
struct CountOptions {
  std::string lines = "10";
  std::string bytes;
  Option* lines_option = nullptr;
  Option* bytes_option = nullptr;

  void Declare(OptionTable& table, std::string_view which) {
    lines_option = &table.AddString("lines", &lines, fmt::format("the {} N lines", which))
                        .Short('n')
                        .Value("N");
    bytes_option = &table.AddString("bytes", &bytes, fmt::format("the {} N bytes instead", which))
                        .Short('c')
                        .Value("SIZE");
  }

  // Counts in bytes: -c was given.
  bool in_bytes() const { return bytes_option->is_set(); }
  absl::StatusOr<TailCount> Parse() const {
    if (lines_option->is_set() && in_bytes()) {
      return UsageError("-n and -c exclude each other");
    }
    absl::StatusOr<TailCount> count = ParseTailCount(in_bytes() ? bytes : lines);
    if (!count.ok()) {
      return UsageError(fmt::format("-{}: '{}' is not a number", in_bytes() ? 'c' : 'n',
                                    in_bytes() ? bytes : lines));
    }
    return count;
  }
};

absl::Status Head(Context& context, const CountOptions& options, const Operands& operands) {
  ASSIGN_OR_RETURN(const TailCount parsed, options.Parse());
  const std::string& text = options.in_bytes() ? options.bytes : options.lines;
  if (text.starts_with('-') || parsed.from_start) {
    return UsageError(fmt::format("'{}': only a number without a sign is understood", text));
  }
  return ForEachFile(context, operands, true, [&](InputStream& in) {
    return options.in_bytes() ? CopyRest(context, in, parsed.count)
                              : CopyLines(context, in, parsed.count);
  });
}

absl::Status TailOf(Context& context, const CountOptions& options, TailCount wanted,
                    InputStream& in) {
  uint64_t start = 0;
  if (wanted.from_start) {
    const uint64_t skipped = wanted.count == 0 ? 0 : wanted.count - 1;
    if (options.in_bytes()) {
      start = std::min(skipped, in.length());
    } else {
      RETURN_IF_ERROR(SkipLines(context, in, skipped));
      start = in.position();
    }
  } else if (options.in_bytes()) {
    start = in.length() - std::min(wanted.count, in.length());
  } else {
    const auto read_at = [&](uint64_t offset, std::span<char> out) {
      return in.PRead(offset, out);
    };
    ASSIGN_OR_RETURN(start, FindLastLines(read_at, in.length(), wanted.count));
  }
  RETURN_IF_ERROR(in.Seek(start));
  return CopyRest(context, in);
}

// Prints what is added to a file, until the command is ended. A file that was cut or replaced is
// printed from its new start, as `tail -F` does.
absl::Status Follow(Context& context, const ClusterPath& path, FileStatus seen, uint64_t position) {
  constexpr int64_t kPollMs = 1000;  // as tail(1)
  bool lost_sight = false;
  while (true) {
    RETURN_IF_ERROR(context.Continue());  // also when nobody reads the output any more
    RETURN_IF_ERROR(context.interrupt().Sleep(kPollMs));
    absl::StatusOr<std::unique_ptr<InputStream>> opened = path.fs->Open(path.path);
    if (absl::IsUnavailable(opened.status()) || absl::IsDeadlineExceeded(opened.status())) {
      // While nodes are restarted nobody may know how far it goes.
      if (!std::exchange(lost_sight, true)) {
        context.console().PrintLine(fmt::format("cairn: tail: {}: {}; trying again", path.shown,
                                                MessageOf(opened.status())));
      }
      continue;
    }
    RETURN_IF_ERROR(opened.status());
    lost_sight = false;
    const std::unique_ptr<InputStream> in = *std::move(opened);
    if (in->status().inode != seen.inode) {
      context.console().PrintLine(fmt::format("cairn: tail: {}: file was replaced", path.shown));
      position = 0;
    } else if (in->length() < position) {
      // While a pipeline is repaired, what was written and not flushed may be out of sight.
      if (in->status().open) continue;
      context.console().PrintLine(fmt::format("cairn: tail: {}: file was truncated", path.shown));
      position = 0;
    }
    seen = in->status();
    RETURN_IF_ERROR(in->Seek(position));
    RETURN_IF_ERROR(CopyRest(context, *in));
    position = in->position();
    context.out().Flush();
  }
}

absl::Status TailFollowing(Context& context, const CountOptions& options, TailCount wanted,
                           const Operands& operands) {
  ASSIGN_OR_RETURN(const ClusterPath path, context.Resolve(operands.front()));
  const auto run = [&]() -> absl::Status {
    FileStatus seen;
    uint64_t position = 0;
    {
      ASSIGN_OR_RETURN(const std::unique_ptr<InputStream> in, path.fs->Open(path.path));
      RETURN_IF_ERROR(TailOf(context, options, wanted, *in));
      context.out().Flush();
      seen = in->status();
      position = in->position();
    }
    return Follow(context, path, seen, position);
  };
  const absl::Status status = run();
  if (!status.ok() && context.out().status().ok()) context.Fail(path.shown, status);
  return context.Continue();
}

}  // namespace

void AddReadCommands(Cli& cli) {
  cli.Add("cat", "PATH...", 1, Command::kAnyNumber, "print files",
          [](Context& context, const Operands& operands) {
            return ForEachFile(context, operands, false,
                               [&](InputStream& in) { return CopyRest(context, in); });
          })
      .Example("cairn cat /logs/today | grep error")
      .Example("cairn cat '/logs/2026-*'           # a pattern over the cluster's files");

  auto head = std::make_shared<CountOptions>();
  Command& head_command =
      cli.Add("head", "PATH...", 1, Command::kAnyNumber, "print the start of files",
              [head](Context& context, const Operands& operands) {
                return Head(context, *head, operands);
              });
  head_command.Example("cairn head -n 20 /logs/today").Example("cairn head -c 1K /data/big");
  head->Declare(head_command.options(), "first");

  auto tail = std::make_shared<CountOptions>();
  auto follow = std::make_shared<bool>(false);
  Command& tail_command = cli.Add(
      "tail", "PATH...", 1, Command::kAnyNumber, "print the end of files",
      [tail, follow](Context& context, const Operands& operands) -> absl::Status {
        ASSIGN_OR_RETURN(const TailCount wanted, tail->Parse());
        if (*follow && operands.size() > 1) return UsageError("-f follows one file");
        if (*follow) return TailFollowing(context, *tail, wanted, operands);
        return ForEachFile(context, operands, true,
                           [&](InputStream& in) { return TailOf(context, *tail, wanted, in); });
      });
  tail_command.Example("cairn tail -n 20 /logs/today")
      .Example("cairn tail -n +2 /data/a.csv         # all but the first line")
      .Example("cairn tail -c 1M /logs/today")
      .Example("cairn tail -f /logs/today            # and what is added, until Ctrl-C");
  tail_command.options()
      .AddBool("follow", follow.get(), "go on with what is added to the file")
      .Short('f');
  tail->Declare(tail_command.options(), "last");
}

}  // namespace cairn::cli
