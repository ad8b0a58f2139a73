/* proto/store/index.h: the indexes outside a session's keys; private to this folder. They are
 * brought up to date after the script that changed something; what a crash leaves out is mended by
 * those that read them. */
#ifndef PROTO_STORE_INDEX_H
#define PROTO_STORE_INDEX_H

#include "proto/store/call.h"

/* Session ids by when something was said of their answers last. More than can be looked through are
 * of no use. */
#define INDEX_RATED "p:rated"
/* Of alerts' reports by when they were begun. */
#define INDEX_REPORTS "p:reports"
enum { INDEX_RATED_MAX = 50000, INDEX_REPORTS_MAX = 1000 };

void index_active_add(struct store *s, struct id session, struct id turn);
void index_active_remove(struct store *s, struct id session, struct id turn);
/* Of sessions with feedback, and of reports: the latest of them are kept. */
void index_rated_add(struct store *s, struct id session);
void index_report_add(struct store *s, struct id session);
/* From both. */
void index_marks_remove(struct store *s, struct id session);
void index_owner_set(struct store *s, struct str owner, struct id session, int64_t updated_ms);
/* Of one that is listed: what was deleted meanwhile stays so. */
void index_owner_move(struct store *s, struct str owner, struct id session, int64_t updated_ms);
/* Those of them that are kept for good. */
void index_owner_keep(struct store *s, struct str owner, struct id session, bool keep);
void index_owner_remove(struct store *s, struct str owner, struct id session);
/* Part of c, which must not end before fn was told: who hears that a session is gone may create one
 * with the same idempotency key at once, by another gateway. */
void index_owner_forget_once(struct store_call *c, command_fn *fn, struct str owner,
                             const char *hash);

#endif
