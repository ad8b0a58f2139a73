/* proto/store/storage.h: what one person keeps in all: sessions and bytes; private to this
 * folder. */
#ifndef PROTO_STORE_STORAGE_H
#define PROTO_STORE_STORAGE_H

#include "proto/store/call.h"

enum {
    SESSION_BYTES_MIN = 1024
}; /* of an empty one, as Redis holds it: prelude.lua has the same */
/* Takes bytes (all that the call's session has, or with add: more than it has) of the call's
 * owner's quota, then goes on; else the call ends with ERR_TOO_MANY_SESSIONS or ERR_QUOTA_EXCEEDED.
 */
void storage_take(struct store_call *c, int64_t bytes, bool add,
                  void (*then)(struct store_call *c));
/* Counts all sessions of the call's owner, then goes on; a call does it once at most, and only
 * when the last count is so old that it may be wrong (storage_stale). */
void storage_count(struct store_call *c, void (*then)(struct store_call *c));
bool storage_stale(const struct store_call *c, int64_t since_ms);
/* The bytes that a session has now; 0: it is gone. One that the owner's quota does not know was
 * deleted meanwhile: nothing is noted. */
void storage_note(struct store *s, struct str owner, struct id session, int64_t bytes);
/* The same as a part of c, which must not end before fn was told: what became free can be taken by
 * whoever hears c's answer. False: nothing is noted, fn will not be called. */
bool storage_note_in(struct store_call *c, command_fn *fn, struct str owner, struct id session,
                     int64_t bytes);
/* The same of one that was another owner's until now. */
bool storage_note_moved(struct store_call *c, command_fn *fn, struct str owner, struct id session,
                        int64_t bytes);

#endif
