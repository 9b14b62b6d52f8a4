// I2_S, bitnet.cpp's whole-tensor layout (GGUF type number 36).  Three orders
// of the codes go under that number, with no mark in the file and with bytes
// that look alike; the published files have order A.  See README.md for the
// bytes.
#ifndef TERN_PACKING_I2_S_H_
#define TERN_PACKING_I2_S_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

// rows * cols / 4 of codes, 4 of scale, 28 that mean nothing.
constexpr std::size_t I2SBytes(std::size_t rows, std::size_t cols) {
  return rows * cols / 4 + 32;
}

enum class I2SOrder {
  kA,  // blocks of 128 weights in 32 bytes
  kB,  // blocks of 64 in 16: written on ARM
  kC,  // four rows in a byte: an option of x86 builds
};

// rows * cols must be a multiple of 128 for order A and 64 for B (blocks may
// run over row ends), rows a multiple of 4 for C.  Fault: another shape, wrong
// size, code 3, a scale that is negative or not finite, or 0 over weights that
// are not 0.
MaybeFault UnpackI2S(std::span<const std::uint8_t> bytes, std::size_t rows,
                     std::size_t cols, TernaryMatrix& matrix,
                     I2SOrder order = I2SOrder::kA);

// Writes order A.  Fault: more than one scale, or cols not a multiple of 128
// (files of that kind are read, but other programs' kernels cannot run them).
MaybeFault PackI2S(const TernaryMatrix& matrix,
                   std::vector<std::uint8_t>& bytes);

}  // namespace tern::packing

#endif  // TERN_PACKING_I2_S_H_
