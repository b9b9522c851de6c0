// The config file's half of OptionTable: the only file that sees toml++.
#include <fmt/format.h>
#include <toml++/toml.h>

#include "common/env.h"
#include "common/options.h"
#include "common/strings.h"

namespace cairn {

// Walks one parsed file and sets the options it names.
class TomlReader {
 public:
  TomlReader(OptionTable& table, const std::string& path) : table_(table), path_(path) {}

  absl::Status Read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      const std::string name(key.str());
      if (node.is_table()) {
        RETURN_IF_ERROR(ReadSection(name, key, *node.as_table()));
      } else {
        RETURN_IF_ERROR(ReadKey(name, key, node));
      }
    }
    return absl::OkStatus();
  }

 private:
  using Type = Option::Type;

  template <typename Located>
  std::string At(const Located& located) const {
    return fmt::format("{}:{}", path_, located.source().begin.line);
  }

  absl::Status ReadKey(const std::string& name, const toml::key& key, const toml::node& node) {
    Option* option = table_.Find(name);
    if (option == nullptr || option->command_line_only_) {
      return UsageError(fmt::format("{}: unknown key '{}'", At(key), name));
    }
    const std::string origin = fmt::format("{}: {}", At(key), name);
    const auto set = [&](std::string_view text) {
      return option->Set(text, OptionSource::kFile, origin);
    };
    switch (option->type_) {
      case Type::kText:
        if (node.is_string()) return set(node.as_string()->get());
        return UsageError(fmt::format("{}: must be a string, in quotes", origin));
      case Type::kList:
        if (node.is_string()) return set(node.as_string()->get());
        if (node.is_array()) return ReadArray(*node.as_array(), origin, set);
        return UsageError(fmt::format("{}: must be a string or an array of strings", origin));
      case Type::kBool:
        if (node.is_boolean()) return set(node.as_boolean()->get() ? "true" : "false");
        return UsageError(fmt::format("{}: must be true or false", origin));
      case Type::kInt:
        if (node.is_integer()) return set(std::to_string(node.as_integer()->get()));
        return UsageError(fmt::format("{}: must be a whole number, without quotes", origin));
      case Type::kDouble:
        if (node.is_integer()) return set(std::to_string(node.as_integer()->get()));
        if (node.is_floating_point())
          return set(fmt::format("{}", node.as_floating_point()->get()));
        return UsageError(fmt::format("{}: must be a number, without quotes", origin));
      case Type::kTextOrInt:
        if (node.is_string()) return set(node.as_string()->get());
        if (node.is_integer()) return set(std::to_string(node.as_integer()->get()));
        return UsageError(fmt::format("{}: must be a string like \"10s\" or \"1M\"", origin));
    }
    return absl::OkStatus();
  }

  template <typename Set>
  absl::Status ReadArray(const toml::array& array, const std::string& origin, const Set& set) {
    RETURN_IF_ERROR(set(""));  // an empty array is an empty list
    for (const toml::node& item : array) {
      if (!item.is_string()) {
        return UsageError(fmt::format("{}: must be a string or an array of strings", origin));
      }
      RETURN_IF_ERROR(set(item.as_string()->get()));
    }
    return absl::OkStatus();
  }

  // [NAME.ENTRY] tables of strings.
  absl::Status ReadSection(const std::string& name, const toml::key& key,
                           const toml::table& section) {
    for (const auto& allowed : table_.sections_) {
      if (allowed.name != name) continue;
      for (const auto& [entry, node] : section) {
        if (!node.is_table()) {
          return UsageError(fmt::format("{}: {}.{}: must be a section [{}.{}]", At(entry), name,
                                        entry.str(), name, entry.str()));
        }
        auto& strings = (*allowed.tables)[std::string(entry.str())];
        for (const auto& [item, value] : *node.as_table()) {
          if (!value.is_string()) {
            return UsageError(
                fmt::format("{}: {}: must be a string, in quotes", At(item), item.str()));
          }
          strings[std::string(item.str())] = value.as_string()->get();
        }
      }
      return absl::OkStatus();
    }
    return UsageError(fmt::format("{}: unknown section '{}'", At(key), name));
  }

  OptionTable& table_;
  const std::string& path_;
};

absl::Status OptionTable::ReadFile(const std::string& path) {
  const absl::StatusOr<std::string> text = NewPosixEnv()->ReadFile(path);
  if (!text.ok()) {
    return UsageError(fmt::format("cannot read the config file {}", MessageOf(text.status())));
  }
  return ReadToml(*text, path);
}

absl::Status OptionTable::ReadToml(std::string_view text, const std::string& path) {
  try {
    return TomlReader(*this, path).Read(toml::parse(text));
  } catch (const toml::parse_error& e) {
    return UsageError(fmt::format("{}:{}: {}", path, e.source().begin.line, e.description()));
  }
}

}  // namespace cairn
