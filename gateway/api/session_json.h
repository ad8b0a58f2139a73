/* gateway/api/session_json.h: sessions and their messages as clients see them. Each writes fields
 * into an object that its caller has opened, message a whole one. */
#ifndef GATEWAY_API_SESSION_JSON_H
#define GATEWAY_API_SESSION_JSON_H

#include "proto/store/answer.h"

void session_json_id(struct buf *b, struct id session);
void session_json_summary(struct buf *b, const struct store_session *s); /* as in a list */
void session_json_head(struct buf *b, const struct store_session *s);    /* all but its messages */
/* What others see of it: no settings, no approvals, no summary. */
void session_json_head_shared(struct buf *b, const struct store_session *s);

/* "share_id": its session's id, then the token; null where it is not shared. */
void session_json_share_id(struct buf *b, struct id session, struct str share);
/* What is shared: "share_id", and the "path" where it is read. */
void session_json_share(struct buf *b, struct id session, struct str share);

/* Whose results a reader sees: those of datasources for which sees() says so. */
struct session_view {
    bool (*sees)(void *arg, struct str datasource);
    void *arg;
};
/* view NULL: the owner's. A reader sees neither thoughts, which quote results freely, nor what the
 * owner had before them (variables, an alert, datasources), nor what they said of answers. */
void session_json_message(struct buf *b, const struct store_message *m,
                          const struct session_view *view);

#endif
