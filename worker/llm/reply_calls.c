/* Pieces of tool calls, put together. Servers differ: most number the calls and give the id and the
 * name in the first piece only; others change the id from piece to piece, number none, or all 0,
 * repeat the name or cut it, or write the arguments first. What holds for all: a piece without a
 * name goes on with the call in progress, a new whole name begins one, and nothing can follow
 * arguments that are whole. Pieces that belong nowhere become a call of their own, which fails: a
 * tool is never run with other arguments than the model wrote. */
#include "worker/llm/reply.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "common/check.h"
#include "common/json.h"

struct piece {
    int64_t index;
    struct str call_id, tool_name, arguments;
};
/* Named, so that it can be refused as any tool that there is not. */
static const char unassigned[] = "unassigned_tool_call";
static const char lost[] = "\"lost\""; /* no object: an error for the model */

static struct str clean_name(const struct reply *r, struct str tool_name);
static struct reply_call *place(struct reply *r, const struct piece *p);
static struct reply_call *go_on(struct reply_call *c, const struct piece *p);
static struct reply_call *go_on_named(struct reply *r, struct reply_call *c, const struct piece *p);
static struct reply_call *add_call(struct reply *r, int64_t index);
static void note_id(struct reply *r, struct reply_call *c, struct str call_id);
static void note_name(struct reply_call *c, struct str tool_name);
static bool knows(const struct reply *r, const char *head, struct str tail, bool whole);
static void tell(struct reply *r, struct reply_call *c);
static void make_id(struct reply *r, struct reply_call *c);

static void free_call(struct reply_call *c)
{
    free(c->call_id);
    free(c->other_id);
    free(c->tool_name);
    buf_free(&c->arguments);
}

void reply_calls_free(struct reply *r)
{
    for (unsigned i = 0; i < r->call_count; i++)
        free_call(&r->calls[i]);
    free(r->calls);
    r->calls = NULL;
    r->call_count = 0;
}

enum err reply_call(struct reply *r, int64_t index, struct str call_id, struct str tool_name,
                    struct str arguments)
{
    struct piece p = {index, call_id, clean_name(r, tool_name), arguments};
    enum err err = reply_take(r, call_id.len + tool_name.len + arguments.len);
    if (err != ERR_NONE || (call_id.len == 0 && tool_name.len == 0 && arguments.len == 0))
        return err;
    struct reply_call *c = place(r, &p);
    if (!c && r->call_count == REPLY_CALLS_MAX)
        return reply_fail(r, ERR_MODEL_BROKEN, false,
                          "The model asked for more than %d tool calls at once", REPLY_CALLS_MAX);
    if (!c)
        c = add_call(r, index);
    if (c->index < 0)
        c->index = index;
    note_id(r, c, p.call_id);
    note_name(c, p.tool_name);
    buf_add_str(&c->arguments, reply_join(r, &c->half, p.arguments));
    tell(r, c);
    return ERR_NONE;
}

static struct reply_call *add_call(struct reply *r, int64_t index)
{
    r->calls = xrealloc(r->calls, (r->call_count + 1) * sizeof(*r->calls));
    struct reply_call *c = &r->calls[r->call_count++];
    *c = (struct reply_call){.index = index};
    buf_init(&c->arguments, 4 * r->bytes_max); /* U+FFFD is longer than what it stands for */
    return c;
}

/* ---- which call a piece is of; NULL: a new one ---- */

static bool is_its_id(const struct reply_call *c, struct str id)
{
    return id.len > 0 &&
           ((c->call_id && str_is(id, c->call_id)) || (c->other_id && str_is(id, c->other_id)));
}

/* The latest with this id, else the latest of this index; without an index the latest of all. One
 * with an index whose call had none may be of any call that has none: of the last, if it is alone.
 */
static struct reply_call *candidate(struct reply *r, const struct piece *p)
{
    struct reply_call *by_index = NULL, *by_id = NULL;
    unsigned unnumbered = 0;
    for (unsigned i = 0; i < r->call_count; i++) {
        struct reply_call *c = &r->calls[i];
        unnumbered += c->index < 0;
        bool same_index = p->index < 0 || c->index < 0 || c->index == p->index;
        if (p->index < 0 || c->index == p->index)
            by_index = c;
        if (is_its_id(c, p->call_id) && same_index)
            by_id = c;
    }
    if (by_id || by_index || r->call_count == 0)
        return by_id ? by_id : by_index;
    CHECK(r->calls != NULL); /* there are some */
    struct reply_call *last = &r->calls[r->call_count - 1];
    bool alone = last->index < 0 && unnumbered == 1;
    return p->tool_name.len == 0 && (alone || is_its_id(last, p->call_id)) ? last : NULL;
}

static struct reply_call *place(struct reply *r, const struct piece *p)
{
    struct reply_call *c = candidate(r, p);
    if (!c)
        return NULL;
    return p->tool_name.len > 0 ? go_on_named(r, c, p) : go_on(c, p);
}

static struct str arguments_of(const struct reply_call *c)
{
    return str_trim(buf_str(&c->arguments));
}

static bool is_whole(const struct reply_call *c)
{
    struct str text = arguments_of(c);
    if (text.len < 2 || text.at[text.len - 1] != '}')
        return false;
    json_auto_t *root = json_loadb(text.at, text.len, JSON_ALLOW_NUL, NULL);
    return json_is_object(root);
}

static bool is_empty_object(struct str text)
{
    return text.len >= 2 && text.at[0] == '{' && text.at[text.len - 1] == '}' &&
           str_trim((struct str){text.at + 1, text.len - 2}).len == 0;
}

/* An object after a whole one: the first was a stand-in ({}), or this is the same again, or it is
 * of no call that we know. No object can begin with another's beginning: then each piece says all
 * there is so far (DashScope). */
static struct reply_call *go_on(struct reply_call *c, const struct piece *p)
{
    struct str more = str_trim(p->arguments), had = arguments_of(c);
    if (more.len == 0 || more.at[0] != '{' || had.len == 0)
        return c;
    bool whole = is_whole(c), grows = had.at[0] == '{' && str_starts(more, had);
    if (grows || (whole && is_empty_object(had)) || str_is(had, "null")) {
        buf_clear(&c->arguments);
        c->half = (struct ragged){0};
        return c;
    }
    return whole ? NULL : c;
}

static struct reply_call *go_on_named(struct reply *r, struct reply_call *c, const struct piece *p)
{
    struct str more = str_trim(p->arguments), had = arguments_of(c);
    bool other_id = p->call_id.len > 0 && c->call_id && !is_its_id(c, p->call_id);
    if (!c->tool_name) /* its arguments came first */
        return had.len > 0 && more.len > 0 && is_whole(c) ? NULL : c;
    if (str_is(p->tool_name, c->tool_name)) { /* said again with each piece, or called twice */
        if (other_id && (is_whole(c) || (had.len == 0) == (more.len == 0)) &&
            (more.len == 0 || more.at[0] == '{'))
            return NULL;
        return go_on(c, p);
    }
    if (had.len > 0 || other_id)
        return NULL;
    if (knows(r, c->tool_name, p->tool_name, true))
        return c; /* a name in two pieces */
    struct str none = {NULL, 0};
    if (str_starts(p->tool_name, str_of(c->tool_name)) && !knows(r, c->tool_name, none, true))
        return c; /* more of it each time */
    if (knows(r, "", p->tool_name, true))
        return NULL;
    bool unknown = r->tool_names.len == 0 && is_its_id(c, p->call_id);
    return unknown || knows(r, c->tool_name, p->tool_name, false) ? c : NULL;
}

/* Without what models and their servers leave in it, where the rest is a name that the model was
 * told of: the channel behind it (gpt-oss: NAME<|channel|>commentary), its number (Kimi: NAME:0),
 * a namespace before it (functions.NAME, Gemini's default_api.NAME, or one that it made up). */
static struct str clean_name(const struct reply *r, struct str tool_name)
{
    const char *mark = tool_name.len > 0 ? memmem(tool_name.at, tool_name.len, "<|", 2) : NULL;
    if (mark)
        tool_name.len = (size_t)(mark - tool_name.at);
    tool_name = str_trim(tool_name);
    struct str rest = tool_name;
    while (rest.len > 0 && isdigit((unsigned char)rest.at[rest.len - 1]))
        rest.len--;
    bool numbered = rest.len > 0 && rest.len < tool_name.len && rest.at[rest.len - 1] == ':';
    rest.len = numbered ? rest.len - 1 : tool_name.len;
    size_t from = rest.len;
    while (from > 0 && !strchr(".:/", rest.at[from - 1]))
        from--;
    rest = str_skip(rest, from);
    bool whole = knows(r, "", tool_name, true);
    return !whole && rest.len > 0 && knows(r, "", rest, true) ? rest : tool_name;
}

/* A name that the model was told of, or the beginning of one: head and tail in one. */
static bool knows(const struct reply *r, const char *head, struct str tail, bool whole)
{
    scoped_buf(name, 256);
    buf_printf(&name, "\n%s%.*s%s", head, (int)tail.len, tail.at, whole ? "\n" : "");
    return !name.overflowed && r->tool_names.len > 0 &&
           memmem(r->tool_names.at, r->tool_names.len, name.at, name.len) != NULL;
}

/* ---- what a piece says ---- */

/* An id that was told on stays; the provider's newer ones are known by it. One that another call
 * has is none. */
static void note_id(struct reply *r, struct reply_call *c, struct str call_id)
{
    if (call_id.len == 0 || is_its_id(c, call_id))
        return;
    bool taken = false;
    for (unsigned i = 0; i < r->call_count; i++)
        taken = taken || is_its_id(&r->calls[i], call_id);
    char **id = c->call_id || taken ? &c->other_id : &c->call_id;
    free(*id);
    *id = xstrndup(call_id.at, call_id.len);
}

static void note_name(struct reply_call *c, struct str tool_name)
{
    if (tool_name.len == 0 || (c->tool_name && str_is(tool_name, c->tool_name)))
        return;
    bool whole = c->tool_name && str_starts(tool_name, str_of(c->tool_name));
    size_t had = c->tool_name && !whole ? strlen(c->tool_name) : 0;
    c->tool_name = xrealloc(c->tool_name, had + tool_name.len + 1);
    memcpy(c->tool_name + had, tool_name.at, tool_name.len);
    c->tool_name[had + tool_name.len] = '\0';
}

/* A name that may go on is not told yet. */
static void tell(struct reply *r, struct reply_call *c)
{
    struct str none = {NULL, 0};
    if (!r->handler->on_call || !c->tool_name)
        return;
    if (c->arguments.len == 0 && r->tool_names.len > 0 && !knows(r, c->tool_name, none, true))
        return;
    if (!c->call_id)
        make_id(r, c);
    c->told = true;
    r->handler->on_call(r->arg, c);
}

static void make_id(struct reply *r, struct reply_call *c)
{
    char name[48];
    bool taken = true;
    for (unsigned n = (unsigned)(c - r->calls); taken; n += REPLY_CALLS_MAX) {
        snprintf(name, sizeof(name), "call_%u_%u", r->step, n);
        taken = false;
        for (unsigned i = 0; i < r->call_count; i++)
            taken = taken || is_its_id(&r->calls[i], str_of(name));
    }
    free(c->call_id);
    c->call_id = xstrdup(name);
}

/* ---- the end ---- */

static bool is_object(struct str text)
{
    json_auto_t *root = text.len > 0 ? json_loadb(text.at, text.len, 0, NULL) : NULL;
    return json_is_object(root);
}

/* Halves of characters and NUL are no reason to refuse them, nor is a stand-in ({}) before them. */
static void mend_arguments(struct reply_call *c)
{
    ragged_end(&c->half, &c->arguments);
    struct str text = arguments_of(c);
    const char *end = text.len > 1 && text.at[0] == '{' ? memchr(text.at, '}', text.len) : NULL;
    struct str rest = end ? str_trim(str_skip(text, (size_t)(end + 1 - text.at))) : text;
    if (end && is_empty_object((struct str){text.at, (size_t)(end + 1 - text.at)}) &&
        rest.len > 0 && rest.at[0] == '{')
        buf_drop(&c->arguments, (size_t)(rest.at - c->arguments.at));
    scoped_buf(mended, 4 * c->arguments.len + 16);
    if (is_object(buf_str(&c->arguments)) || !ragged_mend(buf_str(&c->arguments), &mended) ||
        !is_object(buf_str(&mended)))
        return;
    buf_clear(&c->arguments);
    buf_add_str(&c->arguments, buf_str(&mended));
}

/* An object that was written as JSON's string of it (LiteLLM, templates that write JSON twice), or
 * behind which a template left its end. What stands in it is as it was. */
static void unwrap(struct reply_call *c)
{
    struct str text = arguments_of(c);
    json_error_t e;
    if (text.len == 0 || is_object(text))
        return;
    if (text.at[0] == '"') {
        json_auto_t *inner = json_loadb(text.at, text.len, JSON_DECODE_ANY, NULL);
        if (!is_object(json_text(inner)))
            return;
        buf_clear(&c->arguments);
        buf_add_str(&c->arguments, json_text(inner));
        return;
    }
    json_auto_t *root = json_loadb(text.at, text.len, JSON_DISABLE_EOF_CHECK, &e);
    struct str rest = json_is_object(root) ? str_trim(str_skip(text, (size_t)e.position)) : text;
    if (str_is(rest, "</tool_call>"))
        c->arguments.len = (size_t)(text.at + e.position - c->arguments.at);
}

static void put_values_back(const struct reply *r, struct reply_call *c)
{
    if (!r->mask)
        return;
    scoped_buf(values, c->arguments.max_bytes);
    unmask_json(r->mask, buf_str(&c->arguments), &values);
    buf_clear(&c->arguments);
    buf_add_str(&c->arguments, buf_str(&values));
}

/* Arguments that belong to no call may be those of a call that has none; what calls behind that one
 * have may then be its own. */
void reply_calls_end(struct reply *r)
{
    unsigned kept = 0;
    bool strays = false, lacks = false;
    for (unsigned i = 0; i < r->call_count; i++) {
        struct reply_call *c = &r->calls[i];
        mend_arguments(c);
        unwrap(c);
        put_values_back(r, c);
        struct str text = arguments_of(c);
        if (!c->tool_name && (text.len == 0 || is_empty_object(text))) {
            free_call(c);
            continue;
        }
        strays = strays || !c->tool_name;
        if (!c->tool_name)
            c->tool_name = xstrdup(unassigned);
        r->calls[kept++] = *c;
    }
    r->call_count = kept;
    for (unsigned i = 0; i < kept; i++) {
        struct reply_call *c = &r->calls[i];
        if (!c->call_id)
            make_id(r, c);
        lacks = lacks || arguments_of(c).len == 0;
        if (!strays || !lacks || str_is(str_of(c->tool_name), unassigned))
            continue;
        buf_clear(&c->arguments);
        buf_puts(&c->arguments, lost);
    }
}
