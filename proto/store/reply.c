#include "proto/store/reply.h"

#include <stdlib.h>
#include <string.h>
#include "common/log.h"

/* Answers of the scripts as structs. They are data from outside: what has the wrong type reads as
 * empty, what does not fit is cut or left out. */
static int64_t num_at(const struct redisReply *p, unsigned i) { return redis_int(redis_at(p, i)); }
static struct str text_at(const struct redisReply *p, unsigned i)
{
    return redis_text(redis_at(p, i));
}
static uint32_t u32_at(const struct redisReply *p, unsigned i)
{
    int64_t n = num_at(p, i);
    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}
static uint64_t u64_at(const struct redisReply *p, unsigned i)
{
    int64_t n = num_at(p, i);
    return n < 0 ? 0 : (uint64_t)n;
}

static enum turn_state state_of(struct str word)
{
    for (enum turn_state s = TURN_NONE; s <= TURN_CANCELLED; s++)
        if (str_is(word, turn_state_word(s)))
            return s;
    return TURN_NONE;
}

void reply_turn(const struct redisReply *p, struct id session, struct id turn,
                struct store_turn *out)
{
    *out = (struct store_turn){
        .session = session,
        .turn = turn,
        .state = state_of(text_at(p, 0)),
        .epoch = u32_at(p, 1),
        .last = {u32_at(p, 2), u32_at(p, 3)},
        .lease_ms = num_at(p, 4),
        .waiting_ms = num_at(p, 5),
        .cancel = num_at(p, 6) == 1,
        .loss_epoch = u32_at(p, 8),
        .decide_ms = num_at(p, 7),
        .holder = text_at(p, 9),
    };
}

void reply_session(const struct redisReply *p, struct id session, struct store_session *out)
{
    *out = (struct store_session){
        .session = session,
        .owner = text_at(p, 0),
        .title = text_at(p, 1),
        .model = text_at(p, 2),
        .settings = text_at(p, 3),
        .created_ms = num_at(p, 4),
        .updated_ms = num_at(p, 5),
        .turns = u32_at(p, 6),
        .running_state = state_of(text_at(p, 8)),
        .running_epoch = u32_at(p, 9),
        .running_lease_ms = num_at(p, 10),
        .usage = {u64_at(p, 11), u64_at(p, 12), u64_at(p, 13), u64_at(p, 14)},
        .running_approvals = text_at(p, 15),
        .keep = num_at(p, 16) == 1,
        .summary = text_at(p, 17),
        .summary_to = u32_at(p, 18),
        .revision = u32_at(p, 19),
        .share = text_at(p, 20),
        .share_path = text_at(p, 21),
        .versions = text_at(p, 22),
    };
    if (!id_parse(text_at(p, 7), &out->running))
        out->running = (struct id){{0}};
}

static int by_message(const void *a, const void *b)
{
    uint32_t x = ((const struct store_message *)a)->message;
    uint32_t y = ((const struct store_message *)b)->message;
    return (x > y) - (x < y);
}

struct store_message *messages_find(struct store_message *m, unsigned count, uint32_t message)
{
    struct store_message key = {.message = message};
    return count == 0 ? NULL : bsearch(&key, m, count, sizeof(*m), by_message);
}

struct str reply_flags(const struct redisReply *flags, unsigned *at, struct str id)
{
    if (*at + 1 >= redis_count(flags) || !str_eq(text_at(flags, *at), id))
        return STR("");
    struct str letters = text_at(flags, *at + 1);
    *at += 2;
    return letters;
}

bool reply_flag(struct str letters, char letter)
{
    return letters.len > 0 && memchr(letters.at, letter, letters.len);
}

struct store_message *reply_messages(const struct redisReply *messages,
                                     const struct redisReply *flags, unsigned *count)
{
    unsigned pairs = redis_count(messages) / 2, kept = 0, flag = 0;
    struct store_message *m = xcalloc(pairs + 1, sizeof(*m));
    for (unsigned i = 0; i < pairs; i++) {
        struct str id = text_at(messages, 2 * i), letters = reply_flags(flags, &flag, id);
        uint64_t number;
        if (!str_u64(id, UINT32_MAX, &number) ||
            record_message_decode(text_at(messages, 2 * i + 1), &m[kept].record) != ERR_NONE) {
            /* one spoilt record must not take the conversation with it */
            log_error("store.bad_record", "message=%s", log_text(id));
            continue;
        }
        m[kept].message = (uint32_t)number;
        m[kept].pinned = reply_flag(letters, 'p');
        m[kept++].excluded = reply_flag(letters, 'x');
    }
    qsort(m, kept, sizeof(*m), by_message);
    *count = kept;
    return m;
}

void reply_feedback(struct store_message *m, unsigned count, const struct redisReply *said)
{
    for (unsigned i = 0; i + 2 < redis_count(said); i += 3) {
        struct store_message *found = messages_find(m, count, u32_at(said, i));
        if (!found)
            continue;
        found->sentiment = num_at(said, i + 1) > 0 ? 1 : -1;
        found->comment = text_at(said, i + 2);
    }
}

void messages_free(struct store_message *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        record_message_free(&m[i].record);
    free(m);
}
