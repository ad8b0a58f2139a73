/* Answers of the scripts, of any shape and with any bytes: read as structs that hold what they
 * promise. The bytes are a tree: a kind, a count, then that many of its parts. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "proto/store/reply.h"
#include "tests/fuzz/take.h"

#include <hiredis/hiredis.h> /* after ours: its macro REDIS_OK has the value of our REDIS_OK */

enum { DEPTH_MAX = 6, PARTS_MAX = 24 };

static void free_reply(struct redisReply *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->type == REDIS_REPLY_ARRAY && i < p->elements; i++)
        free_reply(p->element[i]);
    free(p->element);
    free(p->str);
    free(p);
}

/* A text of exactly its length, as large as it is: what reads behind it is seen. */
static void read_text(struct redisReply *p, struct str *rest, size_t len)
{
    p->len = len < rest->len ? len : rest->len;
    p->str = malloc(p->len + 1);
    memcpy(p->str, p->len > 0 ? rest->at : "", p->len);
    p->str[p->len] = '\0'; /* hiredis ends them so */
    *rest = str_skip(*rest, p->len);
}

static struct redisReply *read_reply(struct str *rest, unsigned depth)
{
    struct redisReply *p = calloc(1, sizeof(*p));
    uint8_t kind = take(rest), count = take(rest);
    switch (kind % 6) {
    case 0:
        p->type = REDIS_REPLY_NIL;
        break;
    case 1:
        p->type = REDIS_REPLY_INTEGER;
        p->integer = kind & 0x80 ? INT64_MIN + count : kind & 0x40 ? INT64_MAX - count : count;
        break;
    case 2:
    case 3:
        p->type = kind & 0x80 ? REDIS_REPLY_ERROR : REDIS_REPLY_STRING;
        read_text(p, rest, count);
        break;
    default:
        p->type = REDIS_REPLY_ARRAY;
        p->elements = depth < DEPTH_MAX ? count % PARTS_MAX : 0;
        p->element = calloc(p->elements + 1, sizeof(struct redisReply *));
        for (size_t i = 0; i < p->elements; i++)
            p->element[i] = read_reply(rest, depth + 1);
        break;
    }
    return p;
}

static void check_messages(const struct redisReply *messages, const struct redisReply *flags)
{
    unsigned count = 0;
    struct store_message *m = reply_messages(messages, flags, &count);
    for (unsigned i = 0; i < count; i++)
        CHECK(messages_find(m, count, m[i].message) != NULL);
    messages_free(m, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct redisReply *reply = read_reply(&rest, 0);
    struct store_turn turn;
    struct store_session session;
    struct id id = {{1}};
    reply_turn(reply, id, id, &turn);
    reply_session(reply, id, &session);
    CHECK(turn.state <= TURN_CANCELLED && session.running_state <= TURN_CANCELLED);
    CHECK(session.owner.len == 0 || memchr(session.owner.at, 0, session.owner.len + 1) != NULL);
    check_messages(redis_at(reply, 0), redis_at(reply, 1));
    check_messages(reply, redis_at(reply, 0));
    free_reply(reply);
    return 0;
}
