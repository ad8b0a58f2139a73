/* worker/llm/ragged.h: text whose characters may come in halves, in separate pieces: a provider
 * that cuts between two UTF-16 units ("\ud83d", then "\ude00") or between two bytes of UTF-8.
 *
 * JSON that holds half a character is none for the JSON library: ragged_parse reads it with a mark
 * (a character for private use) in place of each half, and ragged_add joins halves that follow each
 * other. Half a character that stays alone, and NUL, become U+FFFD. Memory: plain data. */
#ifndef WORKER_LLM_RAGGED_H
#define WORKER_LLM_RAGGED_H

#include <stdbool.h>
#include <jansson.h>
#include "common/buf.h"

struct ragged {
    unsigned char held[6]; /* the beginning of a character; surrogates as three bytes each */
    unsigned len;
};
/* NULL: no JSON. *marked: it had halves, and its texts may hold marks. The caller's. */
json_t *ragged_parse(struct str text, bool *marked);
/* The same JSON with U+FFFD for each half and each NUL. False: it has none, or it is too much. */
bool ragged_mend(struct str json, struct buf *out);
/* Appends what is whole by now; the rest is held. */
void ragged_add(struct ragged *r, struct str text, bool marked, struct buf *out);
/* Nothing follows: what is held is no character. */
void ragged_end(struct ragged *r, struct buf *out);

#endif
