/* gateway/api/session_md.h: a conversation as Markdown, to be kept or handed on: questions and
 * answers, and of each query its text, datasource, time range and the table of its series.
 *
 * What tools said is data: it stands in tables and code, where nothing of it is Markdown. */
#ifndef GATEWAY_API_SESSION_MD_H
#define GATEWAY_API_SESSION_MD_H

#include "proto/store/answer.h"

void session_md_head(struct buf *b, const struct store_session *s);
void session_md_message(struct buf *b, const struct store_message *m);

#endif
