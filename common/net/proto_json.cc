#include "common/net/proto_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>

#include <nlohmann/json.hpp>

#include "common/strings.h"

namespace cairn {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Json = nlohmann::ordered_json;

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Json FromString(const FieldDescriptor& field, const std::string& value) {
  return field.type() == FieldDescriptor::TYPE_BYTES ? Json(HexEncode(value)) : Json(value);
}

Json FromDouble(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json SingleValue(const Message& message, const Reflection& reflection,
                 const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return FromDouble(reflection.GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return FromDouble(reflection.GetFloat(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return LowerCase(reflection.GetEnum(message, field)->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return FromString(*field, reflection.GetString(message, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (!reflection.HasField(message, field)) return nullptr;
      return ProtoToJson(reflection.GetMessage(message, field));
  }
  return nullptr;
}

Json RepeatedValue(const Message& message, const Reflection& reflection,
                   const FieldDescriptor* field, int index) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetRepeatedInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetRepeatedInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetRepeatedUInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetRepeatedUInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return FromDouble(reflection.GetRepeatedDouble(message, field, index));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return FromDouble(reflection.GetRepeatedFloat(message, field, index));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetRepeatedBool(message, field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return LowerCase(reflection.GetRepeatedEnum(message, field, index)->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return FromString(*field, reflection.GetRepeatedString(message, field, index));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ProtoToJson(reflection.GetRepeatedMessage(message, field, index));
  }
  return nullptr;
}

}  // namespace

Json ProtoToJson(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  Json out = Json::object();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    Json& value = out[field->name()];
    if (!field->is_repeated()) {
      value = SingleValue(message, reflection, field);
      continue;
    }
    value = Json::array();
    const int size = reflection.FieldSize(message, field);
    for (int item = 0; item < size; ++item) {
      value.push_back(RepeatedValue(message, reflection, field, item));
    }
  }
  return out;
}

std::string ProtoToJsonText(const Message& message, bool indented) {
  return JsonText(ProtoToJson(message), indented);
}

std::string JsonText(const Json& json, bool indented) {
  return json.dump(indented ? 2 : -1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cairn
