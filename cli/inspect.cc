// `tern inspect`: what a model file holds, and whether it is sound.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <tern/inspect.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/options.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

struct Rows {
  std::vector<std::vector<std::string>> rows;
  std::vector<bool> right;  // which columns are set flush right
};

// Columns as wide as their widest cell, two spaces apart.
std::string Table(const Rows& table) {
  std::vector<std::size_t> widths(table.right.size(), 0);
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string out;
  for (const auto& row : table.rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - row[i].size(), ' ');
      line += "  ";
      line += table.right[i] ? pad + row[i] : row[i] + pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

// The shortest digits that give the same float back, without an exponent for
// numbers of an ordinary size.
std::string Shortest(float value) {
  const float size = std::abs(value);
  const bool ordinary = size >= 1e-3F && size < 1e9F;
  std::string text(64, '\0');
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                 ordinary ? std::chars_format::fixed
                                          : std::chars_format::general)
                       .ptr;
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

// The double with the same shortest digits, so that JSON shows 1e-05 and not
// 9.999999747378752e-06; rounded to float it is the same number.
double ShortestDouble(float value) { return std::stod(Shortest(value)); }

std::string ActivationName(Activation activation) {
  switch (activation) {
    case Activation::kSquaredRelu:
      return "squared ReLU";
    case Activation::kSilu:
      return "SiLU";
  }
  return "unknown";
}

std::string InputTypeName(InputType type) {
  return type == InputType::kInt8 ? "int8 per token" : "not quantised";
}

// Name and value of each hyperparameter, as --json spells them.
Json ConfigJson(const ModelConfig& c) {
  return {{"architecture", c.architecture},
          {"name", c.name},
          {"activation", ActivationName(c.activation)},
          {"inputs_of_ternary_layers", InputTypeName(c.input_type)},
          {"sub_norms", c.sub_norms},
          {"head_norms", c.head_norms},
          {"projection_norms", c.projection_norms},
          {"hidden_size", c.hidden_size},
          {"num_layers", c.num_layers},
          {"ffn_size", c.ffn_size},
          {"num_heads", c.num_heads},
          {"num_kv_heads", c.num_kv_heads},
          {"head_dim", c.head_dim},
          {"vocab_size", c.vocab_size},
          {"max_context", c.max_context},
          {"rope_theta", ShortestDouble(c.rope_theta)},
          {"rope_scaled", !c.rope_frequencies.empty()},
          {"norm_eps", ShortestDouble(c.norm_eps)},
          {"tied_head", c.tied_head},
          {"ternary_head", c.ternary_head}};
}

std::uint64_t TotalBytes(const MemoryReport& m) {
  return m.ternary_bytes + m.dense_bytes + m.embedding_bytes + m.norm_bytes +
         m.cache_bytes + m.scratch_bytes;
}

Json MemoryJson(const MemoryReport& m) {
  return {{"context_length", m.context_length},
          {"ternary_bytes", m.ternary_bytes},
          {"dense_bytes", m.dense_bytes},
          {"embedding_bytes", m.embedding_bytes},
          {"norm_bytes", m.norm_bytes},
          {"cache_bytes", m.cache_bytes},
          {"scratch_bytes", m.scratch_bytes},
          {"total_bytes", TotalBytes(m)}};
}

Json TensorJson(const TensorReport& t) {
  Json json = {{"name", t.name},   {"type", t.type}, {"shape", t.shape},
               {"bytes", t.bytes}, {"file", t.file}, {"offset", t.offset}};
  if (!t.verdict.empty()) json["verdict"] = t.verdict;
  if (t.is_ternary) {
    json.update({{"scale_min", ShortestDouble(t.scale_min)},
                 {"scale_max", ShortestDouble(t.scale_max)},
                 {"share_minus", t.share_minus},
                 {"share_zero", t.share_zero},
                 {"share_plus", t.share_plus}});
  }
  return json;
}

Json ReportJson(const ModelReport& report, const std::string& path) {
  Json metadata = Json::object();
  for (const auto& [key, value] : report.metadata) metadata[key] = value;
  Json tensors = Json::array();
  for (const TensorReport& tensor : report.tensors) {
    tensors.push_back(TensorJson(tensor));
  }
  return {{"file", path},
          {"format", report.format},
          {"config", report.config ? ConfigJson(*report.config) : Json()},
          {"tokenizer", report.tokenizer},
          {"chat_template", report.chat_template},
          {"metadata", metadata},
          {"tensors", tensors},
          {"memory", report.memory ? MemoryJson(*report.memory) : Json()},
          {"problems", report.problems},
          {"warnings", report.warnings},
          {"inferred", report.inferred},
          {"runs", report.runs},
          {"verdict", report.verdict}};
}

// Text of a JSON value: strings without quotes.
std::string Plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return Shortest(value.get<float>());
  return value.dump();
}

std::string Members(const Json& object) {
  Rows table{{}, {false, false}};
  for (const auto& [key, value] : object.items()) {
    table.rows.push_back({key, EscapePiece(Plain(value))});
  }
  return Table(table);
}

std::string ShapeText(const std::vector<std::uint64_t>& shape) {
  std::string out;
  for (const std::uint64_t size : shape) {
    out += (out.empty() ? "" : " x ") + std::to_string(size);
  }
  return out;
}

std::string TensorTable(const std::vector<TensorReport>& tensors) {
  Rows table{{}, {false, false, true, true, true, true, true, true}};
  table.rows.push_back(
      {"name", "type", "shape", "bytes", "scale", "-1 %", "0 %", "+1 %"});
  for (const TensorReport& t : tensors) {
    std::vector<std::string> row = {t.name, t.type, ShapeText(t.shape),
                                    std::to_string(t.bytes)};
    if (t.is_ternary) {
      const std::string low = Shortest(t.scale_min);
      const std::string high = Shortest(t.scale_max);
      std::string scale = low;
      if (low != high) scale.append(" .. ").append(high);
      row.insert(row.end(),
                 {scale, Fixed(100 * t.share_minus, 2),
                  Fixed(100 * t.share_zero, 2), Fixed(100 * t.share_plus, 2)});
    }
    table.rows.push_back(std::move(row));
  }
  return Table(table);
}

// Those of which there is something to say beyond the table.
std::string VerdictTable(const std::vector<TensorReport>& tensors) {
  Rows table{{}, {false, false}};
  for (const TensorReport& t : tensors) {
    if (!t.verdict.empty()) {
      table.rows.push_back({EscapePiece(t.name), EscapePiece(t.verdict)});
    }
  }
  return table.rows.empty() ? "" : "\nsizes and types\n" + Table(table);
}

// A title, and a line each; nothing if there are none.
std::string List(const std::string& title,
                 const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string out = "\n" + title + " (" + std::to_string(lines.size()) + ")\n";
  for (const std::string& line : lines) {
    out += "  " + EscapeControls(line) + "\n";
  }
  return out;
}

std::string MemoryTable(const MemoryReport& m) {
  const auto row = [](const char* what, std::uint64_t bytes) {
    return std::vector<std::string>{what, HumanBytes(bytes)};
  };
  return Table(
      {{row("ternary weights", m.ternary_bytes),
        row("other linear layers", m.dense_bytes),
        row("embedding and head", m.embedding_bytes),
        row("norms", m.norm_bytes), row("key/value cache", m.cache_bytes),
        row("working memory", m.scratch_bytes), row("together", TotalBytes(m))},
       {false, true}});
}

std::string ReportText(const ModelReport& report, const std::string& path) {
  std::string out = EscapeControls(path) + ": " + report.format + "\n";
  if (report.config) out += "\nmodel\n" + Members(ConfigJson(*report.config));
  out += "\ntokenizer\n  " + report.tokenizer + "\n\nchat template\n  " +
         EscapeControls(report.chat_template) + "\n\nmetadata\n";
  Rows metadata{{}, {false, false}};
  for (const auto& [key, value] : report.metadata) {
    metadata.rows.push_back({EscapePiece(key), EscapePiece(value)});
  }
  out += Table(metadata) + "\ntensors (" +
         std::to_string(report.tensors.size()) + ")\n" +
         TensorTable(report.tensors) + VerdictTable(report.tensors);
  if (report.memory) {
    out += "\nmemory for " + std::to_string(report.memory->context_length) +
           " positions\n" + MemoryTable(*report.memory);
  }
  out += List("not in the file, so tern takes", report.inferred) +
         List("warnings", report.warnings) + List("problems", report.problems);
  if (report.problems.empty()) out += "\nno problems found\n";
  return out + "\n" + EscapeControls(report.verdict) + "\n";
}

}  // namespace

int InspectModel(const Arguments& arguments) {
  std::vector<std::string> words;
  std::string model;
  std::optional<std::size_t> context;
  InspectOptions options;
  bool json = false;
  CommandLine line(
      {"tern inspect [options] [PATH]",
       "Tells what a model file holds: architecture, hyperparameters, "
       "tokenizer, every\ntensor with type, shape, bytes, scale and the shares "
       "of -1, 0 and +1, the memory\nthat running it takes, every check that "
       "failed, and what tern would do with\nthe file; status 1 if a check "
       "failed.",
       "  tern inspect model.gguf --ctx 2048 --kv q8"});
  AddModelOption(line.options(), &model);
  AddContextOption(
      line.options(), &context,
      "positions, for the memory table (default: the model's own)");
  AddKvOption(line.options(), &options.kv_type);
  FormatOptions format;
  AddFormatOptions(line.options(), &format);
  line.options().add_options()("json", po::bool_switch(&json),
                               "print one JSON document");
  line.TakeWords(1, &words);
  if (!line.Parse(arguments)) return kDone;
  if (!words.empty() && !model.empty()) {
    throw UsageError("--model: cannot be combined with '" + words[0] + "'");
  }
  if (!words.empty()) RefuseEmptyName(words[0], "PATH");
  options.context_length = context.value_or(0);
  options.input_type = format.input_type;
  options.i2s_layout = format.i2s_layout.value_or(I2SLayout::kA);
  const std::string path =
      ChooseModel(words.empty() ? model : words[0]).string();
  const ModelReport report = Inspect(path, options);
  if (report.config) CheckContext(context, *report.config);
  WriteResult(json ? DumpJson(ReportJson(report, path))
                   : ReportText(report, path));
  for (const std::string& problem : report.problems) {
    Note("tern: " + problem);
  }
  return report.problems.empty() ? kDone : kFailed;
}

}  // namespace tern::cli
