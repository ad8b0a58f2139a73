/* tests/support/reading.h: a provider's stream read by its format, without a call around it. */
#ifndef TESTS_SUPPORT_READING_H
#define TESTS_SUPPORT_READING_H

#include "worker/llm/intake.h"
#include "worker/llm/llm.h"

struct reading {
    const struct llm_format *format;
    struct reply reply;
    enum err err;
};

static inline bool reading_on_event(void *arg, struct str name, struct str data)
{
    struct reading *r = arg;
    r->err = r->format->event(&r->reply, name, data);
    return r->err == ERR_NONE && !r->reply.ended;
}

static inline void reading_begin(struct reading *r, const struct llm_format *format,
                                 struct intake *in)
{
    static const struct reply_handler nobody;
    *r = (struct reading){.format = format};
    reply_init(&r->reply, 1 << 20, &nobody, NULL);
    intake_init(in, 1 << 20, reading_on_event, r);
}

#endif
