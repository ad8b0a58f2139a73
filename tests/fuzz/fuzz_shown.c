/* What the store gives back of a conversation, as people are shown it: whatever bytes its texts
 * have, what is written is JSON; and of UTF-8, Markdown in UTF-8. The first byte says which texts
 * of the session the rest is; the rest is a message too. */
#include <jansson.h>
#include "common/check.h"
#include "common/json.h"
#include "gateway/api/session_json.h"
#include "gateway/api/session_md.h"

enum { SHOWN_MAX = 64 << 20 };

static bool sees(void *arg, struct str datasource)
{
    return *(const uint8_t *)arg % 2 == 0 || datasource.len % 2 == 0;
}

static void expect_json(struct buf *b)
{
    buf_putc(b, '}');
    json_auto_t *shown = json_loadb(b->at, b->len, JSON_ALLOW_NUL, NULL);
    CHECK(!b->overflowed && json_is_object(shown));
    buf_clear(b);
    buf_putc(b, '{');
}

static void show_session(const struct store_session *s, struct buf *b)
{
    session_json_head(b, s);
    expect_json(b);
    session_json_head_shared(b, s);
    expect_json(b);
    buf_clear(b);
    session_md_head(b, s);
    CHECK(!b->overflowed && (str_utf8(buf_str(b)) || !str_utf8(s->title) || !str_utf8(s->model)));
}

static bool is_sound(const struct record_message *m)
{
    bool sound = str_utf8(m->content) && str_utf8(m->model) && str_utf8(m->context);
    for (unsigned i = 0; i < m->call_count; i++)
        sound = sound && str_utf8(m->calls[i].call_id) && str_utf8(m->calls[i].tool_name) &&
                str_utf8(m->calls[i].arguments);
    for (unsigned i = 0; i < m->response_count; i++)
        sound = sound && str_utf8(m->responses[i].call_id) && str_utf8(m->responses[i].tool_name) &&
                str_utf8(m->responses[i].content) && str_utf8(m->responses[i].datasource);
    return sound;
}

static void show_message(const struct store_message *m, const struct session_view *view,
                         struct buf *b)
{
    buf_clear(b);
    buf_puts(b, "{\"message\":");
    session_json_message(b, m, NULL);
    expect_json(b);
    buf_puts(b, "\"message\":");
    session_json_message(b, m, view);
    expect_json(b);
    buf_clear(b);
    session_md_message(b, m);
    CHECK(!b->overflowed && (str_utf8(buf_str(b)) || !is_sound(&m->record)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t which = data[0];
    struct str text = {(const char *)data + 1, size - 1};
    struct session_view view = {.sees = sees, .arg = &which};
    struct store_session session = {.turns = which};
    struct store_message message = {
        .message = 1, .sentiment = which % 3 - 1, .comment = text, .pinned = which % 2};
    struct buf b;
    buf_init(&b, SHOWN_MAX);
    buf_putc(&b, '{');
    struct str *texts[] = {&session.owner,    &session.title,   &session.model,
                           &session.settings, &session.summary, &session.snippet};
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (which >> i & 1)
            *texts[i] = text;
    show_session(&session, &b);
    if (record_message_decode(text, &message.record) == ERR_NONE) {
        json_auto_t *context =
            json_loadb(message.record.context.at ? message.record.context.at : "",
                       message.record.context.len, 0, NULL);
        if (!context) /* it was read before it was stored, and goes as it is */
            message.record.context = STR("{}");
        show_message(&message, &view, &b);
        record_message_free(&message.record);
    }
    buf_free(&b);
    return 0;
}
