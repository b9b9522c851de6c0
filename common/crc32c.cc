#include "common/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // Castagnoli, bits reversed: x^0 is the top bit
constexpr uint32_t kOne = 0x80000000;

// a * b modulo the polynomial.
uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b & 1) != 0 ? (b >> 1) ^ kPolynomial : b >> 1;  // times x
  }
  return product;
}

}  // namespace

uint32_t Crc32cCombine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b) {
  uint32_t power = 0x00800000;  // x^8: one zero byte; then squared for every bit of the length
  uint32_t shift = kOne;
  for (; length_b != 0; length_b >>= 1) {
    if ((length_b & 1) != 0) shift = Multiply(shift, power);
    power = Multiply(power, power);
  }
  return Multiply(crc_a, shift) ^ crc_b;
}

uint32_t Crc32cExtend(uint32_t crc, std::string_view data) {
  // ISA-L works on the inverted register, takes an int length and does not write through its
  // pointer.
  constexpr size_t kMaxPiece = size_t{1} << 30;
  while (!data.empty()) {
    const size_t size = std::min(data.size(), kMaxPiece);
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(data.data()));
    crc = ~crc32_iscsi(bytes, static_cast<int>(size), ~crc);
    data.remove_prefix(size);
  }
  return crc;
}

}  // namespace cairn
