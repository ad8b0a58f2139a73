/* proto/store/share.h: a session that others may read, until its owner takes that back: see
 * answer.h. What is shared is known by its session and a token of 128 random bits, which is kept
 * with the session: it goes with it, and a reader's every page asks for it anew
 * (session.h: store_shared_page). */
#ifndef PROTO_STORE_SHARE_H
#define PROTO_STORE_SHARE_H

#include "proto/store/answer.h"

/* → share: its token; one that is shared already keeps the one it has. path: of the datasource that
 * a reader must be allowed to read, or empty. */
uint64_t store_session_share(struct store *s, struct str owner, struct id session, struct str path,
                             store_fn *fn, void *arg);
/* Nobody else may read it any more; shared again it gets another token. */
uint64_t store_session_unshare(struct store *s, struct str owner, struct id session, store_fn *fn,
                               void *arg);

/* An alert's report: shared for a datasource, and in the list of reports. → share */
uint64_t store_report_share(struct store *s, struct str owner, struct id session, struct str path,
                            store_fn *fn, void *arg);
enum { STORE_REPORTS_MAX = 50 };
/* → sessions: the latest reports, their title, created_ms, share and share_path, whoever asks. */
uint64_t store_reports_list(struct store *s, store_fn *fn, void *arg);

#endif
