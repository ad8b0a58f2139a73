/* worker/llm/errors.h: what does a provider's error mean? One table of the words in which vendors
 * and servers say it, with or without an HTTP status (errors also come inside streams of status
 * 200). Pure. */
#ifndef WORKER_LLM_ERRORS_H
#define WORKER_LLM_ERRORS_H

#include <stdint.h>
#include "common/buf.h"

#define LLM_ERROR_KINDS(X)                                                                         \
    X(BAD_REQUEST) /* asking again is of no use */                                                 \
    X(TOO_LONG)    /* a shorter prompt may do */                                                   \
    X(THROTTLED)   /* the key's limit for now; wait_ms, if it was said */                          \
    X(QUOTA_GONE)  /* money or a plan's quota: waiting is of no use */                             \
    X(OVERLOADED)  /* for everybody, not for our key */                                            \
    X(AUTH)        /* the key, or what it may use */                                               \
    X(PARAMETER)   /* a field of the request is not taken: parameter */                            \
    X(FILTERED)    /* the content */                                                               \
    X(SPOILED)     /* what the model wrote is no call or no JSON: asking again may do */           \
    X(SERVER)      /* the server's fault: asking again may do */
enum llm_error_kind {
#define X(name) LLM_ERROR_##name,
    LLM_ERROR_KINDS(X)
#undef X
};
struct llm_error {
    enum llm_error_kind kind;
    int http_status;    /* what it amounts to; 0: not known */
    int64_t wait_ms;    /* as the message says; 0: it does not */
    char parameter[64]; /* of LLM_ERROR_PARAMETER: its name, as far as known, or "" */
};

/* http_status: 0 or 200 when the error came in a stream. code: its type, code and status words,
 * in one text; a number in it ("429") counts as the HTTP status. Case does not matter. */
struct llm_error llm_error_judge(int http_status, struct str code, struct str message);
/* "27s", "1.5s", "250ms", "6m0s", "20 seconds" at the text's begin → ms, up to a day; 0: none. */
int64_t llm_error_duration_ms(struct str text);

#endif
