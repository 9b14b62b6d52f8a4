// Does a model compute on this machine what the plain loops compute?
#ifndef TERN_REFERENCE_CHECK_H_
#define TERN_REFERENCE_CHECK_H_

#include <cstddef>

#include <tern/api.h>
#include <tern/model.h>

namespace tern {

// What was compared.
struct ReferenceCheck {
  std::size_t matrices = 0;  // of different shape or type
  std::size_t rows = 0;      // of all of them: 64 each, or as many as it has
  std::size_t outputs = 0;   // in all
  bool head = true;          // false: left out, an untied head that became int8
};

// For every shape and type of matrix in the model, the head as it is stored
// among them, applies one such matrix to random inputs on the path that the
// forward pass takes (same functions, same threads), for one token and for
// many, and compares 64 rows, spread from the first to the last, with plain
// loops.  Ternary layers must give the same bits; dense ones may differ by what
// the order of float additions can make.  The int8 and screened forms of a head
// are not compared here.  Throws Error (kUnsupported) naming the model and the
// first difference.  Time goes with the sizes of single matrices, not with the
// number of layers: about a second, two for the largest models.
TERN_API ReferenceCheck CheckAgainstReference(const Model& model,
                                              int num_threads = 0);

}  // namespace tern

#endif  // TERN_REFERENCE_CHECK_H_
