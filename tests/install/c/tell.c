/* Continues a text with a model:  tell MODEL PROMPT */
#include <stdio.h>
#include <string.h>
#include <tern.h>

static int give_up(void) {
  fprintf(stderr, "%s\n", tern_last_error());
  return 1;
}

int main(int argc, char** argv) {
  tern_sampler_options greedy = TERN_SAMPLER_OPTIONS_INIT;
  tern_model* model;
  tern_session* session;
  tern_sampler* sampler;
  tern_decoder* decoder;
  tern_token tokens[256], token;
  const char* text;
  size_t count, size;
  int i;

  if (argc != 3) return fputs("usage: tell MODEL PROMPT\n", stderr), 2;
  greedy.temperature = 0;
  if (tern_model_load(argv[1], NULL, &model) != TERN_OK ||
      tern_session_new(model, NULL, &session) != TERN_OK ||
      tern_sampler_new(&greedy, &sampler) != TERN_OK ||
      tern_decoder_new(model, 0, &decoder) != TERN_OK ||
      tern_encode(model, argv[2], strlen(argv[2]), 0, tokens, 256, &count) ||
      tern_session_append(session, tokens, count) != TERN_OK)
    return give_up();
  for (i = 0; i < 24; ++i) {
    if (tern_session_next(session, sampler, &token) != TERN_OK ||
        tern_decoder_push(decoder, token, &text, &size) != TERN_OK)
      return give_up();
    if (tern_token_is_end(model, token)) break;
    fwrite(text, 1, size, stdout);
  }
  if (tern_decoder_flush(decoder, &text, &size) != TERN_OK) return give_up();
  printf("%s\n", text);
  tern_decoder_free(decoder);
  tern_sampler_free(sampler);
  tern_session_free(session);
  tern_model_free(model);
  return 0;
}
