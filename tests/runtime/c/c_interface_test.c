/* The C interface as a C99 program sees it: every function and its errors.
 * Restored and forked sessions agree to the bit.
 *   c_interface_test MODEL FOLDER: prints the lines that failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern.h>

static int failures = 0;

#define CHECK(condition)                                                     \
  do {                                                                       \
    if (!(condition)) {                                                      \
      ++failures;                                                            \
      printf("%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, \
             tern_last_error());                                             \
    }                                                                        \
  } while (0)

#define CHECK_FAILS(status, word, call)               \
  do {                                                \
    CHECK((call) == (status));                        \
    CHECK(strstr(tern_last_error(), (word)) != NULL); \
  } while (0)

enum { MOST = 64 };
static const char kPrompt[] = "Once upon a time";

static int stop_loading(double fraction, void* data) {
  ++*(int*)data;
  return fraction >= 0;
}

static void test_texts(void) {
  char version[32];
  snprintf(version, sizeof(version), "%d.%d.%d", TERN_VERSION_MAJOR,
           TERN_VERSION_MINOR, TERN_VERSION_PATCH);
  CHECK(strcmp(tern_version(), version) == 0);
  CHECK(strcmp(tern_status_text(TERN_CANCELLED), "cancelled") == 0);
  CHECK(strcmp(tern_status_text(999), "unknown status") == 0);
  CHECK(strcmp(tern_last_error(), "") == 0);
}

static void test_loading(const char* path) {
  tern_model* model = NULL;
  tern_model_options options = TERN_MODEL_OPTIONS_INIT;
  int calls = 0;
  CHECK_FAILS(TERN_NOT_FOUND, "/nowhere: no such file",
              tern_model_load("/nowhere", NULL, &model));
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "NULL",
              tern_model_load(NULL, NULL, &model));
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "NULL", tern_model_load(path, NULL, NULL));
  options.progress = stop_loading;
  options.progress_data = &calls;
  CHECK_FAILS(TERN_CANCELLED, "progress callback",
              tern_model_load(path, &options, &model));
  CHECK(calls == 1);
  options.progress = NULL;
  options.head = 17;
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "head is 17",
              tern_model_load(path, &options, &model));
  options.head = TERN_HEAD_AUTO;
  options.size = 0;
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "size 0",
              tern_model_load(path, &options, &model));
  CHECK(model == NULL);
  tern_model_free(NULL);
}

/* Structs of callers that are older or newer than the library. */
static void test_sizes(const tern_model* model) {
  struct { /* without padding, whose bytes nobody sets (boundary.h) */
    tern_sampler_options options;
    uint64_t new_member;
  } newer = {TERN_SAMPLER_OPTIONS_INIT, 0};
  tern_sampler* sampler = NULL;
  tern_model_info info;
  newer.options.size = sizeof(newer);
  CHECK(tern_sampler_new(&newer.options, &sampler) == TERN_OK);
  tern_sampler_free(sampler);
  newer.new_member = 1;
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "does not know",
              tern_sampler_new(&newer.options, &sampler));
  memset(&info, 0x55, sizeof(info));
  info.size = offsetof(tern_model_info, max_context);
  CHECK(tern_model_get_info(model, &info) == TERN_OK);
  CHECK(info.size == offsetof(tern_model_info, max_context));
  CHECK(info.vocab_size == 4096);
  CHECK(info.has_tokenizer == 0x55555555); /* beyond what it knows */
}

static void test_model(const tern_model* model) {
  tern_model_info info;
  info.size = sizeof(info);
  CHECK(tern_model_get_info(model, &info) == TERN_OK);
  CHECK(info.vocab_size == 4096 && info.has_tokenizer == 1);
  CHECK(info.num_layers > 0 && info.hidden_size > 0 && info.max_context > 0);
  CHECK(info.weights_bytes > 10000000 && info.bytes_per_token > 10000000);
  CHECK(strncmp(info.architecture, "bitnet", 6) == 0);
  CHECK(strstr(info.description, info.architecture) != NULL);
  CHECK(tern_model_fingerprint(model) != 0);
  CHECK(tern_model_fingerprint(NULL) == 0);
}

static void test_tokens(const tern_model* model) {
  tern_token tokens[MOST];
  char text[MOST];
  size_t count = 0;
  size_t size = 0;
  CHECK_FAILS(TERN_BUFFER_TOO_SMALL, "are needed",
              tern_encode(model, kPrompt, strlen(kPrompt), 0, NULL, 0, &count));
  CHECK(count == 6);
  CHECK(tern_encode(model, kPrompt, strlen(kPrompt), 0, tokens, count,
                    &count) == TERN_OK);
  CHECK(tern_decode(model, tokens, count, text, sizeof(text), &size) ==
        TERN_OK);
  CHECK(strstr(text, kPrompt) != NULL && text[size] == '\0');
  CHECK_FAILS(TERN_BUFFER_TOO_SMALL, "are needed",
              tern_decode(model, tokens, count, text, size, &size));
  CHECK(tern_encode(model, NULL, 0, TERN_ENCODE_NO_BOS, NULL, 0, &count) ==
        TERN_OK);
  CHECK(count == 0);
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "flags 64",
              tern_encode(model, "a", 1, 64, tokens, MOST, &count));
  tokens[0] = -7;
  CHECK(tern_decode(model, tokens, 1, text, sizeof(text), &size) ==
        TERN_INVALID_ARGUMENT);
  CHECK(tern_token_bos(model) >= 0 && tern_token_eos(model) >= 0);
  CHECK(tern_token_bos(NULL) == -1 && tern_token_eos(NULL) == -1);
  CHECK(tern_token_is_end(model, tern_token_eos(model)) == 1);
  CHECK(tern_token_is_special(model, tern_token_eos(model)) == 1);
  CHECK(tern_token_is_end(model, -7) == 0);
  CHECK(tern_token_is_special(NULL, 1) == 0);
}

/* Characters of several bytes wait until they are whole. */
static void test_decoder(const tern_model* model) {
  static const char kText[] = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac";
  tern_token tokens[MOST];
  tern_decoder* decoder = NULL;
  char all[MOST] = "";
  const char* text = NULL;
  size_t count = 0;
  size_t size = 0;
  size_t i;
  CHECK(tern_encode(model, kText, strlen(kText), TERN_ENCODE_NO_BOS, tokens,
                    MOST, &count) == TERN_OK);
  CHECK(tern_decoder_new(model, 1, &decoder) == TERN_OK);
  for (i = 0; i < count; ++i) {
    CHECK(tern_decoder_push(decoder, tokens[i], &text, &size) == TERN_OK);
    CHECK(strlen(text) == size);
    strcat(all, text);
    CHECK((all[0] == '\0') || ((all[strlen(all) - 1] & 0xC0) != 0xC0));
  }
  CHECK(tern_decoder_flush(decoder, &text, &size) == TERN_OK);
  strcat(all, text);
  CHECK(strcmp(all, kText) == 0);
  CHECK(tern_decoder_push(decoder, -7, &text, &size) == TERN_INVALID_ARGUMENT);
  tern_decoder_free(decoder);
  tern_decoder_free(NULL);
}

static tern_session* new_session(const tern_model* model) {
  tern_session_options options = TERN_SESSION_OPTIONS_INIT;
  tern_session* session = NULL;
  options.context_length = MOST;
  options.num_threads = 2;
  CHECK(tern_session_new(model, &options, &session) == TERN_OK);
  return session;
}

/* Not one bit of difference. */
static void check_same_logits(tern_session* a, tern_session* b) {
  const float* x = NULL;
  const float* y = NULL;
  size_t count = 0;
  size_t other = 0;
  CHECK(tern_session_logits(a, &x, &count) == TERN_OK);
  CHECK(tern_session_logits(b, &y, &other) == TERN_OK);
  CHECK(count == 4096 && other == count);
  CHECK(memcmp(x, y, count * sizeof(float)) == 0);
}

static void test_generation(const tern_model* model) {
  tern_session* session = new_session(model);
  tern_sampler_options greedy = TERN_SAMPLER_OPTIONS_INIT;
  tern_sampler* sampler = NULL;
  tern_token tokens[MOST + 1];
  tern_token next = -1;
  const tern_token* held = NULL;
  const float* logits = NULL;
  size_t count = 0;
  size_t kept = 99;
  size_t i;
  greedy.temperature = 0;
  CHECK(tern_sampler_new(&greedy, &sampler) == TERN_OK);
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "call Append first",
              tern_session_next(session, sampler, &next));
  CHECK(tern_encode(model, kPrompt, strlen(kPrompt), 0, tokens, MOST, &count) ==
        TERN_OK);
  CHECK(tern_session_append(session, tokens, count) == TERN_OK);
  CHECK(tern_session_logits(session, &logits, &count) == TERN_OK);
  CHECK(tern_session_next(session, sampler, &next) == TERN_OK);
  CHECK(next >= 0 && next < 4096);
  CHECK(tern_session_tokens(session, &held, &count) == TERN_OK);
  CHECK(count == 7 && held[6] == next && held[0] == tokens[0]);
  CHECK(tern_session_context_length(session) == MOST);

  tokens[3] = 77;
  CHECK(tern_session_keep_common(session, tokens, 5, &kept) == TERN_OK);
  CHECK(kept == 3);
  CHECK(tern_session_keep_common(session, tokens, 2, &kept) == TERN_OK);
  CHECK(kept == 1);
  CHECK(tern_session_truncate(session, 6) == TERN_INVALID_ARGUMENT);
  CHECK(tern_session_reset(session) == TERN_OK);
  CHECK(tern_session_position(session, &count) == TERN_OK && count == 0);

  for (i = 0; i <= MOST; ++i) tokens[i] = 7;
  CHECK(tern_session_append(session, tokens, MOST + 1) == TERN_CONTEXT_FULL);
  tokens[0] = 4096;
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "4096",
              tern_session_append(session, tokens, 1));
  tern_sampler_free(sampler);
  greedy.temperature = -1;
  CHECK(tern_sampler_new(&greedy, &sampler) == TERN_INVALID_ARGUMENT);
  tern_session_free(session);
}

static void test_state(const tern_model* model, const char* folder) {
  tern_session* session = new_session(model);
  tern_session* fork = NULL;
  tern_session* restored = NULL;
  tern_session_options options = TERN_SESSION_OPTIONS_INIT;
  tern_token tokens[MOST];
  char path[4096];
  size_t count = 0;
  snprintf(path, sizeof(path), "%s/state", folder);
  CHECK(tern_encode(model, kPrompt, strlen(kPrompt), 0, tokens, MOST, &count) ==
        TERN_OK);
  CHECK(tern_session_append(session, tokens, count) == TERN_OK);
  CHECK(tern_session_fork(session, &fork) == TERN_OK);
  CHECK(tern_session_save(session, path) == TERN_OK);
  CHECK(tern_session_restore(model, path, NULL, &restored) == TERN_OK);
  check_same_logits(session, fork);
  check_same_logits(session, restored);
  tern_session_free(restored);
  options.kv_type = TERN_KV_Q8;
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "type f16",
              tern_session_restore(model, path, &options, &restored));
  options.kv_type = 9;
  CHECK_FAILS(TERN_INVALID_ARGUMENT, "kv_type",
              tern_session_restore(model, path, &options, &restored));
  CHECK(tern_session_save(session, "/nowhere/state") == TERN_IO);

  tern_session_cancel(session);
  CHECK(tern_session_append(session, tokens, 1) == TERN_CANCELLED);
  CHECK(tern_session_position(session, &count) == TERN_OK && count == 6);
  tern_session_cancel(session);
  CHECK(tern_session_forget_cancel(session) == 1);
  CHECK(tern_session_forget_cancel(session) == 0);
  check_same_logits(session, fork);
  tern_session_free(session);
  tern_session_free(fork);
  tern_session_free(NULL);
}

static void test_chat(const tern_model* model, const char* path,
                      const char* folder) {
  static const tern_message kMessages[] = {{"user", "Hello"}};
  tern_chat_template* chat = NULL;
  tern_token tokens[MOST];
  char file[4096];
  char text[256];
  size_t count = 0;
  size_t size = 0;
  FILE* out;
  CHECK(tern_chat_template_load("/nowhere", NULL, &chat) == TERN_NOT_FOUND);
  snprintf(file, sizeof(file), "%s/template.jinja", folder);
  out = fopen(file, "w");
  CHECK(out != NULL);
  if (out == NULL) return;
  fputs(
      "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
      "{% if add_generation_prompt %} [assistant]{% endif %}",
      out);
  fclose(out);
  CHECK(tern_chat_template_load(path, file, &chat) == TERN_OK);
  CHECK(tern_chat_template_apply(chat, model, kMessages, 1, 0, tokens, MOST,
                                 &count) == TERN_OK);
  CHECK(tern_decode(model, tokens, count, text, sizeof(text), &size) ==
        TERN_OK);
  CHECK(strstr(text, "[user] Hello [assistant]") != NULL);
  CHECK(tern_chat_template_apply(chat, model, kMessages, 1, TERN_CHAT_NO_PROMPT,
                                 tokens, MOST, &count) == TERN_OK);
  CHECK(tern_decode(model, tokens, count, text, sizeof(text), &size) ==
        TERN_OK);
  CHECK(strstr(text, "[assistant]") == NULL);
  tern_chat_template_free(chat);
  tern_chat_template_free(NULL);
}

int main(int argc, char** argv) {
  tern_model* model = NULL;
  tern_session* session;
  size_t count = 99;
  if (argc != 3) return 2;
  test_texts();
  test_loading(argv[1]);
  CHECK(tern_model_load(argv[1], NULL, &model) == TERN_OK);
  if (model == NULL) return 1;
  test_model(model);
  test_sizes(model);
  test_tokens(model);
  test_decoder(model);
  test_generation(model);
  test_state(model, argv[2]);
  test_chat(model, argv[1], argv[2]);
  /* A session keeps what it needs. */
  session = new_session(model);
  tern_model_free(model);
  CHECK(tern_session_position(session, &count) == TERN_OK && count == 0);
  tern_session_free(session);
  if (failures == 0) puts("all good");
  return failures == 0 ? 0 : 1;
}
