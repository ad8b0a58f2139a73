/* proto/store/list.h: the list of an owner's sessions, searched and paged: see answer.h. */
#ifndef PROTO_STORE_LIST_H
#define PROTO_STORE_LIST_H

#include "proto/store/answer.h"

/* → sessions, newest update first, cursor, more. q: words that a title or a message's text contains
 * (ASCII case folded); empty: all. limit 1..200. */
uint64_t store_session_list(struct store *s, struct str owner, struct str q, unsigned limit,
                            struct str cursor, store_fn *fn, void *arg);
/* The same of those that are kept for good. */
uint64_t store_session_list_kept(struct store *s, struct str owner, unsigned limit,
                                 struct str cursor, store_fn *fn, void *arg);

#endif
