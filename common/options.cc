#include "common/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <utility>

#include "common/strings.h"
#include "common/units.h"

namespace cairn {
namespace {

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(message); }

absl::StatusOr<int64_t> ParseInt(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return Wrong(fmt::format("{} is too large", text));
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return Wrong(fmt::format("'{}' is not a whole number", text));
  }
  return value;
}

absl::StatusOr<uint64_t> ParseCount(std::string_view text) {
  constexpr std::string_view kSuffixes = "KMGkmg";
  uint64_t unit = 1;
  std::string_view digits = text;
  if (!text.empty()) {
    if (const size_t at = kSuffixes.find(text.back()); at != std::string_view::npos) {
      for (size_t i = 0; i <= at % 3; ++i) unit *= 1000;
      digits.remove_suffix(1);
    }
  }
  const absl::StatusOr<int64_t> value = ParseInt(digits);
  if (!value.ok() || *value < 0) {
    return Wrong(fmt::format("'{}' is not a count; write it like 5000, 10K or 1M", text));
  }
  const auto count = static_cast<uint64_t>(*value);
  if (count > std::numeric_limits<int64_t>::max() / unit) {
    return Wrong(fmt::format("{} is too large", text));
  }
  return count * unit;
}

absl::StatusOr<bool> ParseBool(std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return Wrong(fmt::format("'{}' is neither true nor false", text));
}

std::string CountText(uint64_t count) {
  constexpr std::pair<uint64_t, char> kUnits[] = {
      {1'000'000'000, 'G'}, {1'000'000, 'M'}, {1000, 'K'}};
  for (const auto& [unit, letter] : kUnits) {
    if (count != 0 && count % unit == 0) return fmt::format("{}{}", count / unit, letter);
  }
  return std::to_string(count);
}

// Exact, unlike FormatSize.
std::string SizeText(uint64_t bytes) {
  constexpr std::string_view kUnits = "TGMK";
  for (size_t i = 0; i < kUnits.size(); ++i) {
    const uint64_t unit = uint64_t{1} << (10 * (kUnits.size() - i));
    if (bytes != 0 && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, kUnits[i]);
  }
  return std::to_string(bytes);
}

template <typename T>
absl::Status Assign(T* value, absl::StatusOr<T> parsed) {
  if (!parsed.ok()) return parsed.status();
  *value = *std::move(parsed);
  return absl::OkStatus();
}

}  // namespace

absl::Status UsageError(std::string_view message) {
  return WithKind(absl::InvalidArgumentError(ToAbsl(message)), ErrorKind::kUsage);
}

Option& Option::Short(char letter) {
  short_name_ = letter;
  return *this;
}

Option& Option::Value(std::string_view placeholder) {
  placeholder_ = placeholder;
  return *this;
}

Option& Option::Default(std::string_view text) {
  default_text_ = text;
  return *this;
}

Option& Option::Check(std::function<absl::Status()> check) {
  check_ = std::move(check);
  return *this;
}

Option& Option::CommandLineOnly() {
  command_line_only_ = true;
  return *this;
}

Option& Option::Hidden() {
  hidden_ = true;
  return *this;
}

std::string Option::EnvironmentName() const {
  std::string name = "CAIRN_" + name_;
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

absl::Status Option::Set(std::string_view text, OptionSource source, std::string origin) {
  const bool first = source != source_;
  if (absl::Status parsed = parse_(text, first); !parsed.ok()) {
    return UsageError(fmt::format("{}: {}", origin, MessageOf(parsed)));
  }
  source_ = source;
  origin_ = std::move(origin);
  return absl::OkStatus();
}

Option& OptionTable::Add(std::string_view name, Option::Type type, std::string_view placeholder,
                         std::string default_text, std::string_view help, Option::Parser parse) {
  Option& option = options_.emplace_back();
  option.name_ = name;
  option.type_ = type;
  option.placeholder_ = placeholder;
  option.default_text_ = std::move(default_text);
  option.help_ = help;
  option.parse_ = std::move(parse);
  option.origin_ = fmt::format("--{}", name);
  return option;
}

Option& OptionTable::AddString(std::string_view name, std::string* value, std::string_view help) {
  return Add(name, Option::Type::kText, "TEXT", *value, help, [value](std::string_view text, bool) {
    *value = text;
    return absl::OkStatus();
  });
}

Option& OptionTable::AddChoice(std::string_view name, std::string* value,
                               std::vector<std::string> choices, std::string_view help) {
  const std::string all = fmt::format("{}", fmt::join(choices, "|"));
  return Add(name, Option::Type::kText, all, *value, help,
             [value, all, choices = std::move(choices)](std::string_view text, bool) {
               if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
                 return Wrong(fmt::format("'{}' is not one of {}", text, all));
               }
               *value = text;
               return absl::OkStatus();
             });
}

Option& OptionTable::AddList(std::string_view name, std::vector<std::string>* value,
                             std::string_view help) {
  return Add(name, Option::Type::kList, "A[,B...]", fmt::format("{}", fmt::join(*value, ",")), help,
             [value](std::string_view text, bool first) {
               if (first) value->clear();
               for (std::string& item : SplitList(text, ',')) value->push_back(std::move(item));
               return absl::OkStatus();
             });
}

Option& OptionTable::AddBool(std::string_view name, bool* value, std::string_view help) {
  return Add(name, Option::Type::kBool, "", *value ? "true" : "", help,
             [value](std::string_view text, bool) { return Assign(value, ParseBool(text)); });
}

Option& OptionTable::AddInt(std::string_view name, int64_t* value, int64_t min, int64_t max,
                            std::string_view help) {
  return Add(name, Option::Type::kInt, "N", std::to_string(*value), help,
             [value, min, max](std::string_view text, bool) {
               ASSIGN_OR_RETURN(const int64_t number, ParseInt(text));
               if (number < min || number > max) {
                 return Wrong(fmt::format("{} is not in {}..{}", number, min, max));
               }
               *value = number;
               return absl::OkStatus();
             });
}

Option& OptionTable::AddCount(std::string_view name, uint64_t* value, std::string_view help) {
  return Add(name, Option::Type::kTextOrInt, "COUNT", CountText(*value), help,
             [value](std::string_view text, bool) { return Assign(value, ParseCount(text)); });
}

Option& OptionTable::AddDouble(std::string_view name, double* value, double min, double max,
                               std::string_view help) {
  return Add(name, Option::Type::kDouble, "X", fmt::format("{}", *value), help,
             [value, min, max](std::string_view text, bool) {
               double number = 0;
               const auto [end, error] =
                   std::from_chars(text.data(), text.data() + text.size(), number);
               if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
                 return Wrong(fmt::format("'{}' is not a number", text));
               }
               if (!(number >= min && number <= max)) {  // so that NaN is refused
                 return Wrong(fmt::format("{} is not in {}..{}", text, min, max));
               }
               *value = number;
               return absl::OkStatus();
             });
}

Option& OptionTable::AddSize(std::string_view name, uint64_t* bytes, std::string_view help) {
  return Add(name, Option::Type::kTextOrInt, "SIZE", SizeText(*bytes), help,
             [bytes](std::string_view text, bool) { return Assign(bytes, ParseSize(text)); });
}

Option& OptionTable::AddDuration(std::string_view name, int64_t* ms, std::string_view help) {
  return Add(name, Option::Type::kTextOrInt, "TIME", FormatDurationMs(*ms), help,
             [ms](std::string_view text, bool) { return Assign(ms, ParseDurationMs(text)); });
}

Option& OptionTable::AddMode(std::string_view name, uint32_t* mode, std::string_view help) {
  return Add(name, Option::Type::kText, "MODE", fmt::format("{:03o}", *mode), help,
             [mode](std::string_view text, bool) {
               uint32_t bits = 0;
               const auto [end, error] =
                   std::from_chars(text.data(), text.data() + text.size(), bits, 8);
               const bool whole = error == std::errc() && end == text.data() + text.size();
               if (text.empty() || !whole || bits > 07777) {
                 return Wrong(fmt::format("'{}' is not a mode in octal, like 022 or 1777", text));
               }
               *mode = bits;
               return absl::OkStatus();
             });
}

void OptionTable::AllowSections(std::string_view section,
                                std::map<std::string, std::map<std::string, std::string>>* tables) {
  sections_.push_back({std::string(section), tables});
}

Option* OptionTable::Find(std::string_view name) {
  for (Option& option : options_) {
    if (option.name_ == name) return &option;
  }
  return nullptr;
}

Option* OptionTable::FindShort(char letter) {
  for (Option& option : options_) {
    if (option.short_name_ == letter && letter != 0) return &option;
  }
  return nullptr;
}

absl::Status OptionTable::ReadEnvironment(const GetEnv& get_env) {
  for (Option& option : options_) {
    if (option.command_line_only_) continue;
    const std::string name = option.EnvironmentName();
    const char* text = get_env(name.c_str());
    if (text == nullptr || *text == '\0') continue;
    RETURN_IF_ERROR(option.Set(text, OptionSource::kEnvironment, name));
  }
  return absl::OkStatus();
}

absl::Status OptionTable::Validate() const {
  for (const Option& option : options_) {
    if (!option.check_) continue;
    if (absl::Status status = option.check_(); !status.ok()) {
      return UsageError(fmt::format("{}: {}", option.origin_, MessageOf(status)));
    }
  }
  return absl::OkStatus();
}

std::string OptionTable::Help() const {
  constexpr size_t kLeftWidth = 32;
  std::string text;
  for (const Option& option : options_) {
    if (option.hidden_) continue;
    std::string left = option.short_name_ != 0
                           ? fmt::format("  -{}, --{}", option.short_name_, option.name_)
                           : fmt::format("      --{}", option.name_);
    if (!option.placeholder_.empty()) left += fmt::format(" {}", option.placeholder_);
    // A long one gets a line of its own.
    text += left.size() < kLeftWidth ? fmt::format("{:<{}}", left, kLeftWidth)
                                     : fmt::format("{}\n{:<{}}", left, "", kLeftWidth);
    text += option.help_;
    if (!option.default_text_.empty()) text += fmt::format(" (default {})", option.default_text_);
    text += '\n';
  }
  return text;
}

}  // namespace cairn
