/* proto/store/erase.h: everything that is kept of one owner: see answer.h. */
#ifndef PROTO_STORE_ERASE_H
#define PROTO_STORE_ERASE_H

#include "proto/store/answer.h"

/* All keys of Redis are looked at. → sessions: the ids of all that are this owner's, listed or not;
 * more than 100,000 need another look. Places and keys of theirs that belong to no session are
 * removed on the way, with erase. (In a Cluster, where one node's keys are seen: of those that are
 * in none of the owner's lists not all.) */
uint64_t store_owner_find(struct store *s, struct str owner, bool erase, store_fn *fn, void *arg);
/* Their lists, counts and budgets → removed: how many there were. Their sessions were deleted
 * before. name: "", or their owner is no longer known by it: at last, since by it the rest is found
 * again. */
uint64_t store_owner_wipe(struct store *s, struct str owner, struct str name, store_fn *fn,
                          void *arg);

#endif
