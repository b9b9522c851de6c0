#include "tests/support/history_log.h"

#include <fstream>
#include <vector>

#include <nlohmann/json.hpp>

namespace cairn::testing {
namespace {

using Json = nlohmann::json;

std::string ToHex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += kDigits[static_cast<uint8_t>(byte) >> 4];
    hex += kDigits[static_cast<uint8_t>(byte) & 15];
  }
  return hex;
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

Json ToJson(const Piece& piece) {
  return Json::array({piece.offset, piece.length, piece.version, ToHex(piece.raw)});
}

Operation ToOperation(const Json& json) {
  Operation op;
  op.id = json.at("id");
  op.client = json.at("client");
  op.action = json.at("action");
  op.path = json.at("path");
  op.to = json.at("to");
  op.version = json.at("version");
  op.length = json.at("length");
  op.overwrite = json.at("overwrite");
  op.recursive = json.at("recursive");
  op.start_us = json.at("start");
  op.end_us = json.at("end");
  op.outcome = json.at("outcome");
  op.refusal = json.at("refusal");
  op.error = json.at("error");
  op.is_directory = json.at("is_directory");
  op.names = json.at("names").get<std::vector<std::string>>();
  op.to_end = json.at("to_end");
  for (const Json& piece : json.at("pieces")) {
    op.pieces.push_back({.offset = piece.at(0),
                         .length = piece.at(1),
                         .version = piece.at(2),
                         .raw = FromHex(piece.at(3))});
  }
  return op;
}

}  // namespace

std::string HistoryLine(const Operation& op) {
  Json json = {{"id", op.id},
               {"client", op.client},
               {"action", op.action},
               {"path", op.path},
               {"to", op.to},
               {"version", op.version},
               {"length", op.length},
               {"overwrite", op.overwrite},
               {"recursive", op.recursive},
               {"start", op.start_us},
               {"end", op.end_us},
               {"outcome", op.outcome},
               {"refusal", op.refusal},
               {"error", op.error},
               {"is_directory", op.is_directory},
               {"names", op.names},
               {"to_end", op.to_end},
               {"pieces", Json::array()}};
  for (const Piece& piece : op.pieces) json["pieces"].push_back(ToJson(piece));
  return json.dump() + "\n";
}

std::string HistoryLine(Version version, uint64_t base, std::pair<int64_t, uint64_t> handed) {
  const Json json = {
      {"handed", version}, {"base", base}, {"time", handed.first}, {"end", handed.second}};
  return json.dump() + "\n";
}

void AddHistoryLines(const std::string& path, Record* record) {
  const size_t first = record->operations.size();
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) continue;
    if (json.contains("handed")) {
      Written& written = record->writes[json.at("handed").get<Version>()];
      written.base = json.at("base");
      written.handed.emplace_back(json.at("time"), json.at("end"));
      continue;
    }
    Operation op = ToOperation(json);
    op.id += first;
    if (op.id >= record->operations.size()) record->operations.resize(op.id + 1);
    record->operations[op.id] = std::move(op);
  }
}

}  // namespace cairn::testing
