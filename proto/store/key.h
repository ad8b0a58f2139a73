/* proto/store/key.h: how the keys of Redis are spelled; private to this folder. Those of quotas:
 * quota.h.
 *
 * Keys of one session share the hash tag {SID}:
 *
 *   p:s:{SID}        hash    owner, title, model, settings, turns, mseq, bytes, created, updated,
 *                            running (TID or ''), itok, otok, ctok, cost (usage.h), once (its
 *                            p:i's HASH), body (hash of what was asked for with that key);
 *                            sum, sumto (what a model made of the messages up to that one), mrev
 *                            (how often messages were changed); sources (datasources that the
 *                            person said yes to); share (the token of its readers), sharefor (the
 *                            datasource that these must be allowed to read, or ''); keep (1: it
 *                            never expires); versions (of questions: prelude.lua); fb:MID (what
 *                            its owner said of that answer); kept,
 *                            evat, evkeep, evnow, evwas (bytes of turns that are over, and of
 *                            their streams: prelude.lua)
 *   p:m:{SID}        hash    message id (decimal, growing) -> record_message; vQUESTION:MESSAGE:
 *                            what another version of a question leads to
 *   p:f:{SID}        hash    message id -> flags (p: pinned, x: excluded)
 *   p:w:{SID}        hash    replicated: writes whose copies are waited for (7 d)
 *   p:k:{SID}:HASH   string  idempotency key of a turn -> TID (24 h)
 *   p:l:{SID}        zset    its turns by begin
 *   p:t:{SID}:TID    hash    state, epoch, le and ls (where its last event stands), lease, holder,
 *                            claimer, deaths, loaded and loader (epoch and worker), step, attempt,
 *                            cancel, sealed, req, itok, otok, ctok, cost, begun, first (message),
 *                            ev (bytes of its stream), key (its p:k's HASH), body (hash of what
 *                            was asked for with that key); run (the server on which the
 *                            epoch began), sound (base_replid: the history of that time), torn
 *                            and mended (loss_from, loss_epoch: what was stored past the one,
 *                            before the other, is lost in part); asked (calls that need a decision,
 *                            and the decisions), asks (those that wait, as clients see them),
 *                            wait (until when), decider, decided, place (among its person's
 *                            turns since then: quota.h); goes 7 d after its end: then p:l tells
 *                            that it was
 *   p:e:{SID}:TID    stream  entry EPOCH-LASTSEQ: e = record_event batch
 *   p:u:{OWNER}      zset    SID by last update (mended by who reads it; expires as sessions do)
 *   p:v:{OWNER}      set     those of them that are kept for good
 *   p:i:{OWNER}:HASH string  idempotency key of a session -> SID (24 h)
 *   p:rated          zset    SID with feedback, by when (the latest 50,000)
 *   p:reports        zset    SID of alerts' reports, by when (the latest 1,000)
 *   p:use:DAY        hash    what people used on that day (tally.h)
 *   p:switches       hash    what is switched off: its name -> JSON (switching.h)
 *   p:n:{NAME}       zset    the owners of this name by when they were here last
 *   p:active         zset    turns that are begun and not over, as SID and TID, by begin (active.h)
 *   p:parted         stream  hashes of owners whose conversations went to another or were erased
 *                            (parting.h; for ten minutes)
 */
#ifndef PROTO_STORE_KEY_H
#define PROTO_STORE_KEY_H

#include "proto/store/call.h"

/* The keys of a script: S M F L, and T E of a turn. They come before other arguments. */
void command_session_keys(struct store_command *cmd, struct id session);
void command_turn_keys(struct store_command *cmd, struct id session, struct id turn);
/* Arguments in the form of keys. */
void command_turn_key(struct store_command *cmd, struct id session, struct id turn);
void command_stream_key(struct store_command *cmd, struct id session, struct id turn);
void command_turn_prefix(struct store_command *cmd, struct id session);
void command_stream_prefix(struct store_command *cmd, struct id session);
void command_once_prefix(struct store_command *cmd, struct id session);
void command_once_key(struct store_command *cmd, struct id session, const char *hash);
void command_owner_key(struct store_command *cmd, struct str owner);
void command_kept_key(struct store_command *cmd, struct str owner);
/* Of a person's name: the owners that bore it. */
void command_name_key(struct store_command *cmd, struct str name);
void command_owner_once_key(struct store_command *cmd, struct str owner, const char *hash);
void command_tally_key(struct store_command *cmd, unsigned day); /* the one key of a script */
void command_active_key(struct store_command *cmd);
/* The one key of a script: S alone; what the owner keeps in all, in the slot of quota.h's p:a. */
void command_session_key(struct store_command *cmd, struct id session);
void command_storage_key(struct store_command *cmd, struct str owner);
void command_active_entry(struct store_command *cmd, struct id session, struct id turn);

/* Of an idempotency key. */
void store_hash(struct str key, char out[STORE_HASH_TEXT + 1]);
int64_t store_once_ms(const struct store *s); /* how long an idempotency key is kept */

#endif
