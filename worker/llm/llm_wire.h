/* worker/llm/llm_wire.h: what is sent to a provider: address, headers and body. The formats write
 * it; it is kept for another try until the reply begins, its body beside the heap. For llm.c and
 * the formats.
 *
 * Memory: on the heap; llm_wire_free. */
#ifndef WORKER_LLM_LLM_WIRE_H
#define WORKER_LLM_LLM_WIRE_H

#include "common/buf.h"
#include "common/fetch.h"
#include "common/shelf.h"
#include "worker/llm/mask.h"
#include "worker/llm/model.h"

enum { LLM_HEADERS_MAX = 2 + MODEL_HEADERS_MAX, LLM_BODY_MAX = 16 << 20 };
struct llm_wire {
    struct buf url, body; /* of a model behind Perses the url begins there */
    const struct secret *bearer;
    const char *secret_header; /* whose value is the key, or NULL */
    struct fetch_header headers[LLM_HEADERS_MAX];
    unsigned header_count;
    struct shelf *shelf;
    struct shelved *shelved; /* the body once it is written; NULL: it is being written */
};
struct llm_wire *llm_wire_new(struct shelf *s);
void llm_wire_free(struct llm_wire *w); /* NULL is fine */
/* For the formats: base URL, the API's version unless the base URL ends in one (NULL: none), path.
 */
void llm_url(struct llm_wire *w, const struct model *m, const char *version, const char *path);
void llm_header(struct llm_wire *w, const char *name, const char *value); /* borrowed */
/* The one place that all of what a provider is told passes. */
void llm_wire_hide(struct llm_wire *w, struct mask *m);
/* The body is written, and lies until it is sent. */
void llm_wire_shelve(struct llm_wire *w);
/* It is written on. */
void llm_wire_unshelve(struct llm_wire *w);

#endif
