/* proto/store/parting.h: owners whose conversations are not theirs any more, told to every gateway:
 * a stream that was begun before is not asked again whose it is. See answer.h. */
#ifndef PROTO_STORE_PARTING_H
#define PROTO_STORE_PARTING_H

#include "proto/store/answer.h"

/* What this owner has was handed on or erased. Kept is a hash of the owner, for ten minutes. */
uint64_t store_owner_part(struct store *s, struct str owner, store_fn *fn, void *arg);
/* → parted: those since the answer that had this cursor; cursor: for the next time, "": the same.
 * Asked with "": all of the last ten minutes. Who is cut in vain asks again, and is let in. */
uint64_t store_owners_parted(struct store *s, struct str cursor, store_fn *fn, void *arg);
/* Is it this owner's? */
bool store_owner_is(struct str owner, struct str parted);

#endif
