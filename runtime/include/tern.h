/* tern for C, and for every language that calls C: run ternary language models.
 * C++ programs include <tern/tern.h> instead.
 *
 *   tern_model *model;
 *   tern_session *session;
 *   tern_sampler *sampler;
 *   if (tern_model_load("model.gguf", NULL, &model) != TERN_OK)
 *     puts(tern_last_error());
 *   ... tern_session_new, tern_encode, tern_session_append ...
 *   while (tern_session_next(session, sampler, &token) == TERN_OK) ...
 *
 * Errors.  A function that can fail gives a tern_status; tern_last_error() then
 * has one line of text.  What it would have set through pointers is untouched
 * unless its comment says otherwise.  A NULL where something is needed is
 * TERN_INVALID_ARGUMENT.  No C++ exception gets out, nothing is printed, and no
 * environment variable is read (but OpenMP's own, OMP_*).
 *
 * Ownership.  What a function gives through `tern_x **` is the caller's, to be
 * freed with tern_x_free, which takes NULL too.  Objects may be freed in any
 * order: a session, say, keeps its model alive.  What is given as `const char
 * **` or the like belongs to the object that was asked, and is valid as long as
 * the comment says.
 *
 * Threads.  A tern_model and a tern_chat_template may be used by any number of
 * threads at once.  A session, a sampler and a decoder serve one thread at a
 * time, which may be another one each time; a session tells a second thread so
 * (TERN_BUSY).  Nothing may be freed while a call uses it.
 *
 * Texts are UTF-8 with their size in bytes; names of files end with a zero.
 *
 * Stability.  Functions, numbers of enumerations and members of structs are
 * never changed or taken away as long as the library's soname is the same; new
 * members come at the ends of structs that begin with `size`. */
#ifndef TERN_C_H_
#define TERN_C_H_

#include <stddef.h>
#include <stdint.h>

#include <tern/api.h>

/* NOLINTBEGIN: C has its own names and types. */

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_VERSION_MAJOR 0
#define TERN_VERSION_MINOR 1
#define TERN_VERSION_PATCH 0

typedef int32_t tern_token; /* an id of the model's vocabulary */

typedef struct tern_model tern_model;
typedef struct tern_session tern_session;
typedef struct tern_sampler tern_sampler;
typedef struct tern_decoder tern_decoder;
typedef struct tern_chat_template tern_chat_template;

/* What a call came to. */
typedef enum tern_status {
  TERN_OK = 0,
  TERN_INVALID_ARGUMENT = 1, /* the caller asked for what makes no sense */
  TERN_NOT_FOUND = 2,        /* a file, or something in it, is not there */
  TERN_IO = 3,               /* the system failed to read or write */
  TERN_MALFORMED = 4,        /* a file breaks the rules of its own format */
  TERN_UNSUPPORTED = 5,      /* sound, but nothing tern can compute correctly */
  TERN_OUT_OF_MEMORY = 6,
  TERN_CONTEXT_FULL = 7,      /* more tokens than the context holds */
  TERN_BUSY = 8,              /* another thread is using the session */
  TERN_CANCELLED = 9,         /* by tern_session_cancel or a callback */
  TERN_BUFFER_TOO_SMALL = 10, /* the size that is needed was given */
  TERN_INTERNAL = 11          /* a mistake in tern */
} tern_status;

/* "0.1.0", of the library that runs. */
TERN_API const char* tern_version(void);
/* A few words for a status, "unknown status" for another number. */
TERN_API const char* tern_status_text(int status);
/* One line, `WHERE: what is wrong; what to do`, about the last call on this
 * thread that failed; "" if none did.  Valid until this thread's next one. */
TERN_API const char* tern_last_error(void);

/* --- Model ------------------------------------------------------------- */

/* How the inputs of ternary layers are held. */
typedef enum tern_input_type {
  TERN_INPUT_AUTO = 0, /* what the files say or imply */
  TERN_INPUT_INT8 = 1, /* inputs of ternary layers are rounded to int8 */
  TERN_INPUT_FLOAT = 2
} tern_input_type;

/* How the output head is held (tern/model.h says what each costs). */
typedef enum tern_head {
  TERN_HEAD_AUTO = 0,
  TERN_HEAD_AS_STORED = 1,
  TERN_HEAD_Q8 = 2,
  TERN_HEAD_SCREENED = 3
} tern_head;

/* Begin with: tern_model_options options = TERN_MODEL_OPTIONS_INIT; */
typedef struct tern_model_options {
  size_t size;     /* of this struct, as the caller knows it */
  int input_type;  /* a tern_input_type */
  int i2s_layout;  /* 0, 1, 2: order of codes in I2_S tensors; 0 is published */
  int head;        /* a tern_head */
  int num_threads; /* to load with; 0: as many as the process may use */
  /* Not NULL: called now and then on the calling thread with a fraction in
   * 0..1.  Not 0: give up with TERN_CANCELLED. */
  int (*progress)(double fraction, void* progress_data);
  void* progress_data;
} tern_model_options;
#define TERN_MODEL_OPTIONS_INIT \
  { sizeof(tern_model_options), TERN_INPUT_AUTO, 0, TERN_HEAD_AUTO, 0, 0, 0 }

/* Reads a GGUF file, a directory in Hugging Face layout or a .safetensors file.
 * `options` may be NULL.  The file may change or go away afterwards.  Anything
 * that tern cannot compute exactly as it was meant is refused. */
TERN_API tern_status tern_model_load(const char* path,
                                     const tern_model_options* options,
                                     tern_model** model);
TERN_API void tern_model_free(tern_model* model);

/* Set `size` before asking; what the library does not know stays as it was. */
typedef struct tern_model_info {
  size_t size;
  const char* architecture; /* these are valid as long as the model */
  const char* name;         /* the file's own, or "" */
  const char* description;  /* one line for people */
  size_t vocab_size;        /* logits after a token */
  size_t max_context;       /* positions the model was trained for */
  size_t num_layers;
  size_t hidden_size;
  uint64_t weights_bytes;   /* in memory */
  uint64_t bytes_per_token; /* of weights, that decoding a token reads */
  int has_tokenizer;        /* 0: feed it token ids */
} tern_model_info;
TERN_API tern_status tern_model_get_info(const tern_model* model,
                                         tern_model_info* info);
/* Tells models apart by what a saved session depends on.  Reads all weights the
 * first time; 0 for NULL. */
TERN_API uint64_t tern_model_fingerprint(const tern_model* model);

/* --- Text and tokens --------------------------------------------------- */

/* Flags of tern_encode. */
enum {
  TERN_ENCODE_NO_BOS = 1, /* without the beginning-of-text token */
  /* Names of special tokens in the text are those tokens; else they are
   * ordinary text, as what users type must be. */
  TERN_ENCODE_SPECIAL = 2
};

/* The tokens of text [text_size].  Sets *count to their number; writes them if
 * `capacity` is enough, else gives TERN_BUFFER_TOO_SMALL and writes none
 * (`tokens` may be NULL if capacity is 0).  `flags` of the enumeration above,
 * or 0.  TERN_NOT_FOUND, or why, if the model has no tokenizer. */
TERN_API tern_status tern_encode(const tern_model* model, const char* text,
                                 size_t text_size, unsigned flags,
                                 tern_token* tokens, size_t capacity,
                                 size_t* count);
/* The bytes of tokens [count].  Sets *text_size to their number, without the
 * zero that follows them; as above if `capacity` is not text_size + 1. */
TERN_API tern_status tern_decode(const tern_model* model,
                                 const tern_token* tokens, size_t count,
                                 char* text, size_t capacity,
                                 size_t* text_size);

/* The tokens that begin and end a text; -1 if the model has none. */
TERN_API tern_token tern_token_bos(const tern_model* model);
TERN_API tern_token tern_token_eos(const tern_model* model);
/* 1 if generation should stop at this token, which ends a text or a turn. */
TERN_API int tern_token_is_end(const tern_model* model, tern_token token);
/* 1 for control tokens, which are not text. */
TERN_API int tern_token_is_special(const tern_model* model, tern_token token);

/* Turns a stream of tokens into whole UTF-8 characters.  `starts_text` is 0 for
 * tokens that go on with a prompt. */
TERN_API tern_status tern_decoder_new(const tern_model* model, int starts_text,
                                      tern_decoder** decoder);
TERN_API void tern_decoder_free(tern_decoder* decoder);
/* What may be shown now, maybe nothing: *text [*text_size], with a zero behind,
 * valid until the decoder is used again.  Bytes that only begin a character
 * wait for the rest. */
TERN_API tern_status tern_decoder_push(tern_decoder* decoder, tern_token token,
                                       const char** text, size_t* text_size);
/* What still waits, at the end of the stream. */
TERN_API tern_status tern_decoder_flush(tern_decoder* decoder,
                                        const char** text, size_t* text_size);

/* --- Sampler ----------------------------------------------------------- */

/* Begin with: tern_sampler_options options = TERN_SAMPLER_OPTIONS_INIT; */
typedef struct tern_sampler_options {
  size_t size;
  float temperature;    /* 0: always the largest logit */
  int top_k;            /* keep this many of the largest; 0: all */
  float top_p;          /* keep the smallest set with this much mass; 1: all */
  float min_p;          /* drop those below this share of the best; 0: none */
  int repeat_last_n;    /* tokens that penalties look at; 0: none, -1: all */
  float repeat_penalty; /* 1: none */
  float presence_penalty;
  float frequency_penalty;
  uint64_t seed;
} tern_sampler_options;
#define TERN_SAMPLER_OPTIONS_INIT                                              \
  {                                                                            \
    sizeof(tern_sampler_options), 0.8F, 40, 0.95F, 0.0F, 64, 1.0F, 0.0F, 0.0F, \
        0                                                                      \
  }

/* The same options, seed and logits give the same tokens on every machine.
 * `options` may be NULL. */
TERN_API tern_status tern_sampler_new(const tern_sampler_options* options,
                                      tern_sampler** sampler);
TERN_API void tern_sampler_free(tern_sampler* sampler);

/* --- Session: one conversation ----------------------------------------- */

/* Floats of 32 or 16 bits, or int8 with a scale for each head and position. */
typedef enum tern_kv_type {
  TERN_KV_F32 = 0,
  TERN_KV_F16 = 1,
  TERN_KV_Q8 = 2
} tern_kv_type;

/* Begin with: tern_session_options options = TERN_SESSION_OPTIONS_INIT; */
typedef struct tern_session_options {
  size_t size;
  size_t context_length; /* positions to hold; 0: the model's max_context */
  int kv_type;           /* a tern_kv_type: how keys and values are kept */
  int num_threads;       /* 0: as many as the process may use */
} tern_session_options;
#define TERN_SESSION_OPTIONS_INIT \
  { sizeof(tern_session_options), 0, TERN_KV_F16, 0 }

/* `options` may be NULL.  TERN_OUT_OF_MEMORY, before any work, if a full
 * context would not fit into what the machine has free.  After fork() a child
 * may use its models, make new sessions, and free, save and fork
 * (tern_session_fork) those that were idle; it may not go on with them. */
TERN_API tern_status tern_session_new(const tern_model* model,
                                      const tern_session_options* options,
                                      tern_session** session);
TERN_API void tern_session_free(tern_session* session);

/* Reads tokens [count] into the context.  TERN_CONTEXT_FULL or
 * TERN_INVALID_ARGUMENT (an id outside the vocabulary) before any work; after
 * any failure the context is what it was before. */
TERN_API tern_status tern_session_append(tern_session* session,
                                         const tern_token* tokens,
                                         size_t count);
/* Chooses the next token, appends it and sets *token.  TERN_CONTEXT_FULL at the
 * end of the context. */
TERN_API tern_status tern_session_next(tern_session* session,
                                       tern_sampler* sampler,
                                       tern_token* token);
/* The logits [*count] after the last token, valid until the session is used
 * again. */
TERN_API tern_status tern_session_logits(tern_session* session,
                                         const float** logits, size_t* count);
/* The tokens of the context, valid until the session is used again. */
TERN_API tern_status tern_session_tokens(const tern_session* session,
                                         const tern_token** tokens,
                                         size_t* count);
/* Number of tokens in the context. */
TERN_API tern_status tern_session_position(const tern_session* session,
                                           size_t* position);
/* How many it can hold; 0 for NULL.  May be called at any time. */
TERN_API size_t tern_session_context_length(const tern_session* session);
/* Keeps the first `length` tokens. */
TERN_API tern_status tern_session_truncate(tern_session* session,
                                           size_t length);
/* Forgets all of them. */
TERN_API tern_status tern_session_reset(tern_session* session);
/* Keeps what the context has in common with the beginning of tokens [count],
 * but less than all of them, and sets *kept to its length: append the rest.  So
 * a conversation that grew is not read again. */
TERN_API tern_status tern_session_keep_common(tern_session* session,
                                              const tern_token* tokens,
                                              size_t count, size_t* kept);

/* From any thread at any time, or from a signal handler: makes the call of
 * append, next or logits that is running, or else the next one, fail with
 * TERN_CANCELLED soon (within one layer's time).  The session is as it was
 * before that call. */
TERN_API void tern_session_cancel(tern_session* session);
/* Takes back a cancel that no call has answered yet: 1 if there was one. */
TERN_API int tern_session_forget_cancel(tern_session* session);

/* A new session that goes on where this one is, with the same logits: for texts
 * that begin alike. */
TERN_API tern_status tern_session_fork(const tern_session* session,
                                       tern_session** fork);
/* Writes tokens and cache into a file, which appears when it is complete. */
TERN_API tern_status tern_session_save(const tern_session* session,
                                       const char* path);
/* A session that goes on where the saved one was.  TERN_MALFORMED for a damaged
 * file, TERN_INVALID_ARGUMENT for another model or kv_type, TERN_CONTEXT_FULL
 * if the tokens do not fit. */
TERN_API tern_status tern_session_restore(const tern_model* model,
                                          const char* path,
                                          const tern_session_options* options,
                                          tern_session** session);

/* --- Chat -------------------------------------------------------------- */

/* The chat template of the model at `model_path`, or the one in the file
 * `template_path` if that is not NULL.  TERN_NOT_FOUND for a base model. */
TERN_API tern_status tern_chat_template_load(const char* model_path,
                                             const char* template_path,
                                             tern_chat_template** result);
TERN_API void tern_chat_template_free(tern_chat_template* chat_template);

/* Texts that end with a zero. */
typedef struct tern_message {
  const char* role; /* "system", "user" or "assistant" */
  const char* content;
} tern_message;

/* Flags of tern_chat_template_apply. */
enum {
  TERN_CHAT_NO_PROMPT = 1,  /* do not begin the assistant's answer */
  TERN_CHAT_THINKING = 2,   /* for templates that have a switch for it: on, */
  TERN_CHAT_NO_THINKING = 4 /* or off */
};

/* The tokens of messages [message_count] as the model was trained to see them;
 * names of special tokens in messages are text.  `tokens`, `capacity` and
 * `count` as in tern_encode. */
TERN_API tern_status tern_chat_template_apply(
    const tern_chat_template* chat_template, const tern_model* model,
    const tern_message* messages, size_t message_count, unsigned flags,
    tern_token* tokens, size_t capacity, size_t* count);

#ifdef __cplusplus
} /* extern "C" */
#endif

/* NOLINTEND */

#endif /* TERN_C_H_ */
