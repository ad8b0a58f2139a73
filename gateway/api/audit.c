#include "gateway/api/audit.h"

#include "common/audit.h"
#include "common/json.h"
#include "common/loop.h"

enum {
    LINE_BYTES_MAX = 16 << 10,
    SENDERS = 256,           /* who shares one is refused together with another: no harm */
    REFUSED_AT_ONCE = 100,   /* a client that is wrong shows itself in fewer */
    REFUSED_EVERY_MS = 1000, /* of 0.8 KB: 70 MB a day */
};

/* Of what is refused a sender may have that many lines: else who can't even sign in would fill the
 * disk, and stop all where the audit must be written. */
static struct sender {
    int64_t due_ms; /* all are its again */
    uint64_t left_out;
} senders[SENDERS];

/* All who are not signed in are one. */
static struct sender *sender_of(struct str owner)
{
    return &senders[owner.len > 0 ? 1 + str_hash(STR_HASH_NONE, owner) % (SENDERS - 1) : 0];
}

/* False: the line is left out, and counted in its sender's next one. */
static bool may_be_refused(struct sender *s)
{
    int64_t now_ms = (int64_t)(loop_hr_ns() / 1000000);
    int64_t due_ms = s->due_ms > now_ms ? s->due_ms : now_ms;
    bool fine = due_ms - now_ms < (int64_t)REFUSED_AT_ONCE * REFUSED_EVERY_MS;
    if (fine)
        s->due_ms = due_ms + REFUSED_EVERY_MS;
    else
        s->left_out++;
    return fine;
}

static void field_left_out(struct buf *line, struct sender *s)
{
    if (s->left_out > 0)
        json_field_u64(line, "left_out", s->left_out);
    s->left_out = 0;
}

/* None is "". */
static void field_id(struct buf *b, const char *name, struct id id)
{
    if (id_is_zero(id))
        json_field(b, name, STR(""));
    else
        id_field(b, name, id);
}

/* The beginning of what a client sent; whole characters are json_field's. */
static struct str short_of(struct str s)
{
    enum { TEXT_BYTES_MAX = 512 };
    return s.len > TEXT_BYTES_MAX ? (struct str){s.at, TEXT_BYTES_MAX} : s;
}

static void begin(struct buf *line, const char *act, struct str owner, const char *door,
                  const char *key)
{
    audit_begin(line, act);
    audit_person(line, owner);
    json_field(line, "door", str_of(door));
    json_field(line, "key", str_of(key));
}

void audit_request(const struct audit_request *r)
{
    struct sender *sender = sender_of(r->owner);
    bool refused = r->err || r->status == 0 || r->status >= 400;
    if (!audit_on() || !r->act || (refused && !may_be_refused(sender)))
        return;
    scoped_buf(line, LINE_BYTES_MAX);
    begin(&line, r->act, r->owner, r->door, r->key);
    field_id(&line, "session_id", r->session);
    field_id(&line, "turn_id", r->turn);
    json_field(&line, "datasource", short_of(r->datasource));
    json_field_u64(&line, "status", r->status);
    json_field(&line, "outcome",
               r->status == 0    ? STR("client_left")
               : r->err          ? str_of(err_word(r->err))
               : r->status < 400 ? STR("ok")
                                 : STR("refused"));
    field_left_out(&line, sender);
    audit_end(&line);
}

void audit_alert(struct str owner, const char *key, struct id session, struct id turn,
                 struct str datasource, enum err err)
{
    if (!audit_on())
        return;
    scoped_buf(line, LINE_BYTES_MAX);
    begin(&line, "alert", owner, "webhook", key);
    field_id(&line, "session_id", session);
    field_id(&line, "turn_id", turn);
    json_field(&line, "datasource", short_of(datasource));
    json_field(&line, "outcome", err ? str_of(err_word(err)) : STR("ok"));
    audit_end(&line);
}

void audit_turn_given_up(struct str owner, struct id session, struct id turn, enum err why)
{
    if (!audit_on())
        return;
    scoped_buf(line, LINE_BYTES_MAX);
    audit_begin(&line, "turn_end");
    audit_person(&line, owner);
    field_id(&line, "session_id", session);
    field_id(&line, "turn_id", turn);
    json_field(&line, "model", STR(""));
    json_field(&line, "outcome", STR("failed"));
    json_field(&line, "error", str_of(err_word(why)));
    audit_end(&line);
}

void audit_decisions(struct str owner, struct id session, struct id turn, const char *door,
                     const char *key, const json_t *decisions, enum err err)
{
    const json_t *one;
    size_t i;
    struct sender *sender = sender_of(owner);
    if (!audit_on())
        return;
    json_array_foreach((json_t *)decisions, i, one)
    {
        if (err && !may_be_refused(sender))
            continue;
        bool yes = json_is_true(json_object_get(one, "approve"));
        scoped_buf(line, LINE_BYTES_MAX);
        begin(&line, "decision", owner, door, key);
        field_id(&line, "session_id", session);
        field_id(&line, "turn_id", turn);
        json_field(&line, "call_id", short_of(json_text(json_object_get(one, "call_id"))));
        json_field(&line, "arguments_hash",
                   short_of(json_text(json_object_get(one, "arguments_hash"))));
        json_field(&line, "decision", yes ? STR("approved") : STR("refused"));
        json_field(&line, "outcome", err ? str_of(err_word(err)) : STR("ok"));
        field_left_out(&line, sender);
        audit_end(&line);
    }
}
