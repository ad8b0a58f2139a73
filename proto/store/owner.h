/* proto/store/owner.h: which owners there were of a name, and sessions that become another's: see
 * answer.h. An owner is any text of at most 1024 bytes. */
#ifndef PROTO_STORE_OWNER_H
#define PROTO_STORE_OWNER_H

#include "proto/store/answer.h"

/* This owner was here: it is one of that name, until its sessions would have expired. */
void store_owner_seen(struct store *s, struct str name, struct str owner);
/* → owners: one that is the name itself, then those seen of it, the latest first, then those that
 * only have a list of sessions by now (all keys are looked at; in a Cluster one node's): who keeps
 * some is not seen any more for as long as they don't come. */
uint64_t store_owner_list(struct store *s, struct str name, store_fn *fn, void *arg);
/* The sessions of one owner that were created at or after since_ms (Unix ms) become another's:
 * their turns go on, quotas are counted but not asked. → moved. What was moved before an error
 * stays so, and the same call again goes on. ERR_INVALID: they are one owner, or none. */
uint64_t store_owner_move(struct store *s, struct str from, struct str to, int64_t since_ms,
                          store_fn *fn, void *arg);

#endif
