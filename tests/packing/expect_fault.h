// EXPECT_FAULT(call, words, offset): the call reports a fault whose text
// contains `words`, at that byte.
#ifndef TERN_TESTS_PACKING_EXPECT_FAULT_H_
#define TERN_TESTS_PACKING_EXPECT_FAULT_H_

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "packing/fault.h"

namespace tern::packing {

inline void ExpectFault(const MaybeFault& fault, const std::string& words,
                        std::size_t offset) {
  ASSERT_TRUE(fault.has_value()) << "no fault, expected: " << words;
  EXPECT_NE(fault->what.find(words), std::string::npos) << fault->what;
  EXPECT_EQ(fault->offset, offset) << fault->what;
}

}  // namespace tern::packing

#define EXPECT_FAULT(call, words, offset)              \
  do {                                                 \
    SCOPED_TRACE(#call);                               \
    ::tern::packing::ExpectFault(call, words, offset); \
  } while (false)

#define EXPECT_SOUND(call)                                          \
  do {                                                              \
    const ::tern::packing::MaybeFault fault_of_call = call;         \
    EXPECT_FALSE(fault_of_call.has_value()) << fault_of_call->what; \
  } while (false)

#endif  // TERN_TESTS_PACKING_EXPECT_FAULT_H_
