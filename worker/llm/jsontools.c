#include "worker/llm/jsontools.h"

#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "common/check.h"
#include "common/json.h"
#include "common/loose.h"
#include "worker/llm/brief.h"
#include "worker/llm/jsonio.h"

enum { TEXTS_MAX = 16 << 20, SCHEMA_MAX = 256 << 10, SYSTEM_MAX = 512 << 10, ANSWER_MAX = 8000 };

/* A text of an item is known by where it lies until all are written: the buffer may move. */
struct span {
    size_t at, len;
};

static void write_system(const struct prompt *in, const struct tool_spec *tools, unsigned count,
                         bool brief, struct buf *b)
{
    buf_add_str(b, buf_str(&in->system));
    if (count == 0) {
        /* What it wrote before looks as if it should call once more: it is told not to. */
        buf_puts(b, "\nWrite one JSON object and nothing else: {\"answer\": TEXT}.\n");
        return;
    }
    buf_puts(b, brief ? "\nYour tools, each with its arguments (? may be left out; a time is RFC "
                        "3339 or as now-1h):\n"
                      : "\nYour tools, each with the JSON Schema of its arguments:\n");
    for (unsigned i = 0; i < count; i++) {
        if (!brief) {
            buf_printf(b, "- %s: %s %s\n", tools[i].name, tools[i].description,
                       tools[i].schema_json);
            continue;
        }
        buf_printf(b, "- %s {", tools[i].name);
        brief_arguments(tools[i].schema_json, b);
        buf_printf(b, "}: %s\n", tools[i].description);
    }
    buf_puts(b, "\nWrite one JSON object and nothing else. To call a tool: "
                "{\"tool\": NAME, \"arguments\": {…}}; you are then told its result. To answer the "
                "person: {\"answer\": TEXT}.\n");
}

static void write_schema(const struct tool_spec *tools, unsigned count, enum jsontools_form form,
                         struct buf *b)
{
    bool calls = count > 0 && form != JSONTOOLS_ANSWER;
    for (unsigned i = 0; calls && i < count; i++) {
        buf_puts(b, i == 0 ? "{\"anyOf\":[" : ",");
        /* An enum of one: "const" is not among what Gemini reads. */
        buf_puts(b,
                 "{\"type\":\"object\",\"properties\":{\"tool\":{\"type\":\"string\",\"enum\":[");
        json_str(b, str_of(tools[i].name));
        buf_printf(b,
                   "]},\"arguments\":%s},\"required\":[\"tool\",\"arguments\"],"
                   "\"additionalProperties\":false}",
                   tools[i].schema_json);
    }
    if (calls && form == JSONTOOLS_CALL) {
        buf_puts(b, "]}");
        return;
    }
    buf_printf(b,
               "%s{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"string\","
               "\"maxLength\":%d}},\"required\":[\"answer\"],\"additionalProperties\":false}%s",
               calls ? "," : "", ANSWER_MAX, calls ? "]}" : "");
}

static void write_calls(const struct prompt_item *item, struct buf *b)
{
    if (item->call_count == 0) {
        buf_puts(b, "{\"answer\":");
        json_str(b, item->text);
        buf_putc(b, '}');
    }
    for (unsigned i = 0; i < item->call_count; i++) {
        buf_puts(b, i == 0 ? "{\"tool\":" : "\n{\"tool\":");
        json_str(b, item->calls[i].tool_name);
        buf_puts(b, ",\"arguments\":");
        jsonio_arguments(b, item->calls[i].arguments);
        buf_putc(b, '}');
    }
}

static void write_result(const struct prompt_item *item, struct buf *b)
{
    buf_printf(b, "%sResult of %.*s: ", item->failed ? "(failed) " : "", (int)item->tool_name.len,
               item->tool_name.at);
    buf_add_str(b, item->text);
}

void jsontools_write(const struct prompt *in, const struct tool_spec *tools, unsigned count,
                     enum jsontools_form form, bool brief, struct jsontools *out)
{
    *out = (struct jsontools){.prompt = {.bytes = in->bytes, .tokens = in->tokens}};
    struct span *spans = xcalloc(in->count + 1, sizeof(*spans));
    struct prompt *p = &out->prompt;
    buf_init(&p->system, SYSTEM_MAX);
    buf_init(&out->texts, TEXTS_MAX);
    buf_init(&out->schema, SCHEMA_MAX);
    p->items = xcalloc(in->count + 1, sizeof(*p->items));
    write_system(in, tools, count, brief, &p->system);
    write_schema(tools, count, form, &out->schema);
    for (unsigned i = 0; i < in->count; i++) {
        const struct prompt_item *item = &in->items[i];
        struct prompt_item *last = p->count > 0 ? &p->items[p->count - 1] : NULL;
        size_t from = out->texts.len;
        if (item->gone)
            continue;
        if (item->kind == PROMPT_RESULT && last && last->kind == PROMPT_USER) {
            buf_puts(&out->texts, "\n\n"); /* results of one step are one message */
            from = spans[p->count - 1].at;
            p->count--;
        }
        if (item->kind == PROMPT_ASSISTANT)
            write_calls(item, &out->texts);
        else if (item->kind == PROMPT_RESULT)
            write_result(item, &out->texts);
        else
            buf_add_str(&out->texts, item->text);
        spans[p->count] = (struct span){from, out->texts.len - from};
        p->items[p->count++].kind = item->kind == PROMPT_ASSISTANT ? PROMPT_ASSISTANT : PROMPT_USER;
    }
    if (form == JSONTOOLS_ANSWER && count > 0 && p->count > 0) {
        size_t before = out->texts.len;
        buf_printf(&out->texts, "\n\n%s Write {\"answer\": TEXT}.", prompt_last_call_note);
        spans[p->count - 1].len += out->texts.len - before;
    }
    for (unsigned i = 0; i < p->count; i++)
        p->items[i].text = (struct str){out->texts.at + spans[i].at, spans[i].len};
    free(spans);
}

void jsontools_free(struct jsontools *j)
{
    prompt_free(&j->prompt);
    buf_free(&j->texts);
    buf_free(&j->schema);
}

/* From the first brace on: models like to say something before, or to fence it. */
static json_t *find_object(struct str text)
{
    const char *brace = text.len > 0 ? memchr(text.at, '{', text.len) : NULL;
    if (!brace)
        return NULL;
    struct str rest = str_skip(text, (size_t)(brace - text.at));
    size_t used;
    json_t *root = json_loadb(rest.at, rest.len, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL);
    return root ? root : loose_read(rest, &used);
}

/* An answer that a limit cut off is no JSON; a person wants what there is of it. Its last character
 * may be half an escape: at most two of \\uXXXX. */
static json_t *mend_answer(struct str text)
{
    const char *brace = text.len > 0 ? memchr(text.at, '{', text.len) : NULL;
    json_t *root = NULL;
    if (!brace)
        return NULL;
    struct str rest = str_skip(text, (size_t)(brace - text.at));
    for (size_t cut = 0; root == NULL && cut < 12 && cut < rest.len; cut++) {
        scoped_buf(b, rest.len + 3);
        buf_add_str(&b, (struct str){rest.at, rest.len - cut});
        buf_puts(&b, "\"}");
        root = json_loadb(b.at, b.len, JSON_ALLOW_NUL, NULL);
    }
    if (json_is_string(json_object_get(root, "answer")))
        return root;
    json_decref(root);
    return NULL;
}

enum err jsontools_read(struct reply *r, const struct reply_handler *h)
{
    struct str none = {NULL, 0};
    scoped_buf_taken(whole, r->content); /* taken out of the reply */
    buf_init(&r->content, r->bytes_max);
    r->bytes = r->reasoning.len;
    r->handler = h;
    json_auto_t *root = find_object(buf_str(&whole));
    scoped_buf(mended, 4 * whole.len + 16);
    if (root == NULL && ragged_mend(buf_str(&whole), &mended))
        root = find_object(buf_str(&mended));
    if (!root)
        root = mend_answer(buf_str(&whole));
    const json_t *arguments = json_object_get(root, "arguments");
    struct str tool = json_text(json_object_get(root, "tool"));
    struct str answer = json_text(json_object_get(root, "answer"));
    if (tool.len > 0) {
        char *text = jsonio_dump(arguments); /* what is no object is refused where it is run */
        enum err err = reply_call(r, 0, none, tool, text ? str_of(text) : STR("{}"));
        free(text);
        return err;
    }
    return reply_text(r, json_is_object(root) && answer.len > 0 ? answer : buf_str(&whole));
}
