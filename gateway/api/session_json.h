/* gateway/api/session_json.h: sessions and their messages as clients see them. Each writes fields
 * into an object that its caller has opened, message a whole one. */
#ifndef GATEWAY_API_SESSION_JSON_H
#define GATEWAY_API_SESSION_JSON_H

#include "proto/store/answer.h"

void session_json_id(struct buf *b, struct id session);
void session_json_summary(struct buf *b, const struct store_session *s); /* as in a list */
void session_json_head(struct buf *b, const struct store_session *s);    /* all but its messages */
void session_json_message(struct buf *b, const struct store_message *m);

#endif
