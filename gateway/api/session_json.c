#include "gateway/api/session_json.h"

#include <jansson.h>
#include <stdlib.h>
#include "common/json.h"
#include "common/utc.h"
#include "gateway/auth/user.h"

void session_json_summary(struct buf *b, const struct store_session *s)
{
    id_field(b, "session_id", s->session);
    json_field(b, "session_name", s->title);
    json_field(b, "title", s->title);
    utc_field(b, "started_at", s->created_ms, UTC_MILLISECONDS);
    utc_field(b, "updated_at", s->updated_ms, UTC_MILLISECONDS);
    json_field_u64(b, "turns", s->turns);
    json_field(b, "model", s->model);
    if (s->snippet.len > 0)
        json_field(b, "snippet", s->snippet);
}

static void write_turn(struct buf *b, const struct store_session *s)
{
    json_key(b, "turn");
    if (id_is_zero(s->running)) {
        buf_puts(b, "null");
        return;
    }
    bool waits = s->running_state == TURN_RUNNING && s->running_lease_ms <= 0;
    buf_putc(b, '{');
    id_field(b, "turn_id", s->running);
    bool awaits = s->running_state == TURN_AWAITING;
    json_field(b, "state",
               waits    ? STR("waiting_for_sign_in")
               : awaits ? STR("awaiting_input")
                        : str_of(turn_state_word(s->running_state)));
    if (awaits)
        json_field_raw(b, "tool_calls", s->running_approvals);
    buf_putc(b, '}');
}

static void write_usage(struct buf *b, const struct usage *u)
{
    json_key(b, "usage");
    usage_json(b, u);
}

/* Questions that were asked in several ways, of which one is among the messages. */
static void write_versions(struct buf *b, const struct store_session *s)
{
    json_field_raw(b, "versions", s->versions.len > 0 ? s->versions : STR("[]"));
}

/* What stands for its oldest messages when they don't fit a model. */
static void write_summary_of(struct buf *b, const struct store_session *s)
{
    char message[16];
    if (s->summary.len == 0)
        return;
    snprintf(message, sizeof(message), "%u", s->summary_to);
    json_key(b, "summary");
    buf_putc(b, '{');
    json_field(b, "message_id", str_of(message));
    json_field(b, "text", s->summary);
    buf_putc(b, '}');
}

static void write_calls(struct buf *b, const struct record_message *m)
{
    json_key(b, "tool_calls");
    buf_putc(b, '[');
    for (unsigned i = 0; i < m->call_count; i++) {
        buf_puts(b, i ? ",{" : "{");
        json_field(b, "call_id", m->calls[i].call_id);
        json_field(b, "tool_name", m->calls[i].tool_name);
        json_key(b, "arguments");
        record_arguments_json(b, m->calls[i].arguments);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void write_responses(struct buf *b, const struct record_message *m,
                            const struct session_view *view)
{
    json_key(b, "tool_responses");
    buf_putc(b, '[');
    for (unsigned i = 0; i < m->response_count; i++) {
        const struct record_response *r = &m->responses[i];
        bool withheld = view && !view->sees(view->arg, r->datasource);
        buf_puts(b, i ? ",{" : "{");
        json_field(b, "call_id", r->call_id);
        json_field(b, "tool_name", r->tool_name);
        json_field(b, "content", withheld ? STR("") : r->content);
        if (view)
            json_field_bool(b, "withheld", withheld);
        json_field_bool(b, "failed", r->failed);
        json_field_u64(b, "duration_ms", r->duration_ms);
        json_field(b, "datasource", r->datasource);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

/* What its owner said of an answer. */
static void write_feedback(struct buf *b, const struct store_message *m)
{
    json_key(b, "feedback");
    if (m->sentiment == 0) {
        buf_puts(b, "null");
        return;
    }
    buf_printf(b, "{\"sentiment\":%d", m->sentiment);
    json_field(b, "comment", m->comment);
    buf_putc(b, '}');
}

void session_json_message(struct buf *b, const struct store_message *m,
                          const struct session_view *view)
{
    const struct record_message *r = &m->record;
    char message[16];
    snprintf(message, sizeof(message), "%u", m->message);
    buf_putc(b, '{');
    json_field(b, "message_id", str_of(message));
    json_field(b, "role", str_of(role_word(r->role)));
    id_field(b, "turn_id", r->turn);
    utc_field(b, "at", r->at_ms, UTC_MILLISECONDS);
    json_field(b, "content", r->content);
    if (r->role == ROLE_USER)
        json_field_raw(b, "context", view ? STR("null") : r->context);
    if (r->role == ROLE_ASSISTANT) {
        json_field(b, "reasoning", view ? STR("") : r->reasoning);
        json_field(b, "stop_reason", r->stop_reason);
        json_field(b, "model", r->model);
        write_usage(b, &r->usage);
        write_calls(b, r);
        if (!view)
            write_feedback(b, m);
    }
    if (r->role == ROLE_TOOL)
        write_responses(b, r, view);
    json_field_bool(b, "pinned", m->pinned);
    json_field_bool(b, "excluded", m->excluded);
    buf_putc(b, '}');
}

/* settings is one JSON object of ours: {"panels":…, "context":…}. */
static void write_settings(struct buf *b, struct str settings)
{
    static const char *const keys[] = {"panels", "context"};
    json_t *all = settings.len ? json_loadb(settings.at, settings.len, 0, NULL) : NULL;
    for (unsigned i = 0; i < 2; i++) {
        char *text = json_dumps(json_object_get(all, keys[i]), JSON_COMPACT | JSON_ENCODE_ANY);
        json_field_raw(b, keys[i], str_of(text));
        free(text);
    }
    json_decref(all);
}

void session_json_id(struct buf *b, struct id session) { id_field(b, "session_id", session); }

void session_json_head(struct buf *b, const struct store_session *s)
{
    session_json_summary(b, s);
    write_settings(b, s->settings);
    write_usage(b, &s->usage);
    write_summary_of(b, s);
    write_turn(b, s);
    write_versions(b, s);
    json_field_bool(b, "keep", s->keep);
    session_json_share_id(b, s->session, s->share);
}

void session_json_head_shared(struct buf *b, const struct store_session *s)
{
    struct str name = s->owner;
    int64_t created_ms;
    user_split(s->owner, &name, &created_ms);
    session_json_summary(b, s);
    write_settings(b, STR(""));
    write_usage(b, &s->usage);
    json_key(b, "turn");
    buf_puts(b, "null");
    json_field(b, "shared_by", name);
}

void session_json_share_id(struct buf *b, struct id session, struct str share)
{
    char text[ID_TEXT + 1];
    id_text(session, text);
    json_key(b, "share_id");
    if (share.len == 0)
        buf_puts(b, "null");
    else
        buf_printf(b, "\"%s%.*s\"", text, (int)share.len, share.at);
}

void session_json_share(struct buf *b, struct id session, struct str share)
{
    char text[ID_TEXT + 1];
    id_text(session, text);
    session_json_share_id(b, session, share);
    buf_printf(b, ",\"path\":\"/shared/%s%.*s\"", text, (int)share.len, share.at);
}
