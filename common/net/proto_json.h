// Any protobuf message as JSON: the one form behind `--json` and the web API.
//
// Why not protobuf's own JSON: that writes 64-bit numbers as strings, renames fields and leaves out
// defaults; scripts want numbers as numbers and every field always there. Fields keep the names and
// the order of the .proto. Messages that are not set are null, enums their names in lower case,
// bytes lower-case hex, numbers that are not finite null. Pure functions, thread-safe.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace cairn {

nlohmann::ordered_json ProtoToJson(const google::protobuf::Message& message);

// As text: indented by two blanks, or on one line; bytes that are not UTF-8 become U+FFFD.
std::string ProtoToJsonText(const google::protobuf::Message& message, bool indented = true);
std::string JsonText(const nlohmann::ordered_json& json, bool indented = true);

}  // namespace cairn
