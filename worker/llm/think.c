#include "worker/llm/think.h"

#include <string.h>
#include <strings.h>

enum tag { TAG_NO, TAG_MAYBE, TAG_WHOLE };

static enum think_kind read_open(struct think *t, struct str *text, struct str *out);
static enum think_kind begin_text(struct think *t);
static enum think_kind read_thought(struct think *t, struct str *text, struct str *out);
static enum think_kind read_text(struct think *t, struct str *text, struct str *out);
static enum tag tag_at(const char *at, size_t len, const char *const *tags);
static bool goes_on(const struct think *t, char c, char first, const char *const *tags);
static const char *foreign(const char *at, size_t len, const char *const *tags);
static const char *closing_of(const char *at, size_t len);
static enum think_kind give_held(struct think *t, enum think_kind kind, struct str *out);

/* Of gpt-oss, behind its thoughts: an answer, or a call (its name is read by codecall.h). */
#define ANSWER_BEGINS "<|channel|>final<|message|>"
#define ANSWER_FOLLOWS "<|end|><|start|>assistant" ANSWER_BEGINS
#define CALL_FOLLOWS "<|end|><|start|>assistant<|channel|>commentary"

static const char *const opening[] = {"<think>",
                                      "<thinking>",
                                      "<thought>",
                                      "<reasoning>",
                                      "<seed:think>",
                                      "[THINK]",
                                      "<|channel>thought",
                                      "<|channel|>analysis<|message|>",
                                      "\xe2\x97\x81think\xe2\x96\xb7",
                                      NULL};
/* Of the openings; NULL: any of closing. */
static const char *const own_closing[] = {NULL,
                                          NULL,
                                          "</thought>",
                                          "</reasoning>",
                                          "</seed:think>",
                                          "[/THINK]",
                                          "<channel|>",
                                          NULL,
                                          "\xe2\x97\x81/think\xe2\x96\xb7"};
_Static_assert(sizeof(opening) == sizeof(own_closing) + sizeof(opening[0]), "one each");
/* Where the template opened them. Of the first two the thoughts go back (reply.c). */
static const char *const closing[] = {"</think>",     "</thinking>", "<channel|>",
                                      ANSWER_FOLLOWS, CALL_FOLLOWS,  NULL};
/* Before an answer, behind thoughts that were none. */
static const char *const empty[] = {"</think>",    "</thinking>", "<channel|>",
                                    ANSWER_BEGINS, "<|message|>", NULL};

enum think_kind think_read(struct think *t, struct str *text, struct str *out)
{
    for (;;) {
        enum think_kind kind = THINK_NOTHING;
        if (text->len == 0)
            return THINK_NOTHING;
        if (t->state == THINK_OVER)
            kind = read_text(t, text, out);
        else
            kind = t->state == THINK_INSIDE ? read_thought(t, text, out) : read_open(t, text, out);
        if (kind != THINK_NOTHING)
            return kind;
    }
}

static bool blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* One byte: before the text blanks are held, since a tag may follow them; after thoughts they are
 * dropped. */
static enum think_kind read_open(struct think *t, struct str *text, struct str *out)
{
    unsigned from = 0;
    if (t->held_len == 0 && !strchr("<[\xe2", text->at[0]) && !blank(text->at[0])) {
        begin_text(t);
        return THINK_NOTHING;
    }
    t->held[t->held_len++] = text->at[0];
    while (from < t->held_len && blank(t->held[from]))
        from++;
    enum tag tag =
        from == t->held_len ? TAG_MAYBE : tag_at(t->held + from, t->held_len - from, opening);
    enum tag end = from == t->held_len ? TAG_NO : tag_at(t->held + from, t->held_len - from, empty);
    if (from == t->held_len && t->state == THINK_AFTER)
        t->held_len = 0;
    *text = str_skip(*text, 1);
    if (tag == TAG_WHOLE) {
        t->state = THINK_INSIDE;
        t->began = true;
        t->close = closing_of(t->held + from, t->held_len - from);
        t->held_len = 0;
        return THINK_NOTHING;
    }
    if (end == TAG_WHOLE) { /* of thoughts that were none */
        t->state = THINK_AFTER;
        t->began = true;
        t->close = foreign(t->held + from, t->held_len - from, empty);
        t->held_len = 0;
        return THINK_NOTHING;
    }
    if ((tag == TAG_MAYBE || end == TAG_MAYBE) && t->held_len < THINK_HELD_MAX)
        return THINK_NOTHING;
    return give_held(t, begin_text(t), out);
}

/* No opening tag is there. */
static enum think_kind begin_text(struct think *t)
{
    bool thought = t->opened && t->state == THINK_BEFORE;
    t->state = thought ? THINK_INSIDE : THINK_OVER;
    return thought ? THINK_THOUGHT : THINK_TEXT;
}

/* Up to what may be the end. */
static enum think_kind read_thought(struct think *t, struct str *text, struct str *out)
{
    const char *const own[] = {t->close, NULL};
    char first = t->close ? t->close[0] : '<';
    if (t->held_len == 0 && text->at[0] != first) {
        const char *end = memchr(text->at, first, text->len);
        *out = (struct str){text->at, end ? (size_t)(end - text->at) : text->len};
        *text = str_skip(*text, out->len);
        return THINK_THOUGHT;
    }
    if (!goes_on(t, text->at[0], first, t->close ? own : closing)) /* this may be one */
        return give_held(t, THINK_THOUGHT, out);
    t->held[t->held_len++] = text->at[0];
    *text = str_skip(*text, 1);
    switch (tag_at(t->held, t->held_len, t->close ? own : closing)) {
    case TAG_MAYBE:
        return THINK_NOTHING;
    case TAG_WHOLE:
        t->state = THINK_AFTER;
        t->began = true;
        t->close = t->close ? t->close : foreign(t->held, t->held_len, closing);
        t->held_len = 0;
        return THINK_NOTHING;
    case TAG_NO:
        break;
    }
    return give_held(t, THINK_THOUGHT, out);
}

static enum think_kind pass(struct think *t, struct str *text, size_t len, struct str *out)
{
    *out = (struct str){text->at, len};
    *text = str_skip(*text, len);
    for (size_t i = 0; i < len; i++)
        t->quoted ^= out->at[i] == '`';
    t->before = out->at[len - 1];
    return THINK_TEXT;
}

/* Up to what may be a closing tag that has no opening one. Behind thoughts, or any other tag, there
 * is none to look for; nor is it one in code, or in quotes. */
static enum think_kind read_text(struct think *t, struct str *text, struct str *out)
{
    if (t->held_len == 0) {
        const char *at = t->began || t->tagged ? NULL : memchr(text->at, '<', text->len);
        if (!at || at != text->at)
            return pass(t, text, at ? (size_t)(at - text->at) : text->len, out);
        if (t->quoted || t->before == '"' || t->before == '\'')
            return pass(t, text, 1, out);
    } else if (!goes_on(t, text->at[0], '<', closing)) {
        t->before = '<';
        return give_held(t, THINK_TEXT, out);
    }
    t->held[t->held_len++] = text->at[0];
    *text = str_skip(*text, 1);
    enum tag close = tag_at(t->held, t->held_len, closing);
    enum tag open = tag_at(t->held, t->held_len, opening);
    if (close == TAG_WHOLE) {
        t->state = THINK_AFTER;
        t->began = t->closed_only = true;
        t->close = foreign(t->held, t->held_len, closing);
        t->held_len = 0;
        *out = (struct str){NULL, 0};
        return THINK_WAS_THOUGHT;
    }
    t->tagged = open == TAG_WHOLE;
    if (close == TAG_MAYBE || open == TAG_MAYBE)
        return THINK_NOTHING;
    t->before = t->held[t->held_len - 1];
    t->quoted ^= t->before == '`';
    return give_held(t, THINK_TEXT, out);
}

enum think_kind think_end(struct think *t, struct str *out)
{
    if (t->held_len == 0)
        return THINK_NOTHING;
    return give_held(t, t->state == THINK_INSIDE ? THINK_THOUGHT : THINK_TEXT, out);
}

static enum think_kind give_held(struct think *t, enum think_kind kind, struct str *out)
{
    *out = (struct str){t->held, t->held_len};
    t->held_len = 0; /* its bytes stay until the next call */
    return kind;
}

static enum tag tag_at(const char *at, size_t len, const char *const *tags)
{
    for (; *tags; tags++) {
        size_t whole = strlen(*tags);
        if (len <= whole && strncasecmp(at, *tags, len) == 0)
            return len == whole ? TAG_WHOLE : TAG_MAYBE;
    }
    return TAG_NO;
}

/* False: what is held is no tag, and c, with which they begin, may begin one. */
static bool goes_on(const struct think *t, char c, char first, const char *const *tags)
{
    char more[THINK_HELD_MAX + 1];
    if (t->held_len == 0 || c != first)
        return true;
    memcpy(more, t->held, t->held_len);
    more[t->held_len] = c;
    return tag_at(more, t->held_len + 1, tags) != TAG_NO;
}

/* The whole tag, where it is none of the first two. */
static const char *foreign(const char *at, size_t len, const char *const *tags)
{
    for (size_t i = 2; tags[i]; i++)
        if (len == strlen(tags[i]) && strncasecmp(at, tags[i], len) == 0)
            return tags[i];
    return NULL;
}

/* Of a whole opening tag that has a closing one of its own; NULL: any of closing. */
static const char *closing_of(const char *at, size_t len)
{
    for (size_t i = 0; opening[i]; i++)
        if (len == strlen(opening[i]) && strncasecmp(at, opening[i], len) == 0)
            return own_closing[i];
    return NULL;
}
