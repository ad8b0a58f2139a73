/* proto/store/reply.h: answers of the scripts as structs; private to this folder. They are data
 * from outside: what has the wrong type reads as empty, what does not fit is cut or left out. */
#ifndef PROTO_STORE_REPLY_H
#define PROTO_STORE_REPLY_H

#include "proto/store/call.h"

void reply_turn(const struct redisReply *p, struct id session, struct id turn,
                struct store_turn *out);
void reply_session(const struct redisReply *p, struct id session, struct store_session *out);
struct store_message *reply_messages(const struct redisReply *messages,
                                     const struct redisReply *flags, unsigned *count);
/* The letters of a message (p: pinned, x: excluded) in flags, which has pairs (message id,
 * letters) of few messages, in the messages' order; at: how far it is read, 0 at first. */
struct str reply_flags(const struct redisReply *flags, unsigned *at, struct str id);
bool reply_flag(struct str letters, char letter);
struct store_message *messages_find(struct store_message *m, unsigned count, uint32_t message);
/* said: triples (message id, sentiment, comment). */
void reply_feedback(struct store_message *m, unsigned count, const struct redisReply *said);
void messages_free(struct store_message *m, unsigned count);

#endif
