// The expressions of a template, and the list of lexemes that the statements'
// parser reads too.
#ifndef TERN_RUNTIME_CHAT_JINJA_EXPRESSION_PARSER_H_
#define TERN_RUNTIME_CHAT_JINJA_EXPRESSION_PARSER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/chat/jinja/lexer.h"
#include "runtime/chat/jinja/syntax.h"

namespace tern::jinja {

class ExpressionParser {
 public:
  ExpressionParser(std::vector<Lexeme> lexemes, std::string place)
      : lexemes_(std::move(lexemes)), place_(std::move(place)) {}

  // The next lexeme; the last one, kEnd, stays for ever.
  [[nodiscard]] const Lexeme& Peek(std::size_t ahead = 0) const;
  Lexeme Take();
  [[nodiscard]] bool IsNext(LexemeKind kind, std::string_view text) const {
    return Peek().kind == kind && Peek().text == text;
  }
  [[nodiscard]] bool IsWord(std::string_view word) const {
    return IsNext(LexemeKind::kName, word);
  }
  bool TakeWord(std::string_view word);
  bool TakeOperator(std::string_view text);
  void ExpectOperator(std::string_view text);
  std::string ExpectName();
  void Expect(LexemeKind kind, const std::string& what);

  // `a`, `a if b else c`; with `tuples` also `a, b`.
  ExpressionPtr ParseExpression(bool tuples = false);
  // Without a conditional: what a `for` loops over, before its own `if`.
  ExpressionPtr ParseOr();
  // Up to the word `end` and a tuple maybe: `for x in a, b`.
  ExpressionPtr ParseIterable();

  [[noreturn]] void Fail(const std::string& what) const;
  [[noreturn]] void FailUnknown(const std::string& construct) const;

  // One level of nesting, as long as it lives.
  class Level {
   public:
    explicit Level(ExpressionParser& parser);
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --parser_.depth_; }

   private:
    ExpressionParser& parser_;
  };

 private:
  using Node = std::unique_ptr<Expression>;
  // "'endif'", "the end of the tag": for messages.
  [[nodiscard]] std::string ShownNext() const;
  [[nodiscard]] Node Make(ExpressionKind kind, std::string name = "") const;
  // Adds a child, and refuses a tree that gets too deep to walk.
  void Add(Expression& node, ExpressionPtr child) const;
  [[nodiscard]] ExpressionPtr Pair(ExpressionKind kind, std::string name,
                                   ExpressionPtr left,
                                   ExpressionPtr right) const;

  ExpressionPtr ParseAnd();
  ExpressionPtr ParseNot();
  ExpressionPtr ParseCompare();
  ExpressionPtr ParseSum();
  ExpressionPtr ParseConcat();
  ExpressionPtr ParseProduct();
  ExpressionPtr ParseUnary(bool with_filters = true);
  ExpressionPtr ParsePrimary();
  ExpressionPtr ParseName();
  ExpressionPtr ParseString();
  ExpressionPtr ParseNumber();
  ExpressionPtr ParseParentheses();
  ExpressionPtr ParseList();
  ExpressionPtr ParseDict();
  ExpressionPtr ParsePostfix(ExpressionPtr value);
  ExpressionPtr ParseAttribute(ExpressionPtr value);
  ExpressionPtr ParseSubscript(ExpressionPtr value);
  ExpressionPtr ParseCall(ExpressionPtr callee);
  ExpressionPtr ParseFiltersAndTests(ExpressionPtr value);
  ExpressionPtr ParseFilter(ExpressionPtr value);
  ExpressionPtr ParseTest(ExpressionPtr value);
  void ParseArguments(Expression& call);
  std::string TakeComparison();

  std::vector<Lexeme> lexemes_;
  std::string place_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_EXPRESSION_PARSER_H_
