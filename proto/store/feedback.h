/* proto/store/feedback.h: what people think of answers: see answer.h. It is kept with the session;
 * p:rated says which sessions have some. */
#ifndef PROTO_STORE_FEEDBACK_H
#define PROTO_STORE_FEEDBACK_H

#include "proto/store/answer.h"

/* sentiment: 1, -1; 0: it is taken back. The last counts. → model, sentiment (what it was before).
 * ERR_MESSAGE_NOT_FOUND; ERR_INVALID: the message is not an assistant's. */
uint64_t store_feedback_set(struct store *s, struct str owner, struct id session, uint32_t message,
                            int sentiment, struct str comment, store_fn *fn, void *arg);

/* For the operator, of all people. */
struct store_rated {
    uint32_t message;
    int sentiment;
    struct str comment;
    int64_t at_ms;
    const struct store_message *messages; /* from the question up to the answer */
    unsigned message_count;
};
/* A page of the sessions with feedback, the latest first. → sessions (their ids alone), more. */
uint64_t store_rated_list(struct store *s, unsigned from, store_fn *fn, void *arg);
/* Of one session, past a message. → rated, more. */
uint64_t store_rated_get(struct store *s, struct id session, uint32_t after, store_fn *fn,
                         void *arg);

#endif
