// ExpectError: a call throws tern::Error with this code and these words, on one
// line.
#ifndef TERN_TESTS_SUPPORT_EXPECT_ERROR_H_
#define TERN_TESTS_SUPPORT_EXPECT_ERROR_H_

#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include <tern/error.h>

namespace tern {

template <class Call>
void ExpectError(ErrorCode code, std::initializer_list<std::string> words,
                 const Call& call) {
  try {
    call();
    ADD_FAILURE() << "no error, expected: " << *words.begin();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    for (const std::string& word : words) {
      EXPECT_NE(message.find(word), std::string::npos)
          << "'" << word << "' not in: " << message;
    }
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

}  // namespace tern

#endif  // TERN_TESTS_SUPPORT_EXPECT_ERROR_H_
