#include "proto/switches.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/file.h"
#include "common/json.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static const char *const doors[] = {
#define X(name, word) word,
    DOORS(X)
#undef X
};

static bool is_text(struct str s, size_t max);
static unsigned line_of(struct str json, const char *key);

bool switch_name_ok(struct str name)
{
    struct str rest = name, kind;
    if (str_is(name, "turns"))
        return true;
    if (!str_split(&rest, ':', &kind) || !is_text(rest, SWITCH_NAME_MAX - kind.len - 1))
        return false;
    for (size_t i = 0; i < sizeof(doors) / sizeof(*doors); i++)
        if (str_is(kind, "door") && str_is(rest, doors[i]))
            return true;
    return str_is(kind, "model") || str_is(kind, "tool");
}

/* One line of text. */
static bool is_text(struct str s, size_t max)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f)
            return false;
    return str_trim(s).len > 0 && s.len <= max && str_utf8(s);
}

bool switch_sentence_ok(struct str sentence) { return is_text(sentence, SWITCH_SENTENCE_MAX); }

bool switches_add(struct switches *s, struct str name, struct str sentence, struct str by,
                  int64_t at_ms)
{
    if (s->count == SWITCHES_MAX || !switch_name_ok(name) || !switch_sentence_ok(sentence))
        return false;
    s->at = xrealloc(s->at, (s->count + 1) * sizeof(*s->at));
    s->at[s->count++] = (struct switch_off){
        .name = str_dup(name), .sentence = str_dup(sentence), .by = str_dup(by), .at_ms = at_ms};
    return true;
}

static const struct switch_off *find(const struct switches *s, const char *kind, struct str name)
{
    size_t len = strlen(kind);
    for (unsigned i = 0; i < s->count; i++) {
        struct str have = str_of(s->at[i].name);
        bool alone = name.len == 0 && str_is(have, kind);
        bool of_kind = have.len > len && memcmp(have.at, kind, len) == 0 && have.at[len] == ':';
        if (alone || (of_kind && str_eq(str_skip(have, len + 1), name)))
            return &s->at[i];
    }
    return NULL;
}

const char *switched_off(const struct switched *s, const char *kind, struct str name)
{
    const struct switch_off *off = s ? find(&s->of_file, kind, name) : NULL;
    if (s && !off)
        off = find(&s->of_store, kind, name);
    return off ? off->sentence : NULL;
}

static bool any(const struct switches *s, const char *kind)
{
    size_t len = strlen(kind);
    bool found = false;
    for (unsigned i = 0; i < s->count; i++)
        found = found || (strncmp(s->at[i].name, kind, len) == 0 && s->at[i].name[len] == ':');
    return found;
}

bool switched_any(const struct switched *s, const char *kind)
{
    return any(&s->of_file, kind) || any(&s->of_store, kind);
}

bool switches_same(const struct switches *a, const struct switches *b)
{
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++)
        same = strcmp(a->at[i].name, b->at[i].name) == 0 &&
               strcmp(a->at[i].sentence, b->at[i].sentence) == 0 &&
               strcmp(a->at[i].by, b->at[i].by) == 0 && a->at[i].at_ms == b->at[i].at_ms;
    return same;
}

void switches_free(struct switches *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        free(s->at[i].name);
        free(s->at[i].sentence);
        free(s->at[i].by);
    }
    free(s->at);
    *s = (struct switches){0};
}

bool switches_read(struct str json, struct switches *out, char error[256])
{
    json_error_t where = {.line = 1};
    const char *name;
    json_t *sentence;
    *out = (struct switches){0};
    json = str_skip_bom(json);
    json_auto_t *all = json_loadb(json.at ? json.at : "", json.len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(all)) {
        snprintf(error, 256, "line %d: %.150s", all ? 1 : where.line,
                 all ? "it must be an object of names and sentences" : where.text);
        return false;
    }
    json_object_foreach(all, name, sentence)
    {
        if (switches_add(out, str_of(name), json_text(sentence), STR(""), 0))
            continue;
        const char *wrong = out->count == SWITCHES_MAX ? "there are more than 200"
                            : switch_name_ok(str_of(name))
                                ? "a switch needs a sentence for people, of 1 to 500 bytes, in one "
                                  "line"
                                : "a switch is turns, door:WORD (api, openai, mcp, agui, webhook), "
                                  "model:NAME or tool:NAME";
        snprintf(error, 256, "line %u: %s", line_of(json, name), wrong);
        switches_free(out);
        return false;
    }
    return true;
}

/* Where a key stands that needs no escapes. */
static unsigned line_of(struct str json, const char *key)
{
    char quoted[SWITCH_NAME_MAX + 3];
    snprintf(quoted, sizeof(quoted), "\"%.*s\"", SWITCH_NAME_MAX, key);
    const char *at = json.at ? memmem(json.at, json.len, quoted, strlen(quoted)) : NULL;
    return str_line(json, at ? (size_t)(at - json.at) : 0);
}

bool switches_read_file(const char *path, struct switches *out, char error[256])
{
    char wrong[256];
    scoped_buf(text, FILE_BYTES_MAX);
    *out = (struct switches){0};
    if (!file_read(path, &text)) {
        snprintf(error, 256, "%.120s: %.60s", path, strerror(errno));
        return false;
    }
    if (switches_read(buf_str(&text), out, wrong))
        return true;
    snprintf(error, 256, "%.80s, %.170s", path, wrong);
    return false;
}
