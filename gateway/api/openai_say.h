/* gateway/api/openai_say.h: a turn's events as the answer of OpenAI's chat completions
 * (platform.openai.com/docs/api-reference/chat/streaming). Pure.
 *
 * What was streamed can't be taken back there. A step that is run again after a crash repeats
 * itself as a rule: what comes again as it was is not said twice; where it differs, a new paragraph
 * begins with it. An answer in one piece has the last attempt alone. */
#ifndef GATEWAY_API_OPENAI_SAY_H
#define GATEWAY_API_OPENAI_SAY_H

#include <jansson.h>
#include <stdint.h>
#include "common/buf.h"
#include "gateway/api/openai_ask.h"
#include "proto/err.h"

struct openai_say_config {
    const char *id;    /* of the completion */
    struct str model;  /* as it was asked for */
    int64_t created_s; /* Unix time */
    bool stream;       /* in chunks; else in one piece */
    bool usage;        /* a chunk with it */
    bool activity;     /* reasoning and tools, as reasoning_content */
};
enum openai_state { OPENAI_GOES_ON, OPENAI_ANSWERED, OPENAI_FAILED };
struct openai_say {
    struct openai_say_config config;
    enum openai_state state;
    enum err err;         /* FAILED: what to answer, when nothing was said yet */
    struct buf head;      /* what each chunk begins with */
    struct buf step;      /* the text of this step that was said, escaped */
    struct buf text;      /* not stream: all of it, escaped */
    struct buf reasoning; /* the same of that */
    size_t matched;       /* of step: has come again */
    bool again, parted;   /* the step runs again; text of an earlier step is before it */
    bool awaits;          /* it ended since a person's yes is needed */
    char message[512];    /* FAILED: a sentence */
};
void openai_say_init(struct openai_say *s, const struct openai_say_config *c);
void openai_say_free(struct openai_say *s);
/* out: the chunks that this event is; or, at the end of one in one piece, all of the answer. */
void openai_say_event(struct openai_say *s, struct str payload, struct buf *out);

/* How err is answered, where their word or status for it is not ours. sentence: "". */
struct openai_fault openai_fault_of(enum err err);

/* {"error": {message, type, param, code}}. param NULL: none. */
void openai_error(struct buf *b, unsigned status, const char *sentence, const char *param,
                  const char *code);

#endif
