// Templates of models whose files have none, or a wrong one.
#ifndef TERN_RUNTIME_CHAT_BUILTIN_TEMPLATES_H_
#define TERN_RUNTIME_CHAT_BUILTIN_TEMPLATES_H_

namespace tern::chat {

// microsoft/bitnet-b1.58-2B-4T, tokenizer_config.json: each message is its role
// with a capital letter, a colon, a space, the content without white space at
// its ends, and <|eot_id|>; the answer begins after "Assistant: ".  The
// published GGUF file (microsoft/bitnet-b1.58-2B-4T-gguf) holds a placeholder.
inline constexpr const char* kTemplate2B4T =
    "{% for message in messages %}"
    "{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ message.role | capitalize }}: {{ message.content | trim }}<|eot_id|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant: {% endif %}";

// meta-llama/Meta-Llama-3-8B-Instruct: a header with the role, an empty line,
// the content without white space at its ends, <|eot_id|>.  Its tokenizer is
// that of HF1BitLLM/Llama3-8B-1.58-100B-tokens.
inline constexpr const char* kTemplateLlama3 =
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' }}"
    "{{ message.content | trim }}<|eot_id|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"
    "{% endif %}";

// What the published GGUF file of 2B4T says instead, and no model was trained
// with.
inline constexpr const char* kPlaceholderMark = "BITNETAssistant";

}  // namespace tern::chat

#endif  // TERN_RUNTIME_CHAT_BUILTIN_TEMPLATES_H_
