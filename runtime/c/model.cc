// Models, their tokenizers and chat templates for C.
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/c/boundary.h"

namespace tern::c {
namespace {

constexpr tern_model_options kModelDefaults = TERN_MODEL_OPTIONS_INIT;
// No padding at the end (boundary.h, Read).
static_assert(offsetof(tern_model_options, progress_data) +
                  sizeof(tern_model_options::progress_data) ==
              sizeof(tern_model_options));

// A number of an enumeration of C (its structs hold ints, since an enum that
// holds no number of its own is undefined in C++) as that of C++, or an Error.
template <class Enum>
Enum Known(const char* function, int value, int count, const char* member) {
  if (value < 0 || value >= count) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string(function) + ": " + member + " is " +
                    std::to_string(value) + "; it goes from 0 to " +
                    std::to_string(count - 1));
  }
  return static_cast<Enum>(value);
}

LoadOptions ToLoadOptions(const char* function,
                          const tern_model_options& options) {
  LoadOptions load;
  switch (
      Known<tern_input_type>(function, options.input_type, 3, "input_type")) {
    case TERN_INPUT_AUTO:
      break;
    case TERN_INPUT_INT8:
      load.input_type = InputType::kInt8;
      break;
    case TERN_INPUT_FLOAT:
      load.input_type = InputType::kFloat;
      break;
  }
  load.i2s_layout =
      Known<I2SLayout>(function, options.i2s_layout, 3, "i2s_layout");
  load.head = Known<HeadForm>(function, options.head, 4, "head");
  load.num_threads =
      Known<int>(function, options.num_threads, 4097, "num_threads");
  if (options.progress == nullptr) return load;
  load.progress = [options, function](double fraction) {
    if (options.progress(fraction, options.progress_data) == 0) return;
    throw Error(ErrorCode::kCancelled,
                std::string(function) + ": cancelled by its progress callback");
  };
  return load;
}

unsigned KnownFlags(const char* function, unsigned flags, unsigned known) {
  if ((flags & ~known) == 0) return flags;
  throw Error(ErrorCode::kInvalidArgument,
              std::string(function) + ": flags " + std::to_string(flags) +
                  " have bits that this library does not know; use those of "
                  "its tern.h");
}

// A question about a token whose answer needs no error.
template <class Answer>
int Ask(const tern_model* model, const Answer& answer) noexcept {
  if (model == nullptr || !model->model->has_tokenizer()) return 0;
  try {
    return answer(model->model->tokenizer()) ? 1 : 0;
  } catch (...) {  // no such id
    return 0;
  }
}

std::optional<bool> Thinking(unsigned flags) {
  if ((flags & TERN_CHAT_THINKING) != 0) return true;
  if ((flags & TERN_CHAT_NO_THINKING) != 0) return false;
  return std::nullopt;
}

}  // namespace
}  // namespace tern::c

// NOLINTBEGIN(readability-identifier-naming, readability-function-size): names
// and numbers of parameters are C's.

using tern::c::Give;
using tern::c::Guarded;
using tern::c::RequireAll;

tern_status tern_model_load(const char* path, const tern_model_options* options,
                            tern_model** model) {
  return Guarded([&] {
    RequireAll("tern_model_load", path, model);
    const tern_model_options all =
        tern::c::Read("tern_model_load", options, tern::c::kModelDefaults);
    auto loaded = std::make_unique<tern_model>();
    loaded->model =
        tern::Model::Load(path, tern::c::ToLoadOptions("tern_model_load", all));
    loaded->description = loaded->model->Describe();
    *model = loaded.release();
  });
}

void tern_model_free(tern_model* model) { delete model; }

tern_status tern_model_get_info(const tern_model* model,
                                tern_model_info* info) {
  return Guarded([&] {
    RequireAll("tern_model_get_info", model, info);
    const tern::ModelConfig& config = model->model->config();
    const tern_model_info all = {info->size,
                                 config.architecture.c_str(),
                                 config.name.c_str(),
                                 model->description.c_str(),
                                 config.vocab_size,
                                 config.max_context,
                                 config.num_layers,
                                 config.hidden_size,
                                 model->model->weights_bytes(),
                                 model->model->bytes_per_token(),
                                 model->model->has_tokenizer() ? 1 : 0};
    if (info->size < sizeof(info->size)) {
      throw tern::Error(tern::ErrorCode::kInvalidArgument,
                        "tern_model_get_info: info->size is not set; set it "
                        "to sizeof(tern_model_info)");
    }
    std::memcpy(info, &all, std::min(info->size, sizeof(all)));
  });
}

uint64_t tern_model_fingerprint(const tern_model* model) {
  return model == nullptr ? 0 : model->model->fingerprint();
}

tern_status tern_encode(const tern_model* model, const char* text,
                        size_t text_size, unsigned flags, tern_token* tokens,
                        size_t capacity, size_t* count) {
  return Guarded([&] {
    constexpr const char* kName = "tern_encode";
    RequireAll(kName, model, count);
    if (text_size != 0) RequireAll(kName, text);
    tern::c::KnownFlags(kName, flags, TERN_ENCODE_NO_BOS | TERN_ENCODE_SPECIAL);
    const std::vector<tern::Token> ids = model->model->tokenizer().Encode(
        std::string_view(text, text_size),
        {.add_bos = (flags & TERN_ENCODE_NO_BOS) == 0,
         .parse_special = (flags & TERN_ENCODE_SPECIAL) != 0});
    Give<tern_token>(kName, ids, ids.size(), tokens, capacity, count);
  });
}

tern_status tern_decode(const tern_model* model, const tern_token* tokens,
                        size_t count, char* text, size_t capacity,
                        size_t* text_size) {
  return Guarded([&] {
    constexpr const char* kName = "tern_decode";
    RequireAll(kName, model, text_size);
    if (count != 0) RequireAll(kName, tokens);
    const std::string decoded =
        model->model->tokenizer().Decode(std::span(tokens, count));
    Give<char>(kName, decoded, decoded.size() + 1, text, capacity, text_size);
    text[decoded.size()] = '\0';
  });
}

tern_token tern_token_bos(const tern_model* model) {
  if (model == nullptr || !model->model->has_tokenizer()) return -1;
  return model->model->tokenizer().bos().value_or(-1);
}

tern_token tern_token_eos(const tern_model* model) {
  if (model == nullptr || !model->model->has_tokenizer()) return -1;
  return model->model->tokenizer().eos().value_or(-1);
}

int tern_token_is_end(const tern_model* model, tern_token token) {
  return tern::c::Ask(model, [&](const tern::Tokenizer& tokenizer) {
    return tokenizer.IsEndOfText(token);
  });
}

int tern_token_is_special(const tern_model* model, tern_token token) {
  return tern::c::Ask(model, [&](const tern::Tokenizer& tokenizer) {
    return tokenizer.IsSpecial(token);
  });
}

tern_status tern_decoder_new(const tern_model* model, int starts_text,
                             tern_decoder** decoder) {
  return Guarded([&] {
    RequireAll("tern_decoder_new", model, decoder);
    using Position = tern::StreamDecoder::Position;
    *decoder = new tern_decoder{
        model->model,
        tern::StreamDecoder(model->model->tokenizer(),
                            starts_text != 0 ? Position::kStartsText
                                             : Position::kContinuesText),
        {}};
  });
}

void tern_decoder_free(tern_decoder* decoder) { delete decoder; }

tern_status tern_decoder_push(tern_decoder* decoder, tern_token token,
                              const char** text, size_t* text_size) {
  return Guarded([&] {
    RequireAll("tern_decoder_push", decoder, text, text_size);
    decoder->text = decoder->decoder.Push(token);
    *text = decoder->text.c_str();
    *text_size = decoder->text.size();
  });
}

tern_status tern_decoder_flush(tern_decoder* decoder, const char** text,
                               size_t* text_size) {
  return Guarded([&] {
    RequireAll("tern_decoder_flush", decoder, text, text_size);
    decoder->text = decoder->decoder.Flush();
    *text = decoder->text.c_str();
    *text_size = decoder->text.size();
  });
}

tern_status tern_chat_template_load(const char* model_path,
                                    const char* template_path,
                                    tern_chat_template** result) {
  return Guarded([&] {
    RequireAll("tern_chat_template_load", model_path, result);
    *result = new tern_chat_template{
        template_path == nullptr
            ? tern::ChatTemplate::Load(model_path)
            : tern::ChatTemplate::Load(model_path, template_path)};
  });
}

void tern_chat_template_free(tern_chat_template* chat_template) {
  delete chat_template;
}

tern_status tern_chat_template_apply(const tern_chat_template* chat_template,
                                     const tern_model* model,
                                     const tern_message* messages,
                                     size_t message_count, unsigned flags,
                                     tern_token* tokens, size_t capacity,
                                     size_t* count) {
  return Guarded([&] {
    constexpr const char* kName = "tern_chat_template_apply";
    RequireAll(kName, chat_template, model, count);
    if (message_count != 0) RequireAll(kName, messages);
    tern::c::KnownFlags(
        kName, flags,
        TERN_CHAT_NO_PROMPT | TERN_CHAT_THINKING | TERN_CHAT_NO_THINKING);
    std::vector<tern::ChatMessage> all;
    for (const tern_message& message : std::span(messages, message_count)) {
      RequireAll(kName, message.role, message.content);
      all.push_back({message.role, message.content});
    }
    const tern::RenderedChat chat = chat_template->chat_template.Render(
        all, {.add_generation_prompt = (flags & TERN_CHAT_NO_PROMPT) == 0,
              .enable_thinking = tern::c::Thinking(flags)});
    const std::vector<tern::Token> ids =
        tern::EncodeChat(chat, model->model->tokenizer());
    Give<tern_token>(kName, ids, ids.size(), tokens, capacity, count);
  });
}

// NOLINTEND(readability-identifier-naming, readability-function-size)
