// Does a model compute on this machine what the plain loops compute?
#ifndef TERN_REFERENCE_CHECK_H_
#define TERN_REFERENCE_CHECK_H_

#include <cstddef>

#include <tern/model.h>

namespace tern {

// What was compared.
struct ReferenceCheck {
  std::size_t matrices = 0;  // of different shape or type
  std::size_t rows = 0;      // of all of them: 64 each, or as many as it has
  std::size_t outputs = 0;   // in all
};

// For every shape and type of matrix in the model, the head among them, applies
// one such matrix to random inputs on the path that the forward pass takes
// (same functions, same threads), for one token and for many, and compares 64
// rows, spread from the first to the last, with plain loops
//  Ternary layers must give the same bits; dense
// ones may differ by what the order of float additions can make.  Throws Error
// (kUnsupported) naming the first difference.  A second or two for the largest
// models; about one second a billion weights.
ReferenceCheck CheckAgainstReference(const Model& model, int num_threads = 0);

}  // namespace tern

#endif  // TERN_REFERENCE_CHECK_H_
