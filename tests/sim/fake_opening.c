/* What begin.lua packs for a turn's worker. */
#include <stdio.h>
#include "proto/pack.h"
#include "proto/store/turn.h"
#include "tests/sim/fake_redis.h"

enum { MESSAGES_BYTES_MAX = STORE_OPENING_MAX / 2 };

static void pack_numbers(struct buf *b, const uint64_t *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pack_u64(b, numbers[i]);
}

static void pack_number_text(struct buf *b, uint32_t n)
{
    char text[16];
    snprintf(text, sizeof text, "%u", n);
    pack_text(b, str_of(text));
}

static void pack_messages(struct buf *b, const struct fake_session *s)
{
    unsigned flagged = 0;
    pack_array(b, 2 * s->message_count);
    for (unsigned i = 0; i < s->message_count; i++) {
        pack_number_text(b, s->messages[i].message);
        pack_text(b, blob_str(s->messages[i].record));
        flagged += s->messages[i].pinned || s->messages[i].excluded;
    }
    pack_array(b, 2 * flagged);
    for (unsigned i = 0; i < s->message_count; i++) {
        const struct fake_message *m = &s->messages[i];
        if (!m->pinned && !m->excluded)
            continue;
        pack_number_text(b, m->message);
        pack_text(b, str_of(m->pinned && m->excluded ? "px" : m->pinned ? "p" : "x"));
    }
}

static void pack_session(struct buf *b, const struct redis *r, const struct fake_session *s,
                         const struct fake_turn *t)
{
    char running[ID_TEXT + 1];
    id_text(t->turn, running);
    pack_array(b, 23);
    pack_text(b, str_of(s->owner));
    pack_text(b, blob_str(s->title));
    pack_text(b, blob_str(s->model));
    pack_text(b, blob_str(s->settings));
    pack_numbers(b, (uint64_t[]){(uint64_t)s->created_ms, (uint64_t)s->updated_ms, s->turns}, 3);
    pack_text(b, str_of(running));
    pack_text(b, str_of(turn_state_word(t->state)));
    pack_numbers(b,
                 (uint64_t[]){t->epoch, (uint64_t)(t->lease_ms - r->now_ms), s->usage.input_tokens,
                              s->usage.output_tokens, s->usage.cached_tokens, s->usage.cost},
                 6);
    pack_text(b, STR(""));
    pack_u64(b, 0);
    pack_text(b, blob_str(s->summary));
    pack_numbers(b, (uint64_t[]){s->summary_to, s->revision}, 2);
    for (unsigned i = 0; i < 3; i++)
        pack_text(b, STR(""));
}

void answer_opening(struct redis *r, const struct fake_session *s, const struct fake_turn *t,
                    struct fake_reply *out)
{
    scoped_buf(b, STORE_OPENING_MAX);
    if (s->bytes > MESSAGES_BYTES_MAX)
        return;
    pack_array(&b, 10);
    pack_text(&b, STR("ok"));
    pack_messages(&b, s);
    pack_numbers(&b, (uint64_t[]){s->mseq, s->mseq, s->revision}, 3);
    pack_session(&b, r, s, t);
    pack_array(&b, 12);
    pack_text(&b, blob_str(t->request));
    pack_numbers(
        &b, (uint64_t[]){1, 1, 1, (uint64_t)t->begun_ms, 0, 0, 0, 0, 0, (uint64_t)r->now_ms}, 10);
    pack_text(&b, STR(""));
    pack_array(&b, 0);
    pack_u64(&b, 0);
    struct blob *blob = blob_new(buf_str(&b));
    out->answer.opening = reply_hold(out, blob);
    blob_free(blob);
}
