// The one table of a program's options: each has a name, a type, a default, a unit and a help text.
//
// Why: every flag of Cairn is at once a command-line flag, an environment variable and a key in a
// TOML file, and its help must never lie. An option is declared once, bound to a variable that
// holds its default:
//     OptionTable table;
//     table.AddDuration("dead-after", &config.dead_after_ms, "a DataNode this long silent is
//     dead"); table.AddString("superuser", &config.superuser, "...").Value("USER");
// Precedence: command line, then CAIRN_DEAD_AFTER, then `dead-after = "60s"` in the file, then the
// default. Wrong usage is INVALID_ARGUMENT with ErrorKind::kUsage and one line that names file,
// line and key. The command line itself is read by common/command_line.h. Not thread-safe: used
// before threads start.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace cairn {

// Where an option's value came from, weakest first.
enum class OptionSource { kDefault = 0, kFile, kEnvironment, kCommandLine };

// INVALID_ARGUMENT with kUsage: programs end with exit status 2.
absl::Status UsageError(std::string_view message);

class Option {
 public:
  // Modifiers, used where the option is declared.
  Option& Short(char letter);                   // -r; command line only
  Option& Value(std::string_view placeholder);  // how --help names the value: HOST:PORT
  Option& Default(
      std::string_view text);  // how --help names the default, if the value itself would not tell
  Option& Check(
      std::function<absl::Status()> check);  // of the bound variable, after every source was read
  Option& CommandLineOnly();                 // neither in the environment nor in a file
  Option& Hidden();                          // not in --help

  const std::string& name() const { return name_; }
  char short_name() const { return short_name_; }
  bool is_flag() const { return type_ == Type::kBool; }  // takes no value on the command line
  bool is_hidden() const { return hidden_; }
  bool is_set() const { return source_ != OptionSource::kDefault; }
  OptionSource source() const { return source_; }
  std::string EnvironmentName() const;  // CAIRN_DEAD_AFTER

  // Takes `text` from `source`; `origin` is for messages ("--replication", "cairn.toml:3:
  // replication"). Sources come weakest first, so that a wrong value is an error even where a
  // stronger source overrides it. Lists grow within one.
  absl::Status Set(std::string_view text, OptionSource source, std::string origin);

 private:
  friend class OptionTable;
  friend class TomlReader;
  using Parser = std::function<absl::Status(std::string_view text, bool first)>;
  enum class Type { kText, kList, kBool, kInt, kDouble, kTextOrInt };  // as TOML has types

  std::string name_;
  char short_name_ = 0;
  Type type_ = Type::kText;
  bool command_line_only_ = false;
  bool hidden_ = false;
  std::string placeholder_;
  std::string default_text_;
  std::string help_;
  Parser parse_;
  std::function<absl::Status()> check_;
  OptionSource source_ = OptionSource::kDefault;
  std::string origin_;
};

class OptionTable {
 public:
  OptionTable() = default;
  OptionTable(const OptionTable&) = delete;
  OptionTable& operator=(const OptionTable&) = delete;

  // The bound variable holds the default now and must outlive the table's use. Names are lower-case
  // with dashes.
  Option& AddString(std::string_view name, std::string* value, std::string_view help);
  Option& AddChoice(std::string_view name, std::string* value, std::vector<std::string> choices,
                    std::string_view help);
  // Comma-separated; a TOML array of strings; the flag may be repeated.
  Option& AddList(std::string_view name, std::vector<std::string>* value, std::string_view help);
  Option& AddBool(std::string_view name, bool* value, std::string_view help);
  Option& AddInt(std::string_view name, int64_t* value, int64_t min, int64_t max,
                 std::string_view help);
  // A count: an int with an optional decimal suffix K, M or G (1M is 1000000).
  Option& AddCount(std::string_view name, uint64_t* value, std::string_view help);
  Option& AddDouble(std::string_view name, double* value, double min, double max,
                    std::string_view help);
  Option& AddSize(std::string_view name, uint64_t* bytes, std::string_view help);
  Option& AddDuration(std::string_view name, int64_t* ms, std::string_view help);
  // Permission bits in octal: 022, 1777.
  Option& AddMode(std::string_view name, uint32_t* mode, std::string_view help);

  // Lets a config file have [SECTION.NAME] tables of strings, kept in (*tables)[NAME][key]; other
  // sections are errors.
  void AllowSections(std::string_view section,
                     std::map<std::string, std::map<std::string, std::string>>* tables);

  Option* Find(std::string_view name);
  Option* FindShort(char letter);

  using GetEnv = std::function<const char*(const char* name)>;
  absl::Status ReadEnvironment(const GetEnv& get_env);
  // Reads TOML. `path` is for messages ("PATH:LINE: ...") in ReadToml.
  absl::Status ReadFile(const std::string& path);
  absl::Status ReadToml(std::string_view text, const std::string& path);
  // Runs every option's Check: last.
  absl::Status Validate() const;

  const std::deque<Option>& all() const { return options_; }  // as they were added

  // One line an option: "  -r, --replication N   help (default 3)".
  std::string Help() const;

 private:
  friend class TomlReader;
  struct Sections {
    std::string name;
    std::map<std::string, std::map<std::string, std::string>>* tables;
  };

  Option& Add(std::string_view name, Option::Type type, std::string_view placeholder,
              std::string default_text, std::string_view help, Option::Parser parse);

  std::deque<Option> options_;  // addresses are stable
  std::vector<Sections> sections_;
};

}  // namespace cairn
