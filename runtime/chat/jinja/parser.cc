#include "runtime/chat/jinja/parser.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/chat/jinja/expression_parser.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
namespace {

using Kind = StatementKind;
using Node = std::unique_ptr<Statement>;

class Parser {
 public:
  Parser(std::vector<Lexeme> lexemes, const std::string& place)
      : in_(std::move(lexemes), place) {}

  Block Run() {
    Block block = ParseBlock({});
    if (in_.Peek().kind != LexemeKind::kEnd) {
      in_.Fail("has '" + in_.Peek(1).text + "' that belongs to nothing");
    }
    return block;
  }

 private:
  using Words = std::initializer_list<std::string_view>;

  [[nodiscard]] Node Make(Kind kind) const {
    auto node = std::make_unique<Statement>();
    node->kind = kind;
    node->line = in_.Peek().line;
    return node;
  }

  void ExpectTagEnd() {
    in_.Expect(LexemeKind::kBlockEnd, "the end of the tag");
  }

  // True at {% WORD, one of `words`.
  [[nodiscard]] bool IsTag(Words words) const {
    if (in_.Peek().kind != LexemeKind::kBlockBegin) return false;
    const Lexeme& word = in_.Peek(1);
    return word.kind == LexemeKind::kName &&
           std::find(words.begin(), words.end(), word.text) != words.end();
  }

  // Up to a tag that begins with one of `ends`, which stays.
  Block ParseBlock(Words ends) {
    const ExpressionParser::Level level(in_);
    Block block;
    while (in_.Peek().kind != LexemeKind::kEnd && !IsTag(ends) &&
           !IsTag({"endif", "endfor", "endset", "endmacro", "endgeneration",
                   "else", "elif"})) {
      block.push_back(ParseStatement());
    }
    return block;
  }

  // After the block: {% END %}.
  void TakeEnd(std::string_view end) {
    if (!IsTag({end})) {
      in_.Fail("has no '" + std::string(end) + "' where one has to be");
    }
    in_.Take();
    in_.Take();
    ExpectTagEnd();
  }

  Node ParseStatement() {
    if (in_.Peek().kind == LexemeKind::kText) {
      Node node = Make(Kind::kText);
      node->text = MarkedText::Of(in_.Take().text, kFromTemplate);
      return node;
    }
    if (in_.Peek().kind == LexemeKind::kOutputBegin) {
      in_.Take();
      Node node = Make(Kind::kOutput);
      node->value = in_.ParseExpression(true);
      in_.Expect(LexemeKind::kOutputEnd, "the end of the tag");
      return node;
    }
    in_.Take();  // kBlockBegin: there is nothing else between tags
    return ParseTag();
  }

  Node ParseTag() {
    if (in_.TakeWord("if")) return ParseIf();
    if (in_.TakeWord("for")) return ParseFor();
    if (in_.TakeWord("set")) return ParseSet();
    if (in_.TakeWord("macro")) return ParseMacro();
    if (in_.TakeWord("generation")) return ParseGeneration();
    if (in_.IsWord("break") || in_.IsWord("continue")) return ParseJump();
    in_.FailUnknown("the tag " + files::Quote(in_.ExpectName()));
  }

  Node ParseIf() {
    Node node = Make(Kind::kIf);
    while (true) {
      Branch branch;
      branch.condition = in_.ParseExpression(true);
      ExpectTagEnd();
      branch.body = ParseBlock({"elif", "else", "endif"});
      node->branches.push_back(std::move(branch));
      if (!IsTag({"elif"})) break;
      in_.Take();
      in_.Take();
    }
    ParseElse(node->otherwise);
    TakeEnd("endif");
    return node;
  }

  void ParseElse(Block& otherwise) {
    if (!IsTag({"else"})) return;
    in_.Take();
    in_.Take();
    ExpectTagEnd();
    otherwise = ParseBlock({});
  }

  std::vector<std::string> ParseTargets() {
    const bool in_brackets = in_.TakeOperator("(");
    std::vector<std::string> names = {ExpectTarget()};
    while (in_.TakeOperator(",")) names.push_back(ExpectTarget());
    if (in_brackets) in_.ExpectOperator(")");
    return names;
  }

  // `loop`, or a literal, cannot be assigned to.
  std::string ExpectTarget() {
    static constexpr std::array<std::string_view, 7> kFixed = {
        "true", "false", "none", "True", "False", "None", "loop"};
    std::string name = in_.ExpectName();
    if (std::find(kFixed.begin(), kFixed.end(), name) != kFixed.end()) {
      in_.Fail("assigns to '" + name + "'");
    }
    return name;
  }

  Node ParseFor() {
    Node node = Make(Kind::kFor);
    node->targets = ParseTargets();
    if (!in_.TakeWord("in")) in_.Fail("has a 'for' without 'in'");
    node->value = in_.ParseIterable();
    if (in_.TakeWord("if")) node->condition = in_.ParseExpression();
    if (in_.IsWord("recursive")) in_.FailUnknown("a recursive loop");
    ExpectTagEnd();
    ++loops_;
    node->body = ParseBlock({"else", "endfor"});
    --loops_;
    ParseElse(node->otherwise);
    TakeEnd("endfor");
    return node;
  }

  Node ParseSet() {
    Node node = Make(Kind::kSet);
    node->targets = ParseTargets();
    if (in_.TakeOperator(".")) {
      node->kind = Kind::kSetMember;
      node->targets.push_back(in_.ExpectName());
      if (node->targets.size() != 2) in_.FailUnknown("such an assignment");
    }
    if (in_.TakeOperator("=")) {
      node->value = in_.ParseExpression(true);
      ExpectTagEnd();
      return node;
    }
    if (in_.IsNext(LexemeKind::kOperator, "|")) {
      in_.FailUnknown("a set block with a filter");
    }
    if (node->kind != Kind::kSet || node->targets.size() != 1) {
      in_.FailUnknown("such a set block");
    }
    node->kind = Kind::kSetBlock;
    ExpectTagEnd();
    node->body = ParseBlock({"endset"});
    TakeEnd("endset");
    return node;
  }

  Node ParseMacro() {
    Node node = Make(Kind::kMacro);
    node->name = ExpectTarget();
    in_.ExpectOperator("(");
    while (!in_.TakeOperator(")")) {
      Parameter parameter;
      parameter.name = ExpectTarget();
      if (in_.TakeOperator("=")) {
        parameter.default_value = in_.ParseExpression();
      }
      node->parameters.push_back(std::move(parameter));
      if (!in_.IsNext(LexemeKind::kOperator, ")")) in_.ExpectOperator(",");
    }
    ExpectTagEnd();
    const int loops = std::exchange(loops_, 0);
    node->body = ParseBlock({"endmacro"});
    loops_ = loops;
    TakeEnd("endmacro");
    return node;
  }

  Node ParseGeneration() {
    Node node = Make(Kind::kGeneration);
    ExpectTagEnd();
    node->body = ParseBlock({"endgeneration"});
    TakeEnd("endgeneration");
    return node;
  }

  Node ParseJump() {
    Node node = Make(in_.IsWord("break") ? Kind::kBreak : Kind::kContinue);
    if (loops_ == 0) in_.Fail("has '" + in_.Peek().text + "' outside a loop");
    in_.Take();
    ExpectTagEnd();
    return node;
  }

  ExpressionParser in_;
  int loops_ = 0;  // around here
};

}  // namespace

Block Parse(std::string_view source, const std::string& place) {
  return Parser(CutTemplate(source, place), place).Run();
}

}  // namespace tern::jinja
