/* proto/store/loaded_read.h: turn/load's answer as structs; private to this folder. */
#ifndef PROTO_STORE_LOADED_READ_H
#define PROTO_STORE_LOADED_READ_H

#include "proto/store/answer.h"
#include "proto/store/pile.h"

/* It points into itself: it stays where it is. */
struct loaded_parts {
    struct store_answer answer; /* borrows the reply's texts, and all below */
    struct store_load load;
    struct store_decision *decisions;
    struct store_message *messages;
    struct pile pile; /* the messages' texts; store_loaded_keep may take them */
};
/* take: the messages of all pages; empty afterwards. reply: the last page's answer. */
void loaded_read(struct loaded_parts *p, struct id session, uint32_t revision, struct pile *take,
                 const struct redisReply *reply);
void loaded_free(struct loaded_parts *p);

#endif
