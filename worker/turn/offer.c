#include "worker/turn/offer.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/prometheus/words.h"

static bool among(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (**names == *name && strcmp(name, *names) == 0)
            return true;
    return false;
}

static bool core(const struct tool_spec *spec)
{
    static const char *const names[] = {"list_metrics",
                                        "describe_metric",
                                        "list_label_values",
                                        "list_datasources",
                                        "list_alerts",
                                        "execute_instant_query",
                                        "execute_range_query",
                                        "histogram_quantile",
                                        "show_plan",
                                        "find_tools",
                                        NULL};
    return among(spec->name, names) || str_starts(str_of(spec->name), STR(TOOLS_MCP));
}

/* What kinds of tools are for, beside what their names say. */
static const struct {
    const char *words; /* stems */
    enum tool_source source;
    const char *const names[8];
} fors[] = {
    {"log loki lin messag", TOOL_SOURCE_LOKI, {NULL}},
    {"trac span tempo", TOOL_SOURCE_TEMPO, {NULL}},
    {"profil flam pyroscop", TOOL_SOURCE_PYROSCOPE, {NULL}},
    {"alert silenc firing alertmanager", TOOL_SOURCE_ALERTMANAGER, {"list_rules", NULL}},
    {"runbook doc document sop procedur guid", TOOL_SOURCE_NONE, {"search_docs", "read_doc", NULL}},
    {"dashboard panel board chart sav",
     TOOL_SOURCE_NAMED,
     {"list_projects", "list_dashboards", "search_panels", "get_dashboard", "get_panel",
      "run_panel", NULL}},
    {"scrap target", TOOL_SOURCE_NONE, {"list_targets", NULL}},
    {"label sery cardinality", TOOL_SOURCE_NONE, {"list_label_names", "list_series", NULL}},
};
enum { FORS = sizeof(fors) / sizeof(fors[0]) };

/* The latest ones: to read all of a conversation's thousands takes others' turns too long. What was
 * called since an older one asked for it is known by the call. */
enum { QUESTIONS_READ = 64 };

static bool is_for(unsigned i, const struct tool_spec *spec)
{
    return (fors[i].source != TOOL_SOURCE_NONE && spec->source == fors[i].source) ||
           among(spec->name, fors[i].names);
}

/* What the questions ask for: stems of their own words, each once, and bits of fors. */
struct asked_for {
    uint64_t fors;
    unsigned count;
    uint16_t first[WORDS_STARTS]; /* by words_start: one more than a stem's index; 0: none */
    struct {
        char at[WORDS_STEM_MAX + 1];
        uint8_t len;
        uint16_t next;                          /* as first: one more that begins like it */
    } stems[QUESTIONS_READ * WORDS_GROUPS_MAX]; /* the first count of them are there */
};

static bool has_own(const struct asked_for *a, const char *stem, size_t len)
{
    for (unsigned next = a->first[words_start(stem, len)]; next > 0; next = a->stems[next - 1].next)
        if (a->stems[next - 1].len == len && memcmp(a->stems[next - 1].at, stem, len) == 0)
            return true;
    return false;
}

static void add_own(struct asked_for *a, const struct word *w)
{
    if (has_own(a, w->stem, w->len))
        return;
    CHECK(a->count < QUESTIONS_READ * WORDS_GROUPS_MAX); /* a group has one own word */
    uint16_t *first = &a->first[words_start(w->stem, w->len)];
    memcpy(a->stems[a->count].at, w->stem, sizeof(w->stem));
    a->stems[a->count].len = w->len;
    a->stems[a->count].next = *first;
    *first = (uint16_t)++a->count;
}

static bool says(const struct words *w, struct str stem)
{
    for (unsigned next = w->first[words_start(stem.at, stem.len)]; next > 0;
         next = w->words[next - 1].next)
        if (str_eq(stem, (struct str){w->words[next - 1].stem, w->words[next - 1].len}))
            return true;
    return false;
}

static void read_question(struct asked_for *a, struct str question)
{
    struct words w;
    words_read(&w, question);
    for (unsigned i = 0; i < w.count; i++)
        if (w.words[i].weight >= 1)
            add_own(a, &w.words[i]);
    for (unsigned k = 0; k < FORS; k++) {
        struct str rest = str_of(fors[k].words), stem;
        while (!(a->fors >> k & 1) && str_split(&rest, ' ', &stem))
            a->fors |= (uint64_t)says(&w, stem) << k;
    }
}

/* A word of a question is what it is for, or a part of its name. A stem begins like its word, so
 * most parts have none to be made. */
static bool is_asked_for(const struct asked_for *a, const struct tool_spec *spec)
{
    char stem[WORDS_STEM_MAX + 1];
    struct str rest = str_of(spec->name), part;
    for (unsigned k = 0; k < FORS; k++)
        if (a->fors >> k & 1 && is_for(k, spec))
            return true;
    while (words_part(&rest, &part))
        if (a->first[words_start(part.at, part.len)] > 0 &&
            has_own(a, stem, words_stem(part, stem)))
            return true;
    return false;
}

static bool has(struct str text, const char *name)
{
    char quoted[96];
    size_t len = strlen(name);
    if (len + 3 > sizeof(quoted) || text.len == 0)
        return false;
    quoted[0] = quoted[len + 1] = '"';
    memcpy(quoted + 1, name, len);
    return memmem(text.at, text.len, quoted, len + 2) != NULL;
}

/* One of its kind of datasource is as good. */
static bool names_it(struct str found, const struct tool_spec *all, unsigned count,
                     const struct tool_spec *spec)
{
    bool kind = spec->source >= TOOL_SOURCE_LOKI;
    for (unsigned i = 0; kind && i < count; i++)
        if (all[i].source == spec->source && has(found, all[i].name))
            return true;
    return has(found, spec->name);
}

static void mark(const struct store_message *m, const struct tool_spec *all, unsigned count,
                 bool *wanted)
{
    for (unsigned i = 0; i < count; i++) {
        bool now = false;
        for (unsigned k = 0; m->record.role == ROLE_ASSISTANT && k < m->record.call_count; k++)
            now = now || str_is(m->record.calls[k].tool_name, all[i].name);
        for (unsigned k = 0; m->record.role == ROLE_TOOL && k < m->record.response_count; k++)
            now = now || (str_is(m->record.responses[k].tool_name, "find_tools") &&
                          names_it(m->record.responses[k].content, all, count, &all[i]));
        wanted[i] = wanted[i] || now;
    }
}

/* What a conversation wants beside the core. */
static void read_conversation(const struct offer_facts *f, const struct tool_spec *all,
                              unsigned count, bool *wanted)
{
    struct asked_for *asked = xmalloc(sizeof(*asked));
    unsigned questions = 0;
    memset(asked, 0, offsetof(struct asked_for, stems));
    for (unsigned i = f->message_count; i > 0; i--) {
        const struct store_message *m = &f->messages[i - 1];
        if (m->record.role != ROLE_USER)
            mark(m, all, count, wanted);
        else if (questions++ < QUESTIONS_READ)
            read_question(asked, m->record.content);
    }
    for (unsigned i = 0; i < count; i++)
        wanted[i] = wanted[i] || is_asked_for(asked, &all[i]);
    free(asked);
}

static bool of_context(const struct offer_facts *f, const struct tool_spec *spec)
{
    for (unsigned k = 0; k < FORS && (f->dashboards || f->alert); k++)
        if (is_for(k, spec) && ((f->dashboards && strncmp(fors[k].words, "dash", 4) == 0) ||
                                (f->alert && (strncmp(fors[k].words, "alert", 5) == 0 ||
                                              strncmp(fors[k].words, "runbook", 7) == 0))))
            return true;
    return false;
}

/* Logs, traces and the like; metrics are what a conversation is of. */
static bool lacking(const struct offer_facts *f, const struct tool_spec *spec)
{
    return f->lacks && spec->source >= TOOL_SOURCE_LOKI && f->lacks(f->arg, spec->source);
}

unsigned offer_tools(const struct offer_facts *f, const struct tool_spec *all, unsigned count,
                     struct tool_spec *out)
{
    bool chosen = f->model->offer_count > 0 || f->model->small;
    bool *wanted = xcalloc(count + 1, sizeof(*wanted));
    unsigned n = 0;
    if (!chosen && !f->all)
        read_conversation(f, all, count, wanted);
    for (unsigned i = 0; i < count; i++)
        if (chosen ? model_offers(f->model, all[i].name)
                   : (f->all || wanted[i] || core(&all[i]) || of_context(f, &all[i])) &&
                         !lacking(f, &all[i]))
            out[n++] = all[i];
    free(wanted);
    return n;
}
