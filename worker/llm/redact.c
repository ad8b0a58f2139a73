#include "worker/llm/redact.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/file.h"
#include "common/pattern.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    /* 64 bits of a keyed hash each, so that nobody can make a text that looks known. */
    CLEAN_SLOTS = 1 << 14,
};

#define INCLUDE "include"

struct rule {
    char name[REDACT_NAME_MAX + 1];
    struct pattern *pattern;
    unsigned counted; /* the first rule of this name, which counts for all of them */
    uint64_t matches;
};
struct redact {
    struct rule rules[REDACT_RULES_MAX];
    unsigned count;
    uint64_t limits;
    unsigned char key[crypto_shorthash_KEYBYTES];
    uint64_t clean[CLEAN_SLOTS];
};

static bool take_line(struct redact *r, struct str line, unsigned number, char why[static 200]);
static bool include(struct redact *r, struct str names, char why[static 200]);
static bool add(struct redact *r, struct str name, struct str expression, char why[static 200]);
static bool is_include(struct str line);
static struct str name_of(struct str *line);
static bool is_meant_otherwise(struct str line, char why[static 200]);
static const char *set_named(struct str name);
static void find(struct redact_walk *w, unsigned rule, size_t from);

struct redact *redact_file(const char *path, char error[static 256])
{
    scoped_buf(text, FILE_BYTES_MAX);
    if (!file_read(path, &text)) {
        if (errno == EFBIG)
            snprintf(error, 256, "%.180s is over 1 MiB", path);
        else
            snprintf(error, 256, "%.180s cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    return redact_parse(buf_str(&text), path, error);
}

struct redact *redact_parse(struct str text, const char *name, char error[static 256])
{
    struct redact *r = xcalloc(1, sizeof(*r));
    struct str line;
    char why[200];
    crypto_shorthash_keygen(r->key);
    text = str_skip_bom(text);
    for (unsigned number = 1; str_split(&text, '\n', &line); number++) {
        if (take_line(r, str_trim(line), number, why))
            continue;
        snprintf(error, 256, "%.60s, line %u: %.170s", name, number, why);
        redact_free(r);
        return NULL;
    }
    if (r->count > 0)
        return r;
    snprintf(error, 256, "%.180s has no rule", name);
    redact_free(r);
    return NULL;
}

void redact_free(struct redact *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->count; i++)
        pattern_free(r->rules[i].pattern);
    free(r);
}

static bool take_line(struct redact *r, struct str line, unsigned number, char why[static 200])
{
    char by_line[REDACT_NAME_MAX + 1];
    if (line.len == 0 || line.at[0] == '#')
        return true;
    if (is_include(line))
        return include(r, str_skip(line, strlen(INCLUDE)), why);
    struct str name = name_of(&line);
    if (name.len == 0 && is_meant_otherwise(line, why))
        return false;
    snprintf(by_line, sizeof(by_line), "rule_%u", number);
    return add(r, name.len > 0 ? name : str_of(by_line), line, why);
}

static bool is_include(struct str line)
{
    size_t len = strlen(INCLUDE);
    return line.len >= len && strncasecmp(line.at, INCLUDE, len) == 0 &&
           (line.len == len || line.at[len] == ' ' || line.at[len] == '\t' || line.at[len] == ':');
}

/* An expression that would match nothing but itself, and so mask nothing of what was meant. */
static bool is_meant_otherwise(struct str line, char why[static 200])
{
    size_t len = 0;
    for (; len < line.len; len++) {
        unsigned char c = (unsigned char)line.at[len];
        if (!isalnum(c) && c < 0x80 && !strchr(" \t_.-", c))
            break;
    }
    if (len > 0 && str_starts(str_skip(line, len), STR("=~")))
        snprintf(why, 200, "a rule's name is 1 to %d of a-z, 0-9 and _", REDACT_NAME_MAX);
    else if (set_named(line))
        snprintf(why, 200, "this is that word alone; for the set write include %.*s", (int)line.len,
                 line.at);
    else
        return false;
    return true;
}

/* "host =~ EXPRESSION": what stands before =~, if it is a name; *line is then what is behind it. */
static struct str name_of(struct str *line)
{
    size_t len = 0;
    while (len < line->len &&
           ((line->at[len] >= 'a' && line->at[len] <= 'z') ||
            (line->at[len] >= '0' && line->at[len] <= '9') || line->at[len] == '_'))
        len++;
    struct str rest = str_trim(str_skip(*line, len));
    if (len == 0 || len > REDACT_NAME_MAX || !str_starts(rest, STR("=~")))
        return (struct str){NULL, 0};
    struct str name = {line->at, len};
    *line = str_trim(str_skip(rest, 2));
    return name;
}

static const struct {
    const char *name, *expression;
} sets[] = {
#define SET(name, expression) {name, expression},
#include "worker/llm/redact_sets.def"
#undef SET
};
enum { SETS = sizeof(sets) / sizeof(sets[0]) };

/* Its expression; NULL: there is none. */
static const char *set_named(struct str name)
{
    for (size_t i = 0; i < SETS; i++)
        if (str_is(name, sets[i].name))
            return sets[i].expression;
    return NULL;
}

static bool include(struct redact *r, struct str names, char why[static 200])
{
    struct str name;
    names = str_trim(names);
    if (names.len == 0) {
        snprintf(why, 200, "include names no set");
        return false;
    }
    while (str_split(&names, ',', &name)) {
        name = str_trim(name);
        const char *expression = set_named(name);
        if (!expression) {
            size_t len = (size_t)snprintf(why, 200, "\"%.*s\" is no set; there are",
                                          (int)(name.len < 40 ? name.len : 40), name.at);
            for (size_t i = 0; i < SETS && len < 200; i++)
                len += (size_t)snprintf(why + len, 200 - len, " %s", sets[i].name);
            return false;
        }
        if (!add(r, name, str_of(expression), why))
            return false;
    }
    return true;
}

static bool add(struct redact *r, struct str name, struct str expression, char why[static 200])
{
    char error[160];
    if (expression.len == 0) {
        snprintf(why, 200, "a rule without an expression");
        return false;
    }
    if (r->count == REDACT_RULES_MAX) {
        snprintf(why, 200, "there are more than %d rules", REDACT_RULES_MAX);
        return false;
    }
    struct rule *rule = &r->rules[r->count];
    rule->pattern = pattern_new(expression, error);
    if (!rule->pattern) {
        snprintf(why, 200, "%s", error);
        return false;
    }
    snprintf(rule->name, sizeof(rule->name), "%.*s", (int)name.len, name.at);
    while (strcmp(r->rules[rule->counted].name, rule->name) != 0)
        rule->counted++;
    r->count++;
    return true;
}

unsigned redact_count(const struct redact *r) { return r->count; }

const char *redact_name(const struct redact *r, unsigned rule)
{
    CHECK(rule < r->count);
    return r->rules[rule].name;
}

uint64_t redact_matches(const struct redact *r, unsigned rule)
{
    CHECK(rule < r->count);
    return r->rules[r->rules[rule].counted].matches;
}

uint64_t redact_limits(const struct redact *r) { return r->limits; }

static uint64_t hash_of(const struct redact *r, struct str text)
{
    unsigned char bytes[crypto_shorthash_BYTES];
    uint64_t hash;
    crypto_shorthash(bytes, (const unsigned char *)text.at, text.len, r->key);
    memcpy(&hash, bytes, sizeof(hash));
    return hash;
}

bool redact_known_clean(const struct redact *r, struct str text)
{
    uint64_t hash = hash_of(r, text);
    return r->clean[hash % CLEAN_SLOTS] == hash;
}

void redact_note_clean(struct redact *r, struct str text)
{
    uint64_t hash = hash_of(r, text);
    r->clean[hash % CLEAN_SLOTS] = hash;
}

/* ---- the walk ---- */

bool redact_begin(struct redact_walk *w, struct redact *r, struct str text)
{
    bool any = false;
    w->rules = r;
    w->text = text;
    w->at = 0;
    for (unsigned i = 0; i < r->count; i++) {
        find(w, i, 0);
        any = any || w->next[i].begin < text.len;
    }
    return any;
}

static void find(struct redact_walk *w, unsigned rule, size_t from)
{
    struct redact_match *m = &w->next[rule];
    *m = (struct redact_match){rule, w->text.len, w->text.len};
    switch (pattern_find(w->rules->rules[rule].pattern, w->text, from, &m->begin, &m->end)) {
    case PATTERN_FOUND:
        return;
    case PATTERN_NONE:
        *m = (struct redact_match){rule, w->text.len, w->text.len};
        return;
    case PATTERN_LIMIT:
        w->rules->limits++;
        *m = (struct redact_match){rule, from, w->text.len};
        return;
    }
}

bool redact_next(struct redact_walk *w, struct redact_match *out)
{
    const struct redact_match *first = NULL;
    for (unsigned i = 0; i < w->rules->count; i++) {
        if (w->next[i].begin < w->at)
            find(w, i, w->at);
        if (w->next[i].begin < w->text.len && (!first || w->next[i].begin < first->begin))
            first = &w->next[i];
    }
    if (!first)
        return false;
    *out = *first;
    w->at = out->end;
    w->rules->rules[w->rules->rules[out->rule].counted].matches++;
    return true;
}
