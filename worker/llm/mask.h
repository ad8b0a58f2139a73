/* worker/llm/mask.h: values that must not leave, and what stands for them. Pure.
 *
 * mask_text and mask_json write MASKED_RULE_01234567 in place of what PERSAI_REDACT's rules match;
 * unmask puts the values back in what the model wrote, for the person and for queries. The same
 * value is the same word for all of a conversation, in every process: the digits are a hash of it,
 * keyed with the conversation's id, which is never sent. So nothing is kept anywhere: whoever sends
 * the conversation again makes the same words, and knows what they stand for.
 *
 * Memory: mask_free. What it was given stays in it until then. */
#ifndef WORKER_LLM_MASK_H
#define WORKER_LLM_MASK_H

#include <stdbool.h>
#include "common/buf.h"
#include "proto/id.h"
#include "worker/llm/redact.h"

enum { MASK_WORD_MAX = 7 + REDACT_NAME_MAX + 1 + 8 }; /* bytes of the longest word */

/* What a model is told of it. */
extern const char mask_prompt[];

struct mask {
    struct redact *rules; /* borrowed; NULL: nothing is masked */
    struct id conversation;
    struct map *values; /* word → struct buf * */
};
void mask_init(struct mask *m, struct redact *rules, struct id conversation);
void mask_free(struct mask *m);
/* Appends text, masked. False: nothing matched; nothing is appended then. */
bool mask_text(struct mask *m, struct str text, struct buf *out);
/* The same for each string of a JSON text (RFC 8259) that we wrote for a provider: names of fields
 * and what only the protocol reads (ids, roles, signatures) stay. Strings that are JSON in turn are
 * masked as they are. */
bool mask_json(struct mask *m, struct str json, struct buf *out);

/* Appends text with the values put back. */
void unmask_text(const struct mask *m, struct str text, struct buf *out);
/* The same inside of JSON: values are written with its escapes. */
void unmask_json(const struct mask *m, struct str json, struct buf *out);
/* Of JSON that goes on: what may be the beginning of a word is left out. */
void unmask_json_begun(const struct mask *m, struct str json, struct buf *out);
/* For a text that comes in pieces, cut anywhere: what may be the beginning of a word is held. */
struct unmask {
    char held[MASK_WORD_MAX];
    unsigned len;
};
void unmask_feed(const struct mask *m, struct unmask *u, struct str piece, struct buf *out);
void unmask_end(const struct mask *m, struct unmask *u, struct buf *out);

#endif
