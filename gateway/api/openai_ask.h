/* gateway/api/openai_ask.h: the body of OpenAI's chat completions: what is asked, and the history
 * that its client brings. Pure. */
#ifndef GATEWAY_API_OPENAI_ASK_H
#define GATEWAY_API_OPENAI_ASK_H

#include <jansson.h>
#include "common/buf.h"
#include "proto/record.h"

/* A thousand messages, or more than 2 MiB of them, are no history of a conversation about metrics:
 * no model's window takes them. */
enum { OPENAI_MESSAGES_MAX = 512, OPENAI_BODY_MAX = 2 << 20 };

struct openai_ask { /* texts: of the body, or of own */
    bool stream, usage, activity;
    struct str asked_model; /* as it was asked for, for the answer */
    struct str model;       /* the provider's; empty: the default one */
    struct str question;
    struct record_message history[OPENAI_MESSAGES_MAX];
    unsigned history_count;
    char *own[2 * OPENAI_MESSAGES_MAX];
    unsigned own_count;
};
struct openai_fault {
    unsigned status;
    const char *sentence, *param, *code; /* param NULL: none */
};
/* False: fault says why. out is to be freed either way. Fields that we do not know are left. */
bool openai_ask_read(const json_t *body, struct openai_ask *out, struct openai_fault *fault);
void openai_ask_free(struct openai_ask *a);

#endif
