// Everything: include this, or the parts you need.
#ifndef TERN_TERN_H_
#define TERN_TERN_H_

#include <tern/bandwidth.h>        // IWYU pragma: export
#include <tern/chat.h>             // IWYU pragma: export
#include <tern/constraint.h>       // IWYU pragma: export
#include <tern/cpu.h>              // IWYU pragma: export
#include <tern/embedding.h>        // IWYU pragma: export
#include <tern/error.h>            // IWYU pragma: export
#include <tern/inspect.h>          // IWYU pragma: export
#include <tern/json_constraint.h>  // IWYU pragma: export
#include <tern/model.h>            // IWYU pragma: export
#include <tern/pack.h>             // IWYU pragma: export
#include <tern/random_model.h>     // IWYU pragma: export
#include <tern/reference_check.h>  // IWYU pragma: export
#include <tern/sampler.h>          // IWYU pragma: export
#include <tern/scheduler.h>        // IWYU pragma: export
#include <tern/session.h>          // IWYU pragma: export
#include <tern/tokenizer.h>        // IWYU pragma: export
#include <tern/verify.h>           // IWYU pragma: export

#endif  // TERN_TERN_H_
