/* worker/llm/wait.h: when may a provider be asked again, by the headers of its answer? Each vendor
 * says it in its own header and its own way. Pure but for reading the fetch. */
#ifndef WORKER_LLM_WAIT_H
#define WORKER_LLM_WAIT_H

#include "common/fetch.h"

enum { LLM_WAIT_MAX_MS = 24 * 3600 * 1000 }; /* nobody means more: what is said beyond is cut */

/* ms from now as Retry-After says, or the finer headers beside it; 0: it says nothing. */
int64_t llm_wait_asked_ms(const struct fetch *f);
/* Of an answer that was refused for a limit and says no time of its own: ms until the limit that
 * was met is reset; 0: it says nothing. */
int64_t llm_wait_reset_ms(const struct fetch *f);
/* What a header says of a time, as ms from wall_ms (Unix ms) on: seconds, also with a fraction;
 * "6m0s"; Unix seconds or ms; RFC 3339; the three dates of RFC 9110, 5.6.7. 0: past or nonsense. */
int64_t llm_wait_parse(struct str text, int64_t wall_ms);
/* What an error's words say of a moment ("try again at 2026-11-23T10:12:54Z"), as ms from wall_ms
 * on; 0: nothing. How long it takes is read elsewhere (errors.h). */
int64_t llm_wait_said(struct str words, int64_t wall_ms);
/* "25 s", "3 min (at 14:32 UTC)", "2 h (at 2026-11-29 00:10 UTC)": for sentences. */
enum { LLM_WAIT_WORDS = 48 };
void llm_wait_words(int64_t wait_ms, char out[LLM_WAIT_WORDS]);

#endif
