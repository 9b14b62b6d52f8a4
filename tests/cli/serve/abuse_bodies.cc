// Bodies of requests that are no JSON, or ask for what there is not.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cli/serve/abuse.h"
#include "tests/cli/serve/http_client.h"

namespace tern::testing {
namespace {

using Json = nlohmann::json;

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kText = "/v1/completions";
constexpr const char* kVectors = "/v1/embeddings";
constexpr const char* kTokenize = "/tokenize";

Abuse Of(const std::string& path, const std::string& body) {
  return {.bytes = PostBytes(path, body)};
}

std::string Body(const std::string& path) {
  const auto& all = ValidRequests();
  return std::find_if(
             all.begin(), all.end(),
             [&](const ValidRequest& valid) { return path == valid.path; })
      ->body;
}

// Valid but for the text of one member.
Abuse WithMember(const std::string& path, const std::string& name,
                 const std::string& value) {
  Json body = Json::parse(Body(path));
  body.erase(name);
  // `value` may be what no reader takes: so as text.
  const std::string rest = body.empty() ? "}" : "," + body.dump().substr(1);
  return Of(path, "{\"" + name + "\":" + value + rest);
}

Abuse CutJson(Random& random) {
  const ValidRequest& valid = random.OneOf(ValidRequests());
  const std::string body = valid.body;
  return Of(valid.path, body.substr(0, random.Below(body.size())));
}

// Bytes changed, put in or taken out.
std::string Damage(std::string text, std::string_view pool, Random& random) {
  for (std::size_t count = 1 + random.Below(4); count > 0; --count) {
    const std::size_t at = random.Below(text.size());
    const char byte = pool.empty() ? random.Byte() : random.OneOf(pool);
    switch (random.Below(3)) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.insert(at, 1, byte);
        break;
      default:
        if (text.size() > 1) text.erase(at, 1);
    }
  }
  return text;
}

Abuse BrokenJson(Random& random) {
  const ValidRequest& valid = random.OneOf(ValidRequests());
  std::string body;
  do {
    body = Damage(valid.body, "{}[]:,\"\\'0e-.tn/", random);
  } while (Json::accept(body));
  return Of(valid.path, body);
}

Abuse ChangedBytes(Random& random) {
  const ValidRequest& valid = random.OneOf(ValidRequests());
  return Of(valid.path, Damage(valid.body, "", random));
}

Abuse NoUtf8(Random& random) {
  static const std::array<std::string, 9> kBytes = {
      "\xff",         "\x80",     "\xc0\x80",         "\xc3",    "\xe2\x82",
      "\xed\xa0\x80", "\xf0\x9f", "\xf4\x90\x80\x80", "\xf8\x88"};
  const ValidRequest& valid = random.OneOf(ValidRequests());
  std::string body = valid.body;
  return Of(valid.path,
            body.insert(1, "\"user\":\"a" + random.OneOf(kBytes) + "b\","));
}

Abuse NoCharacter(Random& random) {
  static const std::array<std::string, 8> kTexts = {R"(\ud800)",
                                                    R"(\udc00)",
                                                    R"(\ud800\ud800)",
                                                    R"(\udfff\ud800)",
                                                    R"(\u12g4)",
                                                    std::string(1, 0),
                                                    "a\nb",
                                                    R"(\x41)"};
  return WithMember(kTokenize, "content", '"' + random.OneOf(kTexts) + '"');
}

Abuse DeepJson(Random& random) {
  // 64 is allowed, and the object itself is one.
  const std::size_t depth = 64 + random.Below(3000);
  std::string value;
  if (random.Below(2) == 0) {
    value = std::string(depth, '[') + std::string(depth, ']');
  } else {
    for (std::size_t i = 0; i < depth; ++i) value += R"({"a":)";
    value += "1" + std::string(depth, '}');
  }
  const ValidRequest& valid = random.OneOf(ValidRequests());
  return WithMember(valid.path, random.Below(2) == 0 ? "user" : "x", value);
}

Abuse WideJson(Random& random) {
  std::string value = "{";
  if (random.Below(2) == 0) {
    for (int i = 0; i < 1100; ++i) value += '"' + std::to_string(i) + "\":1,";
    value += R"("a":1})";
  } else {
    value = R"({"a":1,"b":2,"\u0061":3})";
  }
  return WithMember(random.OneOf(ValidRequests()).path, "metadata", value);
}

Abuse NoObject(Random& random) {
  static const std::array<const char*, 10> kBodies = {
      "", "null", "true", "7", "\"a\"", "[]", "[{}]", " ", "{}{}", "{} //"};
  return Of(random.OneOf(ValidRequests()).path, random.OneOf(kBodies));
}

Abuse HugeNumber(Random& random) {
  static const std::array<std::string, 5> kNumbers = {
      "1e999", "-1e999", std::string(400, '9'), "-" + std::string(5000, '7'),
      "1e99999999999999999999"};
  const ValidRequest& valid = random.OneOf(ValidRequests());
  return WithMember(valid.path, "seed", random.OneOf(kNumbers));
}

struct Parameter {
  const char* path;
  const char* name;
  std::vector<const char*> values;  // that are wrong
};

Abuse OneWrong(const std::vector<Parameter>& parameters, Random& random) {
  const Parameter& parameter = random.OneOf(parameters);
  Abuse abuse = WithMember(parameter.path, parameter.name,
                           random.OneOf(parameter.values));
  abuse.param = parameter.name;
  return abuse;
}

Abuse WrongType(Random& random) {
  const std::vector<const char*> whole = {"\"1\"", "1.5", "true", "[]", "{}"};
  const std::vector<const char*> real = {"\"1\"", "false", "[1]", "{}"};
  const std::vector<const char*> truth = {"1", "\"true\"", "[]", "{}"};
  const std::vector<const char*> text = {"1", "true", "[\"a\"]", "{}", "0.5"};
  const std::vector<const char*> object = {"1", "\"text\"", "[]", "true"};
  static const std::vector<Parameter> kParameters = {
      {kChat, "max_tokens", whole},
      {kChat, "temperature", real},
      {kChat, "top_p", real},
      {kChat, "presence_penalty", real},
      {kChat, "n", whole},
      {kChat, "seed", whole},
      {kChat, "top_k", whole},
      {kChat, "stream", truth},
      {kChat, "logprobs", truth},
      {kChat, "model", text},
      {kChat, "response_format", object},
      {kChat, "stream_options", object},
      {kChat, "messages", {"1", "{}", "\"a\"", "true"}},
      {kChat, "chat_template_kwargs", object},
      {kText, "frequency_penalty", real},
      {kText, "min_p", real},
      {kText, "repeat_last_n", whole},
      {kText, "echo", truth},
      {kText, "suffix", text},
      {kText, "logprobs", whole},
      {kText, "prompt", {"1", "true", "{}", "[1,\"a\"]", "[null]", "[1.5]"}},
      {kText, "stop", {"1", "{}", "[1]", "true"}},
      {kVectors, "encoding_format", text},
      {kVectors, "dimensions", whole},
      {kVectors, "input", {"1", "{}", "[{}]", "[[\"a\"]]"}},
      {kTokenize, "content", text},
      {kTokenize, "with_pieces", truth},
      {kTokenize, "add_special", truth},
      {"/detokenize", "tokens", {"1", "\"1\"", "{}", "[\"1\"]", "[1,{}]"}}};
  return OneWrong(kParameters, random);
}

Abuse WrongRange(Random& random) {
  static const std::vector<Parameter> kParameters = {
      {kChat, "temperature", {"-0.001", "2.001", "1e308", "-1e308"}},
      {kChat, "top_p", {"-1e-9", "1.0001", "300"}},
      {kChat, "presence_penalty", {"-2.1", "2.1"}},
      {kChat,
       "max_tokens",
       {"0", "-1", "1073741825", "9223372036854775807", "18446744073709551615",
        "-9223372036854775808"}},
      {kChat, "n", {"0", "-1", "129", "4294967297"}},
      {kChat, "seed", {"9223372036854775808", "18446744073709551615"}},
      {kText, "logprobs", {"-1", "21"}},
      {kText, "repeat_penalty", {"0", "-1", "101"}},
      {kText, "repeat_last_n", {"-2", "2147483648"}},
      {kText, "top_k", {"-1", "2147483648"}},
      {kText, "stop", {"\"\"", "[\"a\",\"\"]"}},
      {kText, "prompt", {"[4000000]", "[[1],[18446744073709551615]]"}},
      {kVectors, "dimensions", {"0", "-1", "1", "99999"}},
      {"/detokenize", "tokens", {"[-1]", "[4294967296]"}}};
  return OneWrong(kParameters, random);
}

Abuse UnknownMember(Random& random) {
  const ValidRequest& valid = random.OneOf(ValidRequests());
  std::string name = "x";
  for (std::size_t i = random.Below(300); i > 0; --i) {
    name += static_cast<char>('a' + random.Below(26));
  }
  Abuse abuse = WithMember(valid.path, name, "1");
  abuse.param = name.substr(0, 200);
  return abuse;
}

Abuse UnknownModel(Random& random) {
  const ValidRequest& valid = random.OneOf(ValidRequests());
  Abuse abuse =
      WithMember(valid.path, "model",
                 Json(std::string(random.Below(500), 'm') + "\n\"../x").dump());
  abuse.param = "model";
  return abuse;
}

Abuse BadSchema(Random& random) {
  static const std::array<const char*, 8> kSchemas = {
      R"({"type":"object","patternProperties":{}})",
      R"({"$ref":"#"})",
      R"({"anyOf":[]})",
      R"({"type":"strin"})",
      R"({"enum":[]})",
      R"({"minLength":-1})",
      R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})",
      R"({"$ref":"#/$defs/none"})"};
  Abuse abuse = WithMember(
      random.Below(2) == 0 ? kChat : kText, "response_format",
      std::string(R"({"type":"json_schema","json_schema":{"schema":)") +
          random.OneOf(kSchemas) + "}}");
  abuse.param = "response_format";
  return abuse;
}

Abuse LongPrompt(Random& random) {
  std::string text;
  for (std::size_t i = 0; i < kAbuseContext + random.Below(3000); ++i) {
    text += "word ";
  }
  return random.Below(2) == 0
             ? Of(kText, Json{{"prompt", text}, {"max_tokens", 1}}.dump())
             : Of(kVectors, Json{{"input", text}}.dump());
}

// Any value in any place, which some of them may have.
Json AnyValue(Random& random) {
  static const std::vector<Json> kValues = {
      nullptr,
      true,
      false,
      0,
      -1,
      1,
      2,
      0.5,
      1e308,
      -1e308,
      UINT64_MAX,
      INT64_MIN,
      "",
      "x",
      std::string(1, 0),
      std::string(3000, 'y'),
      "<|endoftext|>",
      "text",
      "json_object",
      Json::array(),
      Json::object(),
      Json::array({nullptr}),
      Json::array({Json::array()}),
      Json::array({1, 2, 3}),
      Json::array({"a", "b"}),
      Json::array({Json::object()}),
      {{"type", "text"}},
      {{"role", "user"}},
      {{"type", "json_schema"}, {"json_schema", {{"schema", true}}}}};
  return random.OneOf(kValues);
}

Abuse AnyValueAnywhere(Random& random) {
  const ValidRequest& valid = random.OneOf(ValidRequests());
  const Json body = Json::parse(valid.body);
  Json flat = body.flatten();
  auto place = flat.begin();
  std::advance(place, random.Below(flat.size()));
  // The leaf, or what is around it.
  Json::json_pointer pointer(place.key());
  Json changed = body;
  if (pointer.parent_pointer() != Json::json_pointer() &&
      random.Below(2) == 0) {
    pointer = pointer.parent_pointer();
  }
  changed[pointer] = AnyValue(random);
  return Of(valid.path, changed.dump());
}

}  // namespace

const std::vector<ValidRequest>& ValidRequests() {
  static const std::vector<ValidRequest> requests = {
      {kChat, R"({"messages":[{"role":"system","content":"Be brief."},
        {"role":"user","content":[{"type":"text","text":"Hi."}]}],
        "max_tokens":1,"temperature":0.5,"top_p":0.9,"stop":["a","b"],"n":1,
        "stream":false,"response_format":{"type":"text"},"seed":3})"},
      {kText, R"({"prompt":"Once upon","max_tokens":1,"temperature":0,"n":2,
        "logprobs":2,"stop":"z","seed":-4,"presence_penalty":0.1})"},
      {kText, R"({"prompt":[[1,2,3],[4]],"max_tokens":2,"stream":true,
        "temperature":0,"echo":true,"stream_options":{"include_usage":true}})"},
      {kVectors, R"({"input":["a","b"],"encoding_format":"float"})"},
      {kTokenize, R"({"content":"The sea.","with_pieces":true})"},
      {"/detokenize", R"({"tokens":[1,2,3]})"}};
  return requests;
}

std::vector<AbuseKind> BodyAbuses() {
  const std::vector<int> bad = {400};
  const std::vector<int> any = {200, 400, 404};
  return {{"JSON cut off", 3, bad, After::kKept, CutJson},
          {"broken JSON", 5, bad, After::kKept, BrokenJson},
          {"bytes changed", 5, any, After::kKept, ChangedBytes},
          {"no UTF-8", 3, bad, After::kKept, NoUtf8},
          {"no character", 1, bad, After::kKept, NoCharacter},
          {"deep", 3, bad, After::kKept, DeepJson},
          {"wide, or a name twice", 2, bad, After::kKept, WideJson},
          {"no object", 2, bad, After::kKept, NoObject},
          {"huge number", 3, bad, After::kKept, HugeNumber},
          {"wrong type", 6, bad, After::kKept, WrongType},
          {"wrong range", 5, bad, After::kKept, WrongRange},
          {"unknown member", 4, bad, After::kKept, UnknownMember},
          {"unknown model", 2, {404}, After::kKept, UnknownModel},
          {"no such schema", 2, bad, After::kKept, BadSchema},
          {"prompt too long", 1, bad, After::kKept, LongPrompt},
          {"any value anywhere", 8, any, After::kKept, AnyValueAnywhere}};
}

}  // namespace tern::testing
