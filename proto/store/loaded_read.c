#include "proto/store/loaded_read.h"

#include <stdlib.h>
#include <string.h>
#include "proto/store/reply.h"

/* Triples (call id, hash, decision). */
static struct store_decision *read_decisions(const struct redisReply *p, unsigned *count)
{
    *count = redis_count(p) / 3;
    struct store_decision *d = xcalloc(*count + 1, sizeof(*d));
    for (unsigned i = 0; i < *count; i++) {
        int64_t what = redis_int(redis_at(p, 3 * i + 2));
        d[i] = (struct store_decision){redis_text(redis_at(p, 3 * i)),
                                       redis_text(redis_at(p, 3 * i + 1)),
                                       what == 2   ? DECISION_BEGUN
                                       : what == 1 ? DECISION_APPROVED
                                       : what == 0 ? DECISION_REFUSED
                                                   : DECISION_NONE};
    }
    return d;
}

void loaded_read(struct loaded_parts *p, struct id session, uint32_t revision, struct pile *take,
                 const struct redisReply *reply)
{
    const struct redisReply *at = redis_at(reply, 7);
    struct store_load load = {
        .request = redis_text(redis_at(at, 0)),
        .seq = (uint32_t)redis_int(redis_at(at, 1)),
        .step = (uint32_t)redis_int(redis_at(at, 2)),
        .attempt = (uint32_t)redis_int(redis_at(at, 3)),
        .begun_ms = redis_int(redis_at(at, 4)),
        .usage = {(uint64_t)redis_int(redis_at(at, 5)), (uint64_t)redis_int(redis_at(at, 6)),
                  (uint64_t)redis_int(redis_at(at, 7)), (uint64_t)redis_int(redis_at(at, 8))},
        .cancel = redis_int(redis_at(at, 9)) == 1,
        .now_ms = redis_int(redis_at(at, 10)),
        .bytes = redis_int(redis_at(reply, 9)),
    };
    struct str place = redis_text(redis_at(at, 11));
    if (place.len == sizeof(load.place.bytes))
        memcpy(load.place.bytes, place.at, place.len);
    reply_session(redis_at(reply, 6), session, &load.session);
    load.session.revision = revision;
    *p = (struct loaded_parts){.load = load, .pile = *take};
    pile_init(take);
    p->load.decisions = p->decisions = read_decisions(redis_at(reply, 8), &p->load.decision_count);
    p->answer = (struct store_answer){.session = session, .load = &p->load, .pile = &p->pile};
    p->answer.messages = p->messages = pile_messages(&p->pile, &p->answer.message_count);
}

void loaded_free(struct loaded_parts *p)
{
    messages_free(p->messages, p->answer.message_count);
    pile_free(&p->pile);
    free(p->decisions);
}
