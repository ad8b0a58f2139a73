#include "proto/store/pile.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/store/reply.h"

enum { PILE_BYTES_MAX = 1 << 30 }; /* what PERSAI_SESSION_BYTES may be at most */

struct piled {
    uint32_t message;
    size_t end; /* of its record, which begins where the one before ends */
    bool pinned, excluded;
};

void pile_init(struct pile *p)
{
    *p = (struct pile){0};
    buf_init(&p->records, PILE_BYTES_MAX);
}

void pile_free(struct pile *p)
{
    buf_free(&p->records);
    free(p->all);
    *p = (struct pile){0};
}

bool pile_add(struct pile *p, const struct redisReply *messages, const struct redisReply *flags)
{
    unsigned flag = 0;
    for (unsigned i = 0; i + 1 < redis_count(messages); i += 2) {
        uint64_t number;
        struct str id = redis_text(redis_at(messages, i)), letters = reply_flags(flags, &flag, id);
        if (!str_u64(id, UINT32_MAX, &number))
            continue;
        if (!buf_add_str(&p->records, redis_text(redis_at(messages, i + 1))))
            return false;
        if (p->count == p->room) {
            p->room = p->room ? 2 * p->room : 64;
            p->all = xrealloc(p->all, p->room * sizeof(*p->all));
        }
        p->all[p->count++] = (struct piled){.message = (uint32_t)number,
                                            .end = p->records.len,
                                            .pinned = reply_flag(letters, 'p'),
                                            .excluded = reply_flag(letters, 'x')};
    }
    return true;
}

struct store_message *pile_messages(const struct pile *p, unsigned *count)
{
    struct store_message *m = xcalloc(p->count + 1, sizeof(*m));
    size_t from = 0;
    *count = 0;
    for (unsigned i = 0; i < p->count; i++) {
        const struct piled *one = &p->all[i];
        bool empty = one->end == from; /* of spoilt ones alone there are no bytes at all */
        struct str record = {empty ? NULL : p->records.at + from, one->end - from};
        struct store_message *to = &m[*count];
        from = one->end;
        if (record_message_decode(record, &to->record) != ERR_NONE) {
            /* one spoilt record must not take the conversation with it */
            log_error("store.bad_record", "message=%u", one->message);
            continue;
        }
        to->message = one->message;
        to->pinned = one->pinned;
        to->excluded = one->excluded;
        ++*count;
    }
    return m;
}
