#include "namenode/namespace/name_pool.h"

namespace cairn::namenode {

NameRef NamePool::Add(std::string_view name, INodeId id) {
  const size_t steps = ClassOf(name.size());
  const size_t bytes = steps * kStep;
  SizeClass& size_class = classes_[steps];
  unsigned char* record = size_class.free;
  if (record != nullptr) {
    std::memcpy(&size_class.free, record, sizeof(size_class.free));
  } else {
    if (static_cast<size_t>(size_class.end - size_class.next) < bytes) {
      slabs_.emplace_back(new unsigned char[kSlabBytes]);
      size_class.next = slabs_.back().get();
      size_class.end = size_class.next + kSlabBytes;
    }
    record = size_class.next;
    size_class.next += bytes;
  }
  const uint64_t head = (id << 8) | name.size();
  std::memcpy(record, &head, sizeof(head));
  if (!name.empty()) std::memcpy(record + NameRef::kHeadBytes, name.data(), name.size());
  ++size_;
  return NameRef(record);
}

void NamePool::Remove(NameRef name) {
  SizeClass& size_class = classes_[ClassOf(name.name().size())];
  auto* record = const_cast<unsigned char*>(name.record());
  std::memcpy(record, &size_class.free, sizeof(size_class.free));
  size_class.free = record;
  --size_;
}

}  // namespace cairn::namenode
