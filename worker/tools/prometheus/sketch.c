#include "worker/tools/prometheus/sketch.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "common/duration.h"
#include "worker/tools/prometheus/name.h"

enum wish {
#define WISH(name, words) WISH_##name,
#define UNIT(seconds, words)
#define NUMBER(value, words)
#include "worker/tools/prometheus/sketch.def"
#undef WISH
    WISHES
};
static const char *const wish_words[] = {
#define WISH(name, words) words,
#include "worker/tools/prometheus/sketch.def"
#undef WISH
};
#define WISH(name, words)
#undef UNIT
#undef NUMBER
static const struct amount {
    unsigned value;
    const char *words;
} units[] =
    {
#define UNIT(seconds, words) {seconds, words},
#define NUMBER(value, words)
#include "worker/tools/prometheus/sketch.def"
#undef UNIT
#undef NUMBER
},
  numbers[] = {
#define UNIT(seconds, words)
#define NUMBER(value, words) {value, words},
#include "worker/tools/prometheus/sketch.def"
#undef UNIT
#undef NUMBER
};
#undef WISH
enum {
    UNITS = sizeof(units) / sizeof(units[0]),
    NUMBERS = sizeof(numbers) / sizeof(numbers[0]),
    WINDOW_S = 300, /* the usual one: four scrapes of a minute and one more */
    TOP_GROUPS = 5,
    MATCHERS_BYTES = 200,
};

static void read_window(struct sketch *s);
static void read_percent(struct sketch *s);
static void read_top(struct sketch *s);

/* ---- what the question says ---- */

static struct str text_of(const struct sketch *s) { return str_of(s->said); }

/* Where a word or phrase of a table stands in the question; NULL: nowhere. */
static const char *find_phrase(struct str text, struct str phrase)
{
    bool bare = (unsigned char)phrase.at[0] >= 0xE3;
    bool begins = phrase.at[phrase.len - 1] == '*';
    scoped_buf(b, 128);
    buf_puts(&b, bare ? "" : " ");
    for (size_t i = 0; i < phrase.len - begins; i++)
        buf_putc(&b, phrase.at[i] == '_' ? ' ' : phrase.at[i]);
    buf_puts(&b, bare || begins ? "" : " ");
    const char *at = text.len > 0 ? memmem(text.at, text.len, b.at, b.len) : NULL;
    return at && !bare ? at + 1 : at;
}

static const char *find_any(struct str text, const char *words)
{
    struct str rest = str_of(words), word;
    while (str_split(&rest, ' ', &word)) {
        const char *at = word.len > 0 ? find_phrase(text, word) : NULL;
        if (at)
            return at;
    }
    return NULL;
}

static bool wishes(const struct sketch *s, enum wish wish) { return s->wishes >> wish & 1; }

void sketch_read(struct sketch *s, const struct words *words, struct str question)
{
    *s = (struct sketch){.words = words};
    scoped_buf(text, sizeof(s->said) - 1);
    words_normalise(str_cut(question, WORDS_QUESTION_MAX), &text);
    memcpy(s->said, buf_cstr(&text), text.len);
    for (unsigned i = 0; i < WISHES; i++)
        if (find_any(text_of(s), wish_words[i]))
            s->wishes |= 1U << i;
    if (memmem(question.at, question.len, "/s", 2) && find_phrase(text_of(s), STR("s")))
        s->wishes |= 1U << WISH_RATE;
    if (question.len > 0 && memchr(question.at, '%', question.len))
        s->wishes |= 1U << WISH_PERCENT;
    if (find_any(text_of(s), "load_average carga_media 平均负载 ロードアベレージ"))
        s->wishes &= ~(1U << WISH_AVERAGE); /* it is what the metric is called */
    s->root =
        find_any(text_of(s), "root_filesystem root_fs root_partition root_disk 根文件系统 根分区 "
                             "ルート wurzel* raíz") ||
        (question.len > 0 && memmem(question.at, question.len, " / ", 3));
    read_window(s);
    read_percent(s);
    read_top(s);
}

/* The number that ends before at, in digits or words; 0: none does. */
static unsigned number_before(const char *text, const char *at)
{
    while (at > text && at[-1] == ' ')
        at--;
    const char *end = at;
    while (at > text && isdigit((unsigned char)at[-1]))
        at--;
    uint64_t value;
    if (str_u64((struct str){at, (size_t)(end - at)}, 1000, &value))
        return (unsigned)value;
    for (unsigned i = NUMBERS; i-- > 0;) {
        struct str rest = str_of(numbers[i].words), word;
        while (str_split(&rest, ' ', &word))
            if ((size_t)(end - text) >= word.len && memcmp(end - word.len, word.at, word.len) == 0)
                return numbers[i].value;
    }
    return 0;
}

/* "in the last five minutes", but not "per minute". */
static void read_window(struct sketch *s)
{
    for (unsigned i = 0; wishes(s, WISH_LATELY) && i < UNITS; i++) {
        const char *at = find_any(text_of(s), units[i].words);
        if (!at)
            continue;
        unsigned number = number_before(s->said, at);
        s->window_s = (number > 0 ? number : 1) * units[i].value;
        if (units[i].value > 1)
            return;
    }
    if (s->window_s < 60)
        s->window_s = 0; /* "samples per second in the last round" */
}

/* "p95", "95th percentile", "percentil 99", "median" */
static void read_percent(struct sketch *s)
{
    struct str rest = text_of(s), word;
    if (!s->words->wants_distribution)
        return;
    s->percent = find_any(text_of(s), "median mediana medianwert 中位 中央値") ? 5000 : 9500;
    bool named = false; /* p95 and 95th are percentiles, 95 may be minutes */
    while (str_split(&rest, ' ', &word)) {
        uint64_t value;
        bool p = word.len > 1 && word.at[0] == 'p';
        struct str digits = p ? str_skip(word, 1) : word;
        bool th = digits.len > 2 && (str_ends(digits, STR("th")) || str_ends(digits, STR("st")));
        digits.len -= th ? 2 : 0;
        if (digits.len < 2 || !str_u64(digits, 999, &value) || (!p && !th && named))
            continue;
        if (value < 100 && (p || th || value >= 50))
            s->percent = (unsigned)value * 100;
        else if (p)
            s->percent = (unsigned)value * 10;
        named = named || p || th;
    }
}

static void read_top(struct sketch *s)
{
    const char *at = find_any(text_of(s), "top トップ 上位 las los die");
    while (at && *at && !isdigit((unsigned char)*at) && *at != ' ')
        at++;
    while (at && *at == ' ')
        at++;
    for (; at && isdigit((unsigned char)*at) && s->top < 100; at++)
        s->top = s->top * 10 + (unsigned)(*at - '0');
}

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
static bool says_parts(const struct sketch *s, struct str value)
{
    struct str rest = value, part;
    unsigned count = 0;
    for (; words_part(&rest, &part); count++) {
        scoped_buf(word, 80);
        buf_putc(&word, ' ');
        buf_add_str(&word, part);
        if (part.len < 4 || !memmem(s->said, strlen(s->said), word.at, word.len))
            return false;
    }
    return count > 1;
}

/* Does the question name this value? "/" and "/metrics" as they are, words as words. */
static bool says_value(const struct sketch *s, struct str value)
{
    scoped_buf(b, WORDS_TEXT_MAX);
    bool letters = false;
    for (size_t i = 0; i < value.len; i++)
        letters = letters || isalpha((unsigned char)value.at[i]);
    if (!letters || value.len < 3 || value.len > 60)
        return false;
    words_normalise(value, &b);
    return memmem(s->said, strlen(s->said), b.at, b.len) != NULL || says_parts(s, value);
}

/* {door="front"}: what the question says of labels; and which labels are left to be split by. */
static void write_matchers(const struct sketch *s, const struct sketch_metric *m, struct buf *b,
                           uint32_t *matched)
{
    *matched = 0;
    for (unsigned i = 0; i < m->label_count; i++) {
        const struct sketch_label *l = &m->labels[i];
        for (unsigned k = 0; k < l->value_count && !is_targets(l->name); k++) {
            bool root = str_is(l->values[k], "/") && s->root;
            if (!(root || says_value(s, l->values[k])) || *matched >> i & 1)
                continue;
            buf_puts(b, *matched ? "," : "");
            name_label(b, l->name);
            buf_putc(b, '=');
            name_quote(b, l->values[k]);
            *matched |= 1U << i;
        }
    }
}

/* A label whose name the question says, for "by": its own words, or what the trade calls them. */
static bool says_label(const struct sketch *s, struct str label, float least)
{
    char stem[WORDS_STEM_MAX + 1];
    struct str rest = label, part;
    while (words_part(&rest, &part)) {
        size_t len = words_stem(part, stem);
        if (str_is(part, "name") || str_is(part, "id"))
            continue;
        for (unsigned i = 0; i < s->words->count; i++) {
            const struct word *w = &s->words->words[i];
            if (w->weight >= least && w->len == len && memcmp(w->stem, stem, len) == 0)
                return true;
        }
    }
    return false;
}

static struct str group_label(const struct sketch *s, const struct sketch_metric *m,
                              uint32_t matched)
{
    bool counts = m->type[0] != '\0' && strcmp(m->type, "gauge") != 0;
    static const float trade = 0.6F; /* the first two of what it may be called */
    for (unsigned i = 0; i < m->label_count; i++) {
        struct str name = m->labels[i].name;
        bool target = is_targets(name) && !str_is(name, "job") && !str_is(name, "instance");
        if (target || matched >> i & 1)
            continue;
        if (wishes(s, WISH_BY) ? says_label(s, name, trade)
                               : counts && wishes(s, WISH_MOST) && says_label(s, name, 1))
            return name;
    }
    return (struct str){NULL, 0};
}

static bool is_split(const struct sketch_metric *m, uint32_t matched)
{
    for (unsigned i = 0; i < m->label_count; i++)
        if (!is_targets(m->labels[i].name) && !(matched >> i & 1))
            return true;
    return false;
}

/* ---- writing ---- */

struct writing {
    const struct sketch *s;
    const struct sketch_metric *m;
    struct str matchers, group;
    uint32_t matched;
    struct buf *out;
};

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

static void write_over(struct writing *w, const char *function, const char *end)
{
    unsigned window = w->s->window_s > 0 ? w->s->window_s : WINDOW_S;
    buf_printf(w->out, "%s(", function);
    write_selector(w, end, "");
    buf_printf(w->out, "[%s])", duration_write((int64_t)window * 1000));
}

/* "sum by (handler) (", "topk(1, ", "sum(", "avg("; how many parentheses it opened. */
static unsigned write_around(struct writing *w, bool adds_up)
{
    const struct sketch *s = w->s;
    bool most = wishes(s, WISH_MOST), least = wishes(s, WISH_LEAST), grouped = w->group.len > 0;
    unsigned open = 0, top = s->top > 0 ? s->top : grouped ? TOP_GROUPS : 1;
    if (most || least) {
        buf_printf(w->out, "%s(%u, ", least ? "bottomk" : "topk", top);
        open++;
    }
    bool mean = wishes(s, WISH_AVERAGE) && !adds_up;
    if (grouped) {
        buf_puts(w->out, mean ? "avg by (" : "sum by (");
        name_label(w->out, w->group);
        buf_puts(w->out, ") (");
        open++;
    } else if (open == 0 && (mean || adds_up || wishes(s, WISH_TOTAL))) {
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

/* What is left or taken of something; and what that something is called. */
static const struct part {
    const char *part, *wholes;
    bool left;
} parts[] = {{"available", "total size limit capacity", true},
             {"Available", "Total Size Limit", true},
             {"avail", "size total", true},
             {"free", "total size capacity", true},
             {"Free", "Total", true},
             {"remaining", "total limit max", true},
             {"used", "total size limit max capacity", false},
             {"Used", "Total", false},
             {"usage", "limit total max", false},
             {"inuse", "sys", false},
             {"open", "max limit", false},
             {"current", "max limit", false},
             {"active", "max", false}};

static const struct part *part_of(struct str name, const char **at)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t len = strlen(parts[i].part);
        *at = name.len > 0 ? memmem(name.at, name.len, parts[i].part, len) : NULL;
        const char *end = *at ? *at + len : NULL;
        /* a part of its own: up to a sign, an end, or where a capital begins */
        if (*at && (end == name.at + name.len || !islower((unsigned char)*end)) &&
            (*at == name.at || !islower((unsigned char)(*at)[-1]) || isupper((unsigned char)**at)))
            return &parts[i];
    }
    return NULL;
}

bool sketch_whole(struct str name, unsigned i, struct buf *whole)
{
    const char *at;
    const struct part *p = part_of(name, &at);
    buf_clear(whole);
    if (!p)
        return false;
    struct str rest = str_of(p->wholes), word;
    while (str_split(&rest, ' ', &word)) {
        if (i-- > 0)
            continue;
        const char *end = at + strlen(p->part);
        buf_add(whole, name.at, (size_t)(at - name.at));
        buf_add_str(whole, word);
        buf_add(whole, end, (size_t)(name.at + name.len - end));
        return true;
    }
    return false;
}

static bool is_moment(struct str name)
{
    return str_ends(name, STR("_timestamp_seconds")) || str_ends(name, STR("_time_seconds")) ||
           str_ends(name, STR("_timestamp"));
}

static bool wants_moment(const struct sketch *s, struct str name)
{
    return wishes(s, WISH_AGO) && is_moment(name);
}

bool sketch_likes(const struct sketch *s, struct str name)
{
    return (wishes(s, WISH_AGO) || wishes(s, WISH_WHEN)) && is_moment(name);
}

bool sketch_dislikes(const struct sketch *s, struct str name)
{
    bool ranks = wishes(s, WISH_MOST) || wishes(s, WISH_LEAST) || wishes(s, WISH_PERCENT);
    return ranks && (str_is(name, "up") || str_ends(name, STR("_info")));
}

/* used / total, 1 - free / size, max - open. False: that is not what is asked. */
static bool write_part(struct writing *w)
{
    const struct sketch *s = w->s;
    const char *at;
    const struct part *p = part_of(w->m->name, &at);
    bool share = wishes(s, WISH_SHARE) || wishes(s, WISH_PERCENT);
    bool more = !share && p && !p->left && wishes(s, WISH_MORE);
    const struct sketch_metric whole = {.name = w->m->whole};
    struct writing all = {.s = s, .m = &whole, .matchers = w->matchers, .out = w->out};
    if (!p || w->m->whole.len == 0 || !(share || more))
        return false;
    if (more) {
        write_selector(&all, "", "");
        buf_puts(w->out, " - ");
        write_selector(w, "", "");
        return true;
    }
    buf_puts(w->out, p->left && wishes(s, WISH_USED) ? "1 - " : "");
    write_selector(w, "", "");
    buf_puts(w->out, " / ");
    write_selector(&all, "", "");
    return true;
}

static void write_gauge(struct writing *w)
{
    const struct sketch *s = w->s;
    const char *over = s->window_s == 0                               ? NULL
                       : wishes(s, WISH_AVERAGE)                      ? "avg_over_time"
                       : wishes(s, WISH_LOW) || wishes(s, WISH_LEAST) ? "min_over_time"
                       : wishes(s, WISH_PEAK) || wishes(s, WISH_MOST) ? "max_over_time"
                                                                      : NULL;
    if (write_part(w))
        return;
    if (wants_moment(s, w->m->name)) {
        buf_puts(w->out, "time() - ");
        write_selector(w, "", "");
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
    const struct sketch *s = w->s;
    bool counts = wishes(s, WISH_COUNT), dead = wishes(s, WISH_DEAD);
    if (w->group.len > 0) {
        buf_puts(w->out, "count by (");
        name_label(w->out, w->group);
        buf_puts(w->out, ") (up)");
    } else if (counts) {
        buf_puts(w->out, dead                    ? "count(up == 0) or vector(0)"
                         : wishes(s, WISH_ALIVE) ? "sum(up)"
                                                 : "count(up)");
    } else {
        buf_puts(w->out, "up");
    }
}

/* Of a counter, or of the count of a histogram (end: _count). */
static void write_counter(struct writing *w, const char *end)
{
    const struct sketch *s = w->s;
    bool cpu = memmem(w->m->name.at, w->m->name.len, "cpu_seconds", 11) != NULL;
    bool bytes = memmem(w->m->name.at, w->m->name.len, "bytes", 5) != NULL;
    bool ever = wishes(s, WISH_EVER) || (wishes(s, WISH_TOTAL) && s->window_s == 0);
    bool ranked = wishes(s, WISH_MOST) && w->group.len > 0; /* who is at it now */
    bool rate = wishes(s, WISH_RATE) || wishes(s, WISH_AVERAGE) ||
                ((cpu || ranked || (bytes && w->group.len > 0)) && !ever);
    bool percent = cpu && wishes(s, WISH_PERCENT) && rate;
    buf_puts(w->out, percent ? "100 * " : "");
    unsigned open = write_around(w, is_split(w->m, w->matched) && !cpu);
    if (rate)
        write_over(w, "rate", end);
    else if (s->window_s > 0)
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
    buf_puts(w->out, "))");
}

static void write_mean(struct writing *w)
{
    static const char *const ends[] = {"_sum", "_count"};
    bool most = wishes(w->s, WISH_MOST) && w->group.len > 0;
    if (most)
        buf_printf(w->out, "topk(%u, ", w->s->top > 0 ? w->s->top : TOP_GROUPS);
    for (unsigned i = 0; i < 2; i++) {
        buf_puts(w->out, i > 0 ? " / " : "");
        bool grouped = w->group.len > 0, adds = grouped || is_split(w->m, w->matched);
        buf_puts(w->out, adds ? "sum" : "");
        if (grouped) {
            buf_puts(w->out, " by (");
            name_label(w->out, w->group);
            buf_puts(w->out, ") ");
        }
        buf_puts(w->out, adds ? "(" : "");
        write_over(w, "rate", ends[i]);
        buf_puts(w->out, adds ? ")" : "");
    }
    close_all(w, most);
}

/* A histogram or a summary. */
static void write_family(struct writing *w, bool histogram)
{
    const struct sketch *s = w->s;
    char quantile[48];
    snprintf(quantile, sizeof(quantile), "%.10g", s->percent / 10000.0);
    if (s->percent > 0 && histogram) {
        buf_printf(w->out, "histogram_quantile(%s, ", quantile);
        write_by_le(w);
    } else if (s->percent > 0 || (!histogram && wishes(s, WISH_MOST))) {
        char matcher[80];
        snprintf(matcher, sizeof(matcher), "quantile=\"%s\"", s->percent > 0 ? quantile : "1");
        write_selector(w, "", matcher);
    } else if (wishes(s, WISH_AVERAGE) || !(wishes(s, WISH_COUNT) || wishes(s, WISH_RATE))) {
        write_mean(w);
    } else {
        write_counter(w, "_count");
    }
}

bool sketch_write(const struct sketch *s, const struct sketch_metric *m, struct buf *query)
{
    scoped_buf(matchers, MATCHERS_BYTES);
    scoped_buf(out, SKETCH_BYTES_MAX);
    struct writing w = {.s = s, .m = m, .out = &out};
    write_matchers(s, m, &matchers, &w.matched);
    if (matchers.overflowed) {
        buf_clear(&matchers);
        w.matched = 0;
    }
    w.matchers = buf_str(&matchers);
    w.group = group_label(s, m, w.matched);
    if (str_is(m->name, "up"))
        write_up(&w);
    else if (strcmp(m->type, "histogram") == 0 || strcmp(m->type, "summary") == 0)
        write_family(&w, m->type[0] == 'h');
    else if (strcmp(m->type, "counter") == 0)
        write_counter(&w, "");
    else
        write_gauge(&w);
    return !out.overflowed && buf_add_str(query, buf_str(&out));
}
