#include "worker/tools/prometheus/sketch.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "common/duration.h"
#include "worker/tools/prometheus/name.h"

enum {
    WINDOW_S = 300, /* the usual one: four scrapes of a minute and one more */
    TOP_GROUPS = 5,
    MATCHERS_BYTES = 200,
};

/* ---- what the metric has ---- */

static bool is_targets(struct str label) /* which process it is of, not what it is split by */
{
    static const char *const names[] = {"job", "instance", "le", "quantile", "__name__"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_is(label, names[i]))
            return true;
    return false;
}

/* "inner_eval" is "the inner evaluation": each part is how a word begins. */
static bool says_parts(const struct asked *a, struct str value)
{
    struct str rest = value, part;
    unsigned count = 0;
    for (; words_part(&rest, &part); count++) {
        scoped_buf(word, 80);
        buf_putc(&word, ' ');
        buf_add_str(&word, part);
        if (part.len < 4 || !memmem(a->said, strlen(a->said), word.at, word.len))
            return false;
    }
    return count > 1;
}

/* "oom killed" is "OOMKilled". */
static bool says_joined(const struct asked *a, struct str value)
{
    enum { LEAST = 8 };
    scoped_buf(joined, WORDS_TEXT_MAX);
    scoped_buf(sought, 64);
    for (const char *at = a->said; *at; at++)
        if (*at != ' ')
            buf_putc(&joined, *at);
    for (size_t i = 0; i < value.len; i++)
        buf_putc(&sought, (char)tolower((unsigned char)value.at[i]));
    return sought.len >= LEAST && joined.len > 0 &&
           memmem(joined.at, joined.len, sought.at, sought.len) != NULL;
}

/* Where the question names this value, as words; NULL: nowhere. */
static const char *value_at(const struct asked *a, struct str label, struct str value)
{
    scoped_buf(b, WORDS_TEXT_MAX);
    bool letters = false, status = str_is(label, "code") || str_is(label, "status");
    for (size_t i = 0; i < value.len; i++)
        letters = letters || isalpha((unsigned char)value.at[i]);
    if (!(letters || status) || value.len < 3 || value.len > 60)
        return NULL;
    words_normalise(value, &b);
    const char *at = memmem(a->said, strlen(a->said), b.at, b.len);
    return at ? at : says_parts(a, value) || says_joined(a, value) ? a->said : NULL;
}

/* "other than 200": just before it. */
static bool is_denied(const struct asked *a, const char *value)
{
    enum { NEAR = 40 };
    const char *at = asked_wish(a, WISH_NOT);
    return at && at < value && value - at < NEAR;
}

/* "postgres" is what pg_… is of, no value of its labels. */
static bool is_of_name(struct str name, struct str value)
{
    static const char *const shorts[][2] = {{"postgres", "pg"}, {"postgresql", "pg"}};
    struct str part;
    while (words_part(&name, &part)) {
        if (str_eq(part, value))
            return true;
        for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++)
            if (str_is(value, shorts[i][0]) && str_is(part, shorts[i][1]))
                return true;
    }
    return false;
}

static bool asks_share(const struct asked *a)
{
    return asks(a, WISH_SHARE) || asks(a, WISH_PERCENT);
}

/* The person's word for a label: its name, or what the trade calls it. -1: it isn't said; else the
 * group of that word. */
static int label_group(const struct asked *a, struct str label, float least)
{
    char stem[WORDS_STEM_MAX + 1];
    struct str rest = label, part;
    while (words_part(&rest, &part)) {
        size_t len = words_stem(part, stem);
        if (str_is(part, "name") || str_is(part, "id"))
            continue;
        for (unsigned i = 0; i < a->words->count; i++) {
            const struct word *w = &a->words->words[i];
            if (w->weight >= least && w->len == len && memcmp(w->stem, stem, len) == 0)
                return w->group;
        }
    }
    return -1;
}

static const float trade = 0.6F; /* the first two of what it may be called */

/* "5xx", "errors", of a label with HTTP's codes: a regular expression; NULL: not said. */
static const char *classes_said(const struct asked *a, const struct sketch_label *l)
{
    bool codes = l->value_count > 0;
    for (unsigned k = 0; k < l->value_count; k++)
        codes = codes && l->values[k].len == 3 && isdigit((unsigned char)l->values[k].at[0]) &&
                isdigit((unsigned char)l->values[k].at[2]);
    if (!codes || (asks(a, WISH_BY) && label_group(a, l->name, trade) >= 0))
        return NULL;
    bool four = asked_any(a, "4xx 400s") != NULL, five = asked_any(a, "5xx 500s") != NULL;
    if (four)
        return five ? "[45].." : "4..";
    bool errors = asks(a, WISH_ERRORS) && asks_share(a); /* else it may be of other errors */
    return five || errors ? "5.." : asked_any(a, "2xx 200s") ? "2.." : NULL;
}

/* {door="front"}: what the question says of labels; and which labels are left to be split by. */
static void write_matchers(const struct asked *a, const struct sketch_metric *m, struct buf *b,
                           uint32_t *matched)
{
    *matched = 0;
    for (unsigned i = 0; i < m->label_count; i++) {
        const struct sketch_label *l = &m->labels[i];
        for (unsigned k = 0; k < l->value_count && !is_targets(l->name); k++) {
            bool root = str_is(l->values[k], "/") && a->root;
            const char *at = value_at(a, l->name, l->values[k]);
            if (!(root || at) || *matched >> i & 1 || is_of_name(m->name, l->values[k]))
                continue;
            buf_puts(b, *matched ? "," : "");
            name_label(b, l->name);
            buf_puts(b, at && is_denied(a, at) ? "!=" : "=");
            name_quote(b, l->values[k]);
            *matched |= 1U << i;
        }
        const char *classes = *matched >> i & 1 ? NULL : classes_said(a, l);
        if (classes) {
            buf_puts(b, *matched ? "," : "");
            name_label(b, l->name);
            buf_printf(b, "=~\"%s\"", classes);
            *matched |= 1U << i;
        }
    }
}

/* How far behind "by", "per", "each" the label is said; much where nobody can say. */
static size_t distance(const struct asked *a, int group)
{
    enum { FAR = 10000 };
    const char *by = asked_wish(a, WISH_BY), *own = a->words->own[group];
    const char *at = by && own[0] ? strstr(by, own) : NULL;
    bool phrase = by && !own[0] && (unsigned char)by[0] >= 0xE3; /* 每个命名空间 */
    return at ? (size_t)(at - by) : phrase ? 0 : FAR;
}

static struct str group_label(const struct asked *a, const struct sketch_metric *m,
                              uint32_t matched)
{
    bool counts = m->type[0] != '\0' && strcmp(m->type, "gauge") != 0, by = asks(a, WISH_BY);
    struct str best = {NULL, 0};
    size_t least = SIZE_MAX;
    for (unsigned i = 0; i < m->label_count && (by || (counts && asks(a, WISH_MOST))); i++) {
        struct str name = m->labels[i].name;
        bool target = is_targets(name) && !str_is(name, "job") && !str_is(name, "instance");
        int group = target || matched >> i & 1 ? -1 : label_group(a, name, trade);
        if (group < 0 || distance(a, group) >= least)
            continue;
        least = distance(a, group);
        best = name;
    }
    return best;
}

bool sketch_groups(const struct asked *a, const struct sketch_metric *m)
{
    return group_label(a, m, 0).len > 0;
}

/* "which device", not "which devices": one is asked for. */
static bool asks_one(const struct asked *a, struct str label)
{
    int group = label.len > 0 ? label_group(a, label, trade) : -1;
    const char *own = group >= 0 ? a->words->own[group] : "";
    size_t len = strlen(own);
    if (asks(a, WISH_BY))
        return false;
    return asked_any(a, "哪个 哪一个 どの") || (len > 0 && own[len - 1] != 's');
}

static bool is_split(const struct sketch_metric *m, uint32_t matched)
{
    for (unsigned i = 0; i < m->label_count; i++)
        if (!is_targets(m->labels[i].name) && !(matched >> i & 1))
            return true;
    return false;
}

static bool has_value(const struct sketch_metric *m, const char *label, const char *value)
{
    for (unsigned i = 0; i < m->label_count; i++)
        for (unsigned k = 0; k < m->labels[i].value_count; k++)
            if (str_is(m->labels[i].name, label) && str_is(m->labels[i].values[k], value))
                return true;
    return false;
}

/* "how many rooms", "how many different handlers": of a label that stands right behind. */
static struct str counted_label(const struct asked *a, const struct sketch_metric *m)
{
    static const char *const measures[] = {"_celsius",       "_bytes", "_seconds",
                                           "_seconds_total", "_ratio", "_bytes_total"};
    bool counts = asks(a, WISH_COUNT) && !asks(a, WISH_BY);
    const char *at = counts ? asked_wish(a, WISH_COUNT) : NULL;
    bool measure = asks(a, WISH_DISTINCT) || str_is(m->name, "up");
    struct str rest = str_of(at ? at : ""), word;
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
        measure = measure || str_ends(m->name, str_of(measures[i]));
    if (!measure || is_targets(m->name))
        return (struct str){NULL, 0};
    for (unsigned n = 0; n < 4 && str_split(&rest, ' ', &word); n++)
        for (unsigned i = 0; i < m->label_count; i++) {
            int group = label_group(a, m->labels[i].name, trade);
            if (group >= 0 && a->words->own[group][0] && str_is(word, a->words->own[group]))
                return m->labels[i].name;
        }
    return (struct str){NULL, 0};
}

/* ---- writing ---- */

struct writing {
    const struct asked *a;
    const struct sketch_metric *m;
    struct str matchers, group;
    uint32_t matched;
    struct buf *out;
};

static bool says_total(struct str name) /* MemTotal, not requests_total */
{
    return name.len > 0 && memmem(name.at, name.len, "Total", 5) != NULL;
}

static void write_selector(struct writing *w, const char *end, const char *more)
{
    scoped_buf(name, 400);
    scoped_buf(matchers, 300);
    buf_add_str(&name, w->m->name);
    buf_puts(&name, end);
    buf_add_str(&matchers, w->matchers);
    buf_puts(&matchers, matchers.len > 0 && more[0] ? "," : "");
    buf_puts(&matchers, more);
    name_selector(w->out, buf_str(&name), buf_str(&matchers));
    w->out->overflowed = w->out->overflowed || name.overflowed || matchers.overflowed;
}

static void write_window(struct writing *w, const char *end)
{
    unsigned window = w->a->window_s > 0 ? w->a->window_s : WINDOW_S;
    write_selector(w, end, "");
    buf_printf(w->out, "[%s]", duration_write((int64_t)window * 1000));
}

static void write_over(struct writing *w, const char *function, const char *end)
{
    buf_printf(w->out, "%s(", function);
    write_window(w, end);
    buf_putc(w->out, ')');
}

static void write_by(struct writing *w)
{
    buf_puts(w->out, " by (");
    name_label(w->out, w->group);
    buf_puts(w->out, ") ");
}

static unsigned top_of(const struct writing *w)
{
    bool one = w->group.len == 0 || asks_one(w->a, w->group);
    return w->a->top > 0 ? w->a->top : one ? 1 : TOP_GROUPS;
}

/* "sum by (handler) (", "topk(1, ", "sum(", "avg("; how many parentheses it opened. */
static unsigned write_around(struct writing *w, bool adds_up)
{
    const struct asked *a = w->a;
    bool most = asks(a, WISH_MOST), least = asks(a, WISH_LEAST), grouped = w->group.len > 0;
    unsigned open = 0;
    if (most || least) {
        buf_printf(w->out, "%s(%u, ", least ? "bottomk" : "topk", top_of(w));
        open++;
    }
    bool mean = asks(a, WISH_AVERAGE) && !adds_up;
    bool total = asks(a, WISH_TOTAL) && !says_total(w->m->name);
    if (grouped) {
        buf_puts(w->out, mean ? "avg" : "sum");
        write_by(w);
        buf_puts(w->out, "(");
        open++;
    } else if (open == 0 && (mean || adds_up || total)) {
        buf_puts(w->out, mean ? "avg(" : "sum(");
        open++;
    }
    return open;
}

static void close_all(struct writing *w, unsigned open)
{
    while (open-- > 0)
        buf_putc(w->out, ')');
}

/* What is left or taken of something, what failed of all that was tried, the seconds that were
 * spent on all of it; and what that something is called. "": behind the name. */
static const struct relation {
    enum { LEFT, TAKEN, FAILED, SPENT, HIT } kind;
    const char *part, *wholes;
} relations[] = {{LEFT, "available", "total size limit capacity pool_size"},
                 {LEFT, "Available", "Total Size Limit"},
                 {LEFT, "avail", "size total"},
                 {LEFT, "free", "total size capacity"},
                 {LEFT, "Free", "Total"},
                 {LEFT, "_free", "-"},
                 {LEFT, "remaining", "total limit max"},
                 {TAKEN, "used", "total size limit max capacity"},
                 {TAKEN, "Used", "Total"},
                 {TAKEN, "usage", "limit total max"},
                 {TAKEN, "inuse", "sys"},
                 {TAKEN, "open", "max limit"},
                 {TAKEN, "current", "max limit"},
                 {TAKEN, "active", "max"},
                 {TAKEN, "allocated", "maximum max limit"},
                 {TAKEN, "length", "capacity max limit"},
                 {TAKEN, "", "_limit _max _maximum _capacity _concurrent_max"},
                 {SPENT, "_time_seconds_total", "s_completed_total s_total _total"},
                 {HIT, "hits", "misses"},
                 {HIT, "hit", "miss misses read"},
                 {FAILED, "_failed", "- _attempted"},
                 {FAILED, "_failures", "s -"},
                 {FAILED, "_errors", "s _requests -"}};
enum { RELATIONS = sizeof(relations) / sizeof(relations[0]) };

/* Where a part stands in a name, as one of its own: up to a sign, an end, or a capital. */
static const char *part_at(struct str name, const char *part)
{
    size_t len = strlen(part);
    const char *at = name.len == 0 ? NULL
                     : len == 0    ? name.at + name.len
                                   : memmem(name.at, name.len, part, len);
    const char *end = at ? at + len : NULL;
    bool ends = at && (end == name.at + name.len || !islower((unsigned char)*end));
    bool begins =
        at && (at == name.at || !islower((unsigned char)at[-1]) || !islower((unsigned char)*at));
    return ends && (begins || len == 0) ? at : NULL;
}

static const struct relation *relate(struct str name, unsigned i, struct buf *whole)
{
    for (unsigned r = 0; r < RELATIONS; r++) {
        const char *at = part_at(name, relations[r].part);
        struct str rest = str_of(relations[r].wholes), word;
        while (at && str_split(&rest, ' ', &word)) {
            if (i-- > 0)
                continue;
            const char *end = at + strlen(relations[r].part);
            buf_clear(whole);
            buf_add(whole, name.at, (size_t)(at - name.at));
            buf_add_str(whole, str_is(word, "-") ? STR("") : word);
            buf_add(whole, end, (size_t)(name.at + name.len - end));
            return &relations[r];
        }
    }
    return NULL;
}

bool sketch_whole(struct str name, unsigned i, struct buf *whole)
{
    buf_clear(whole);
    return relate(name, i, whole) != NULL;
}

/* How it is to its whole; NULL: it has none. */
static const struct relation *relation_of(const struct sketch_metric *m)
{
    scoped_buf(whole, 400);
    const struct relation *r = NULL;
    for (unsigned i = 0; m->whole.len > 0 && (r = relate(m->name, i, &whole)) != NULL; i++)
        if (str_eq(buf_str(&whole), m->whole))
            return r;
    return NULL;
}

bool sketch_is_moment(struct str name)
{
    return str_ends(name, STR("_timestamp_seconds")) || str_ends(name, STR("_time_seconds")) ||
           str_ends(name, STR("_timestamp"));
}

/* used / total, 1 - free / size, max - open. False: that is not what is asked. */
static bool write_part(struct writing *w)
{
    const struct asked *a = w->a;
    const struct relation *r = relation_of(w->m);
    bool share = asks_share(a), used = asks(a, WISH_USED);
    bool left = r && r->kind == LEFT, taken = r && r->kind == TAKEN;
    bool other = !share && ((taken && asks(a, WISH_MORE)) || (left && used && !asks(a, WISH_MORE)));
    const struct sketch_metric whole = {.name = w->m->whole};
    struct writing all = {.a = a, .m = &whole, .matchers = w->matchers, .out = w->out};
    if (!(left || taken) || !(share || other))
        return false;
    if (other) {
        write_selector(&all, "", "");
        buf_puts(w->out, " - ");
        write_selector(w, "", "");
        return true;
    }
    buf_puts(w->out, left && used ? "1 - " : "");
    write_selector(w, "", "");
    buf_puts(w->out, " / ");
    write_selector(&all, "", "");
    return true;
}

static const char *over_time(const struct asked *a)
{
    return a->window_s == 0                           ? NULL
           : asks(a, WISH_AVERAGE)                    ? "avg_over_time"
           : asks(a, WISH_LOW) || asks(a, WISH_LEAST) ? "min_over_time"
           : asks(a, WISH_PEAK) || asks(a, WISH_MOST) ? "max_over_time"
                                                      : NULL;
}

static void write_gauge(struct writing *w)
{
    const struct asked *a = w->a;
    const char *over = over_time(a);
    if (write_part(w))
        return;
    if (asks(a, WISH_AGO) && sketch_is_moment(w->m->name)) {
        buf_puts(w->out, "time() - ");
        write_selector(w, "", "");
    } else if (a->percent > 0 && a->window_s > 0) {
        buf_printf(w->out, "quantile_over_time(%.10g, ", a->percent / 10000.0);
        write_window(w, "");
        buf_putc(w->out, ')');
    } else if (over) {
        write_over(w, over, "");
    } else {
        unsigned open = write_around(w, false);
        write_selector(w, "", "");
        close_all(w, open);
    }
}

static void write_up(struct writing *w)
{
    const struct asked *a = w->a;
    bool counts = asks(a, WISH_COUNT), dead = asks(a, WISH_DEAD);
    if (w->group.len > 0) {
        buf_puts(w->out, "count");
        write_by(w);
        buf_puts(w->out, "(up)");
    } else if (asks_share(a)) {
        buf_puts(w->out, "avg(up)");
    } else if (counts) {
        buf_puts(w->out, dead                  ? "count(up == 0) or vector(0)"
                         : asks(a, WISH_ALIVE) ? "sum(up)"
                                               : "count(up)");
    } else {
        buf_puts(w->out, "up");
    }
}

/* One side of a division: of this window's rate, summed where there is more than one series. */
static void write_side(struct writing *w, const struct sketch_metric *m, struct str matchers,
                       const char *end, bool adds)
{
    struct writing side = *w;
    bool grouped = w->group.len > 0;
    side.m = m;
    side.matchers = matchers;
    buf_puts(w->out, adds || grouped ? "sum" : "");
    if (grouped)
        write_by(w);
    buf_puts(w->out, adds || grouped ? "(" : "");
    write_over(&side, "rate", end);
    buf_puts(w->out, adds || grouped ? ")" : "");
}

/* x / (x + y), since it began or in a window. */
static void write_hits(struct writing *w)
{
    const struct sketch_metric whole = {.name = w->m->whole};
    const struct sketch_metric *sides[] = {w->m, w->m, &whole};
    static const char *const between[] = {"", " / (", " + "};
    bool adds = is_split(w->m, w->matched);
    for (unsigned i = 0; i < 3; i++) {
        struct writing side = *w;
        side.m = sides[i];
        buf_puts(w->out, between[i]);
        if (w->a->window_s > 0) {
            write_side(&side, side.m, w->matchers, "", adds);
            continue;
        }
        buf_puts(w->out, adds ? "sum(" : "");
        write_selector(&side, "", "");
        buf_puts(w->out, adds ? ")" : "");
    }
    buf_putc(w->out, ')');
}

/* What failed of all, the seconds of each, the requests with a code of all: rate over rate. */
static bool write_counters_share(struct writing *w)
{
    const struct asked *a = w->a;
    const struct relation *r = relation_of(w->m);
    const struct sketch_metric whole = {.name = w->m->whole};
    bool share = asks_share(a), adds = is_split(w->m, w->matched);
    bool failed = r && r->kind == FAILED && share;
    bool spent = r && r->kind == SPENT && asks(a, WISH_AVERAGE);
    bool matched = share && w->matched != 0 && !failed;
    if (r && r->kind == HIT && share) {
        write_hits(w);
        return true;
    }
    if (!failed && !spent && !matched)
        return false;
    write_side(w, w->m, w->matchers, "", adds || matched);
    buf_puts(w->out, " / ");
    if (matched)
        write_side(w, w->m, STR(""), "", true);
    else
        write_side(w, &whole, w->matchers, "", adds);
    return true;
}

/* Seconds of a CPU by mode: what it does not idle. False: they aren't, or are asked as they are. */
static bool write_busy(struct writing *w)
{
    const struct asked *a = w->a;
    bool idle = w->matched != 0, percent = asks(a, WISH_PERCENT);
    if (!has_value(w->m, "mode", "idle") || w->group.len > 0 || asks(a, WISH_EVER) ||
        (idle && memmem(w->matchers.at, w->matchers.len, "\"idle\"", 6) == NULL))
        return false;
    struct writing all = *w;
    all.matchers = STR("mode=\"idle\"");
    buf_puts(w->out, idle ? (percent ? "100 * " : "") : percent ? "100 * (1 - " : "1 - ");
    buf_puts(w->out, "avg(");
    write_over(&all, "rate", "");
    buf_puts(w->out, percent && !idle ? "))" : ")");
    return true;
}

/* Of a counter, or of the count of a histogram (end: _count). */
static void write_counter(struct writing *w, const char *end)
{
    const struct asked *a = w->a;
    bool cpu = memmem(w->m->name.at, w->m->name.len, "cpu_seconds", 11) != NULL;
    bool bytes = memmem(w->m->name.at, w->m->name.len, "bytes", 5) != NULL;
    bool ever = asks(a, WISH_EVER) || (asks(a, WISH_TOTAL) && a->window_s == 0);
    bool ranked = asks(a, WISH_MOST) && w->group.len > 0; /* who is at it now */
    bool rate = asks(a, WISH_RATE) || asks(a, WISH_AVERAGE) ||
                ((cpu || ranked || (bytes && w->group.len > 0)) && !ever);
    bool percent = cpu && asks(a, WISH_PERCENT) && rate;
    bool modes = has_value(w->m, "mode", "idle");
    if (end[0] == '\0' && ((rate && write_busy(w)) || write_counters_share(w)))
        return;
    if (modes && ranked && !str_is(w->group, "mode") && w->matched == 0)
        w->matchers = STR("mode!=\"idle\"");
    buf_puts(w->out, percent ? "100 * " : "");
    bool each = asks(a, WISH_BY) && w->group.len == 0; /* by what it has no label for */
    unsigned open = write_around(w, is_split(w->m, w->matched) && (!cpu || modes) && !each);
    if (rate)
        write_over(w, "rate", end);
    else if (a->window_s > 0)
        write_over(w, "increase", end);
    else
        write_selector(w, end, "");
    close_all(w, open);
}

static void write_by_le(struct writing *w)
{
    buf_puts(w->out, "sum by (le");
    if (w->group.len > 0) {
        buf_puts(w->out, ", ");
        name_label(w->out, w->group);
    }
    buf_puts(w->out, ") (");
    write_over(w, "rate", "_bucket");
    buf_puts(w->out, ")");
}

static void write_mean(struct writing *w)
{
    bool most = asks(w->a, WISH_MOST) && w->group.len > 0, adds = is_split(w->m, w->matched);
    if (most)
        buf_printf(w->out, "topk(%u, ", top_of(w));
    write_side(w, w->m, w->matchers, "_sum", adds);
    buf_puts(w->out, " / ");
    write_side(w, w->m, w->matchers, "_count", adds);
    close_all(w, most);
}

/* A histogram of one series, buckets and all. */
static void write_native(struct writing *w)
{
    static const char *const functions[] = {"histogram_avg(", "histogram_count("};
    bool counts = asks(w->a, WISH_COUNT) || asks(w->a, WISH_RATE);
    if (w->a->percent > 0)
        buf_printf(w->out, "histogram_quantile(%.10g, ", w->a->percent / 10000.0);
    else
        buf_puts(w->out, functions[counts && !asks(w->a, WISH_AVERAGE)]);
    write_side(w, w->m, w->matchers, "", true);
    buf_putc(w->out, ')');
}

/* A histogram or a summary. */
static void write_family(struct writing *w, bool histogram)
{
    const struct asked *a = w->a;
    bool counts = asks(a, WISH_COUNT) || asks(a, WISH_RATE);
    bool most = asks(a, WISH_MOST) || (asks(a, WISH_PEAK) && a->window_s == 0);
    bool bytes = str_ends(w->m->name, STR("_bytes")) && asks(a, WISH_BYTES);
    char quantile[48];
    snprintf(quantile, sizeof(quantile), "%.10g", a->percent / 10000.0);
    if (a->percent > 0 && histogram) {
        buf_printf(w->out, "histogram_quantile(%s, ", quantile);
        write_by_le(w);
        buf_putc(w->out, ')');
    } else if (a->percent > 0 || (!histogram && most)) {
        char matcher[80];
        snprintf(matcher, sizeof(matcher), "quantile=\"%s\"", a->percent > 0 ? quantile : "1");
        write_selector(w, "", matcher);
    } else if (asks(a, WISH_AVERAGE) || !(counts || a->window_s > 0)) {
        write_mean(w);
    } else {
        write_counter(w, bytes ? "_sum" : "_count");
    }
}

/* How many values of a label there are. */
static bool write_labels_count(struct writing *w)
{
    struct str label = counted_label(w->a, w->m);
    if (label.len == 0 || label.at == w->group.at)
        return false;
    struct writing of = *w;
    of.group = label;
    buf_puts(w->out, "count(count");
    write_by(&of);
    buf_putc(w->out, '(');
    write_selector(w, "", "");
    buf_puts(w->out, "))");
    return true;
}

/* Of an untyped metric nobody knows: what is asked as a counter is, is one. What a rule records is
 * none. */
static bool is_counter(const struct asked *a, const struct sketch_metric *m)
{
    bool untyped = m->type[0] == '\0' && !memchr(m->name.at, ':', m->name.len);
    return untyped ? asks(a, WISH_RATE) || (a->window_s > 0 && over_time(a) == NULL)
                   : strcmp(m->type, "counter") == 0;
}

bool sketch_write(const struct asked *a, const struct sketch_metric *m, struct buf *query)
{
    scoped_buf(matchers, MATCHERS_BYTES);
    scoped_buf(out, SKETCH_BYTES_MAX);
    struct writing w = {.a = a, .m = m, .out = &out};
    bool histogram = strcmp(m->type, "histogram") == 0;
    write_matchers(a, m, &matchers, &w.matched);
    if (matchers.overflowed) {
        buf_clear(&matchers);
        w.matched = 0;
    }
    w.matchers = buf_str(&matchers);
    w.group = group_label(a, m, w.matched);
    if (write_labels_count(&w))
        ;
    else if (str_is(m->name, "up"))
        write_up(&w);
    else if (m->native)
        write_native(&w);
    else if (histogram || strcmp(m->type, "summary") == 0)
        write_family(&w, histogram);
    else if (is_counter(a, m))
        write_counter(&w, "");
    else
        write_gauge(&w);
    return !out.overflowed && buf_add_str(query, buf_str(&out));
}
