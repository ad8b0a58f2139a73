#include "common/redis/reply.h"

#include <hiredis/hiredis.h> /* after ours: its macro REDIS_OK has the value of our REDIS_OK */

struct str redis_text(const struct redisReply *p)
{
    if (p == NULL || (p->type != REDIS_REPLY_STRING && p->type != REDIS_REPLY_STATUS &&
                      p->type != REDIS_REPLY_ERROR))
        return (struct str){NULL, 0};
    return (struct str){p->str, p->len};
}

int64_t redis_int(const struct redisReply *p)
{
    uint64_t n = 0;
    if (p != NULL && p->type == REDIS_REPLY_INTEGER)
        return p->integer;
    struct str text = redis_text(p);
    bool minus = text.len > 0 && text.at[0] == '-';
    if (!str_u64(str_skip(text, minus), INT64_MAX, &n))
        return 0;
    return minus ? -(int64_t)n : (int64_t)n;
}

unsigned redis_count(const struct redisReply *p)
{
    return p != NULL && p->type == REDIS_REPLY_ARRAY ? (unsigned)p->elements : 0;
}

const struct redisReply *redis_at(const struct redisReply *p, unsigned i)
{
    return i < redis_count(p) ? p->element[i] : NULL;
}

struct redisReply *redis_reply_read(struct str bytes)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    bool whole = reader && redisReaderFeed(reader, bytes.at, bytes.len) == 0 &&
                 redisReaderGetReply(reader, &reply) == 0;
    redisReaderFree(reader);
    if (whole)
        return reply;
    freeReplyObject(reply);
    return NULL;
}

void redis_reply_free(struct redisReply *p) { freeReplyObject(p); }
