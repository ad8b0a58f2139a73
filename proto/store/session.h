/* proto/store/session.h: sessions and their messages: see answer.h. */
#ifndef PROTO_STORE_SESSION_H
#define PROTO_STORE_SESSION_H

#include "proto/store/answer.h"

/* → session (its id). key: idempotency key or empty. body: hash of what is asked for, or empty: a
 * key that came before with another one is ERR_IDEMPOTENCY_MISMATCH. */
uint64_t store_session_create(struct store *s, struct str owner, struct str key, struct str body,
                              struct str title, struct str model, store_fn *fn, void *arg);
struct store_seed {
    struct str owner, title;
    struct id session; /* chosen by the caller; the same again is as it was */
    const struct record_message *messages;
    unsigned count;
    int64_t life_ms; /* not 0: it is in no list, and goes that long after its last change */
};
/* A session with the messages that its client brings. ERR_SESSION_NOT_FOUND: it is another's. */
uint64_t store_session_seed(struct store *s, const struct store_seed *seed, store_fn *fn,
                            void *arg);
/* → sessions[0]. */
uint64_t store_session_get(struct store *s, struct str owner, struct id session, store_fn *fn,
                           void *arg);
/* A page of its messages past `after`, about as many bytes as asked for, at least one message. →
 * messages, page_end, upto, more; after 0: sessions[0] too. The next page: after page_end, up to
 * the first one's upto, so that all pages are of one moment, but for what was removed meanwhile. */
uint64_t store_session_page(struct store *s, struct str owner, struct id session, uint32_t after,
                            uint32_t upto, uint32_t bytes, store_fn *fn, void *arg);
/* The same, with what other versions of its questions led to: that is not in the conversation. */
uint64_t store_session_whole_page(struct store *s, struct str owner, struct id session,
                                  uint32_t after, uint32_t upto, uint32_t bytes, store_fn *fn,
                                  void *arg);
/* The same for one who knows the token by which it is shared (share.h), of any session. */
uint64_t store_shared_page(struct store *s, struct str share, struct id session, uint32_t after,
                           uint32_t upto, uint32_t bytes, store_fn *fn, void *arg);
struct store_patch {
    const struct str *title, *model, *settings; /* NULL: as it is */
    const bool *keep; /* whether it stays however long nobody changes it; NULL: as it is */
};
/* What a model calls it, unless its title is no more `given`; empty: nothing. used: by that. */
uint64_t store_session_title(struct store *s, struct str owner, struct id session, struct str given,
                             struct str title, const struct usage *used, store_fn *fn, void *arg);
uint64_t store_session_patch(struct store *s, struct str owner, struct id session,
                             const struct store_patch *p, store_fn *fn, void *arg);
/* Removes every key of it; a running turn is fenced by that. → turn.turn: the turn that was
 * running, or zero. */
uint64_t store_session_delete(struct store *s, struct str owner, struct id session, store_fn *fn,
                              void *arg);
/* → session: a new one with the messages before `before` (ERR_MESSAGE_NOT_FOUND), title, model,
 * settings. */
uint64_t store_session_fork(struct store *s, struct str owner, struct id session, uint32_t before,
                            store_fn *fn, void *arg);
/* ERR_MESSAGE_NOT_FOUND. -1: as it is, 0, 1. */
uint64_t store_message_patch(struct store *s, struct str owner, struct id session, uint32_t message,
                             int pinned, int excluded, store_fn *fn, void *arg);
/* Shows that version of a question, with all that came of it, instead of the one that is shown.
 * ERR_TURN_RUNNING, ERR_MESSAGE_NOT_FOUND. */
uint64_t store_version_show(struct store *s, struct str owner, struct id session, uint32_t message,
                            store_fn *fn, void *arg);
/* ERR_TURN_RUNNING while the message belongs to the running turn. */
uint64_t store_message_delete(struct store *s, struct str owner, struct id session,
                              uint32_t message, store_fn *fn, void *arg);

#endif
