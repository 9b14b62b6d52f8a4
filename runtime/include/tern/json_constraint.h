// Constraints whose texts are JSON: any value, any object, or what a JSON
// Schema describes.  A token is allowed if the text so far and its bytes begin
// a valid document; tokens that end the text are allowed when the document is
// complete, and then nothing else is.
//
//   const tern::JsonConstraints json(model->tokenizer());   // once
//   request.constraint = json.Schema(R"({"type": "object", ...})");
//   // or, with a Session:
//   const auto constraint = json.Object();
//   token = session.Next(sampler, *constraint);
//
// White space: none before the document or after it, and at most 20 characters
// between two of its parts, so that no model fills a text with it.  Strings are
// valid UTF-8.  Whole numbers and fractions have at most 18 digits, exponents
// two, so that every reader holds them.  Nesting is at most 32 deep.
//
// What a schema, an object, may say (draft 2020-12):
//
// type, a name or an array of names.
// enum, const: any JSON values, written without white space; beside them only
//   type restricts.
// anyOf; $ref to "#", "#/$defs/NAME" or "#/definitions/NAME": nothing beside
//   them restricts.
// properties, required, additionalProperties: properties come in the order in
//   which the schema lists them, each once, and after them additional ones
//   under other names, which are written without escapes.  A name that is
//   required must be listed.
// items, minItems, maxItems.
// minLength, maxLength: in characters (code points); \uXXXX is one.
// title, description, default, examples, $schema, $id, $comment, $defs,
//   definitions, deprecated, readOnly, writeOnly: say nothing about what is
//   valid.
//
// Everything else is refused by name, never ignored.
//
// Limits, so that neither a schema nor a text under it takes long: a schema has
// at most 256 KiB of JSON, 2000 parts (schemas, and values of enum and const),
// 128 KiB of names and of such values, objects of up to 1024 members, counts up
// to 10000, and anyOf's that lead, with those within them, to at most 256
// schemas other than enum and const; what is beyond them is refused with the
// limit.  Reading one takes up to 10 ms, and a mask for 128256 tokens up to 25
// ms (in a thread of a virtual Zen 4 server; within strings that are as free as
// those before, which most of a text is, 0.2 ms).
//
// Where a text can be read in very many ways (arrays within arrays, each of two
// schemas that cannot be told apart yet), about the first 256 of them are
// followed; and where it would take too long to look at the whole vocabulary,
// tokens of several bytes may be left out, but none of one.  What comes out
// satisfies the schema still.
#ifndef TERN_JSON_CONSTRAINT_H_
#define TERN_JSON_CONSTRAINT_H_

#include <memory>
#include <string_view>

#include <tern/api.h>
#include <tern/constraint.h>
#include <tern/tokenizer.h>

namespace tern {

// Makes constraints for one tokenizer.  Any thread may use one, at any time;
// what it makes may outlive it, and the tokenizer.
class TERN_API JsonConstraints {
 public:
  // Sorts the tokens by their bytes: about 0.1 s for 128256.
  explicit JsonConstraints(const Tokenizer& tokenizer);
  JsonConstraints(JsonConstraints&&) noexcept;
  JsonConstraints& operator=(JsonConstraints&&) noexcept;
  JsonConstraints(const JsonConstraints&) = delete;
  JsonConstraints& operator=(const JsonConstraints&) = delete;
  ~JsonConstraints();

  // Any JSON value; any JSON object.
  [[nodiscard]] std::shared_ptr<TokenConstraint> Value() const;
  [[nodiscard]] std::shared_ptr<TokenConstraint> Object() const;
  // What the schema, a JSON text, describes.  Throws Error: kMalformed if it is
  // no JSON or no schema, kUnsupported for a keyword or a value of one that is
  // not in the list above, kInvalidArgument if nothing could satisfy it.
  [[nodiscard]] std::shared_ptr<TokenConstraint> Schema(
      std::string_view schema) const;

 private:
  class TERN_PRIVATE Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace tern

#endif  // TERN_JSON_CONSTRAINT_H_
