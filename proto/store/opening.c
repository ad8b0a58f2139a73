/* What a begin brings the worker that it gives the turn to: the answer of turn/load in MessagePack,
 * as the cmsgpack of Redis's Lua writes it (redis.io, "Redis Lua API reference"). It is read as
 * that answer is: as Redis's protocol. */
#include "common/redis/reply.h"
#include "proto/pack.h"
#include "proto/store/loaded_read.h"
#include "proto/store/turn.h"

enum { OPENING_DEPTH = 4, RESP_BYTES_MAX = 4 * STORE_OPENING_MAX };

static bool put(struct str *rest, struct buf *resp, unsigned depth)
{
    struct pack_value v;
    uint32_t count;
    if (depth > 0 && pack_read_array(rest, &count)) {
        buf_puts(resp, "*");
        buf_u64(resp, count);
        buf_puts(resp, "\r\n");
        for (uint32_t i = 0; i < count; i++)
            if (!put(rest, resp, depth - 1))
                return false;
        return !resp->overflowed;
    }
    if (!pack_read(rest, &v))
        return false;
    buf_puts(resp, v.type == PACK_NUMBER ? ":" : "$");
    buf_u64(resp, v.type == PACK_NUMBER ? v.number : v.bytes.len);
    buf_puts(resp, "\r\n");
    if (v.type == PACK_NUMBER)
        return true;
    buf_add_str(resp, v.bytes);
    return buf_puts(resp, "\r\n");
}

bool store_opening_read(struct str opening, struct id session, store_fn *fn, void *arg)
{
    scoped_buf(resp, RESP_BYTES_MAX);
    if (!put(&opening, &resp, OPENING_DEPTH) || opening.len > 0)
        return false;
    struct redisReply *reply = redis_reply_read(buf_str(&resp));
    struct pile pile;
    pile_init(&pile);
    bool whole = str_is(redis_text(redis_at(reply, 0)), "ok") && redis_count(reply) == 10 &&
                 redis_count(redis_at(reply, 1)) > 0 && redis_count(redis_at(reply, 7)) == 12 &&
                 pile_add(&pile, redis_at(reply, 1), redis_at(reply, 2));
    if (whole) {
        struct loaded_parts p;
        loaded_read(&p, session, (uint32_t)redis_int(redis_at(reply, 5)), &pile, reply);
        fn(arg, ERR_NONE, &p.answer);
        loaded_free(&p);
    }
    pile_free(&pile);
    redis_reply_free(reply);
    return whole;
}
