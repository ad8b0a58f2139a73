/* proto/store/pile.h: a conversation that comes in pages, gathered; private to this folder. */
#ifndef PROTO_STORE_PILE_H
#define PROTO_STORE_PILE_H

#include "proto/store/call.h"

struct piled;
struct pile { /* zeroed it is empty; whoever has it frees it */
    struct buf records;
    struct piled *all;
    unsigned count, room;
};
void pile_init(struct pile *p);
void pile_free(struct pile *p);
/* A copy of a page: pairs (id, record), pairs (id, flags). False: more than any conversation may
 * take. */
bool pile_add(struct pile *p, const struct redisReply *messages, const struct redisReply *flags);
/* For messages_free; in order. Their texts are the pile's, to which nothing is added any more. */
struct store_message *pile_messages(const struct pile *p, unsigned *count);

#endif
