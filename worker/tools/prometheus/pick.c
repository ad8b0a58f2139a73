#include "worker/tools/prometheus/pick.h"

#include <ctype.h>
#include <string.h>
#include "worker/tools/prometheus/name.h"

enum { LABELS_BYTES_MAX = 900 };

static const char *family_type(const struct catalog *c, struct str base);

void pick_init(struct pick *p, const struct catalog *c, const struct rank_hit *hit)
{
    const struct catalog_metric *m = &c->metrics[hit->metric], *whole = NULL;
    struct str name = catalog_name(c, m);
    scoped_buf(other, NAME_BYTES_MAX);
    *p = (struct pick){.hit = *hit};
    p->metric.name = hit->family ? rank_family(name) : name;
    p->metric.type = hit->family ? family_type(c, p->metric.name) : catalog_type(m);
    for (unsigned k = 0; !whole && sketch_whole(p->metric.name, k, &other); k++)
        whole = catalog_find(c, buf_str(&other));
    p->metric.native = !hit->family && strcmp(p->metric.type, "histogram") == 0;
    if (whole)
        p->metric.whole = catalog_name(c, whole);
}

/* Its buckets tell a histogram from a summary, where no metadata does. */
static const char *family_type(const struct catalog *c, struct str base)
{
    scoped_buf(bucket, NAME_BYTES_MAX);
    buf_add_str(&bucket, base);
    buf_puts(&bucket, "_bucket");
    return catalog_find(c, buf_str(&bucket)) ? "histogram" : "summary";
}

void pick_label(struct pick *p, struct str label, struct str value)
{
    struct sketch_metric *m = &p->metric;
    unsigned at = 0;
    while (at < m->label_count && !str_eq(m->labels[at].name, label))
        at++;
    if (at == SKETCH_LABELS_MAX)
        return;
    struct sketch_label *l = &m->labels[at];
    if (at == m->label_count)
        m->labels[m->label_count++] = (struct sketch_label){.name = label};
    for (unsigned i = 0; i < l->value_count; i++)
        if (str_eq(l->values[i], value))
            return;
    if (l->value_count < SKETCH_VALUES_MAX)
        l->values[l->value_count++] = value;
}

/* "handlers", "the kitchen", "Prometheus": what the question names may be a label, or its value. */
static unsigned labels_said(const struct rank *r, const struct sketch_metric *m)
{
    scoped_buf(text, LABELS_BYTES_MAX);
    for (unsigned i = 0; i < m->label_count; i++) {
        buf_add_str(&text, m->labels[i].name);
        buf_putc(&text, ' ');
        for (unsigned k = 0; k < m->labels[i].value_count; k++) {
            buf_add_str(&text, m->labels[i].values[k]);
            buf_putc(&text, ' ');
        }
    }
    return rank_says(r, buf_str(&text), m->name);
}

/* ---- what it is, and what is asked ---- */

static const char *const qualities[] = {
#define QUALITY(parts) parts,
#define USUAL(names)
#include "worker/tools/prometheus/pick.def"
#undef QUALITY
#undef USUAL
};
static const char usual[] =
#define QUALITY(parts)
#define USUAL(names) " " names " "
#include "worker/tools/prometheus/pick.def"
#undef QUALITY
#undef USUAL
    ;

static bool has_word(const char *words, struct str word)
{
    struct str rest = str_of(words), one;
    while (str_split(&rest, ' ', &one))
        if (str_eq(one, word))
            return true;
    return false;
}

/* Does a word of the question, or what the trade calls it, mean one of these? */
static bool means(const struct asked *a, const char *words, float least)
{
    char stem[WORDS_STEM_MAX + 1];
    struct str rest = str_of(words), one;
    while (str_split(&rest, ' ', &one)) {
        size_t len = words_stem(one, stem);
        if (asked_at(a, one))
            return true;
        for (unsigned i = 0; i < a->words->count; i++) {
            const struct word *w = &a->words->words[i];
            if (w->weight >= least && w->len == len && memcmp(w->stem, stem, len) == 0)
                return true;
        }
    }
    return false;
}

_Static_assert(sizeof(qualities) / sizeof(qualities[0]) <= 64, "bits of struct said");

/* Which of the qualities the question says: bits. */
struct said {
    uint64_t any, first;
};

static struct said read_qualities(const struct asked *a)
{
    static const float any = 0.5F, first = 0.7F;
    bool most = asks(a, WISH_MOST) || asks(a, WISH_PEAK);
    struct said said = {0};
    for (size_t i = 0; i < sizeof(qualities) / sizeof(qualities[0]); i++) {
        if (means(a, qualities[i], any) || (most && has_word(qualities[i], STR("max"))))
            said.any |= 1ULL << i;
        if (means(a, qualities[i], first))
            said.first |= 1ULL << i;
    }
    return said;
}

/* A name that says "failed" where nobody asks for it, or the other way round. */
static float quality_fits(struct said said, struct str name)
{
    uint64_t has = 0;
    float fits = 1;
    struct str part;
    while (words_part(&name, &part)) {
        char lower[WORDS_STEM_MAX + 1];
        size_t len = part.len < WORDS_STEM_MAX ? part.len : WORDS_STEM_MAX;
        for (size_t k = 0; k < len; k++)
            lower[k] =
                (char)(part.at[k] >= 'A' && part.at[k] <= 'Z' ? part.at[k] + 32 : part.at[k]);
        for (size_t i = 0; i < sizeof(qualities) / sizeof(qualities[0]); i++)
            if (has_word(qualities[i], (struct str){lower, len}))
                has |= 1ULL << i;
    }
    for (uint64_t left = has & ~said.any; left != 0; left &= left - 1)
        fits *= 0.75F;
    for (uint64_t left = ~has & said.first; left != 0; left &= left - 1)
        fits *= 0.75F;
    return fits;
}

static bool is_usual(struct str name)
{
    scoped_buf(word, NAME_BYTES_MAX);
    buf_putc(&word, ' ');
    buf_add_str(&word, name);
    buf_putc(&word, ' ');
    return word.len > 0 && memmem(usual, sizeof(usual) - 1, word.at, word.len) != NULL;
}

static bool has_part(struct str name, const char *part)
{
    return name.len > 0 && memmem(name.at, name.len, part, strlen(part)) != NULL;
}

/* How it is made: a counter for "per second", a histogram for "on average". */
static float type_fits(const struct asked *a, const struct sketch_metric *m)
{
    bool family = m->native || strcmp(m->type, "histogram") == 0 || strcmp(m->type, "summary") == 0;
    bool gauge = strcmp(m->type, "gauge") == 0, rate = asks(a, WISH_RATE);
    bool seconds = has_part(m->name, "seconds") && !sketch_is_moment(m->name);
    bool shape = asks(a, WISH_AVERAGE) || asks(a, WISH_SLOW) || asks(a, WISH_MOST) ||
                 asks(a, WISH_PEAK) || a->percent > 0;
    float fits = 1;
    if (rate)
        fits *= gauge ? 0.6F : 1.15F;
    if (family && !shape && (rate || asks(a, WISH_COUNT)))
        fits *= 0.85F;
    if (gauge && a->window_s > 0 && !shape && !asks(a, WISH_LOW) && !asks(a, WISH_LEAST))
        fits *= 0.8F;
    if (asks(a, WISH_SLOW))
        fits *= seconds ? 1.3F : 0.8F;
    return fits;
}

static bool begins(struct str name, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_starts(name, str_of(prefixes[i])))
            return true;
    return false;
}

/* Of the machine, of containers, or of the process that is scraped? */
static float subject_fits(const struct asked *a, struct str name)
{
    static const char *const hosts[] = {"node_", "machine_", "windows_", "system_"};
    static const char *const pods[] = {"container_", "kube_", "kubelet_"};
    static const char *const processes[] = {"process_", "go_", "jvm_", "nodejs_", "python_"};
    bool process = begins(name, processes, sizeof(processes) / sizeof(processes[0]));
    if (asks(a, WISH_POD))
        return begins(name, pods, sizeof(pods) / sizeof(pods[0])) ? 1.3F : 0.8F;
    if (asks(a, WISH_HOST) && begins(name, hosts, sizeof(hosts) / sizeof(hosts[0])))
        return 1.3F;
    if (process)
        return asks(a, WISH_HOST) ? 0.7F : asks(a, WISH_PROCESS) ? 1.2F : 1;
    return 1;
}

/* Words that names begin with and that say nothing of whose they are. */
static const char common[] =
    "process scrape container up http disk go net node system job jobs kube machine";

static struct str first_part(struct str name)
{
    struct str part = {NULL, 0};
    return words_part(&name, &part) ? part : (struct str){NULL, 0};
}

static bool says_own(const struct asked *a, struct str word, float least)
{
    char stem[WORDS_STEM_MAX + 1];
    size_t len = words_stem(word, stem);
    for (unsigned i = 0; i < a->words->count; i++) {
        const struct word *w = &a->words->words[i];
        if (w->weight >= least && w->len == len && memcmp(w->stem, stem, len) == 0)
            return true;
    }
    return false;
}

/* "redis": names of it begin with that; others are somebody else's. */
static bool is_of(const struct pick *p, struct str subject)
{
    const struct sketch_metric *m = &p->metric;
    struct str rest = m->name, part;
    while (words_part(&rest, &part))
        if (str_eq(part, subject))
            return true;
    for (unsigned i = 0; i < m->label_count; i++)
        for (unsigned k = 0; k < m->labels[i].value_count; k++) {
            struct str value = m->labels[i].values[k];
            bool exporter = str_starts(value, subject) && has_part(value, "exporter");
            if (exporter || str_eq(value, subject))
                return true;
        }
    return false;
}

/* Whose are they? Those of others fit less. */
static void weigh_subject(struct pick *picks, unsigned count, const struct asked *a)
{
    for (unsigned i = 0; i < count; i++) {
        struct str subject = first_part(picks[i].metric.name);
        bool again = false;
        for (unsigned k = 0; k < i; k++)
            again = again || str_eq(first_part(picks[k].metric.name), subject);
        if (again || subject.len == 0 || has_word(common, subject) || !says_own(a, subject, 0.7F))
            continue;
        for (unsigned k = 0; k < count; k++)
            picks[k].hit.score *= is_of(&picks[k], subject) ? 1 : 0.6F;
    }
}

/* "how many pools": a name that ends with what is counted. */
static bool counts_head(const struct asked *a, struct str name)
{
    static const char *const ends[] = {"_total", "_count", "_bytes", "_seconds"};
    enum { NEAR = 3 };
    char last[WORDS_STEM_MAX + 1], stem[WORDS_STEM_MAX + 1];
    const char *at = asks(a, WISH_COUNT) ? asked_wish(a, WISH_COUNT) : NULL;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        name.len -= str_ends(name, str_of(ends[i])) ? strlen(ends[i]) : 0;
    struct str rest = name, part, head = {NULL, 0}, words = str_of(at ? at : ""), word;
    while (words_part(&rest, &part))
        head = part;
    size_t len = head.len > 0 ? words_stem(head, last) : 0;
    for (unsigned n = 0; len > 0 && n < 2 + NEAR && str_split(&words, ' ', &word); n++)
        if (words_stem(word, stem) == len && memcmp(stem, last, len) == 0)
            return true;
    return false;
}

/* "load15", "the five minute load": a part of the name with a number at its end. */
static bool says_number(const struct asked *a, struct str name)
{
    struct str part;
    while (str_split(&name, '_', &part)) {
        size_t digits = 0;
        uint64_t number;
        while (digits < part.len && isdigit((unsigned char)part.at[part.len - 1 - digits]))
            digits++;
        if (digits == 0 || digits == part.len)
            continue;
        if (asked_at(a, part) ||
            (a->minutes > 0 && str_u64(str_skip(part, part.len - digits), 1000, &number) &&
             number == a->minutes))
            return true;
    }
    return false;
}

static float weigh(const struct asked *a, const struct sketch_metric *m, struct said said)
{
    bool share = asks(a, WISH_SHARE) || asks(a, WISH_PERCENT), up = str_is(m->name, "up");
    bool ranks =
        asks(a, WISH_MOST) || asks(a, WISH_LEAST) || asks(a, WISH_PERCENT) || asks(a, WISH_SLOW);
    bool moment = sketch_is_moment(m->name), info = str_ends(m->name, STR("_info"));
    float fits = type_fits(a, m) * quality_fits(said, m->name) * subject_fits(a, m->name);
    bool when = asks(a, WISH_AGO) || asks(a, WISH_WHEN);
    if (moment)
        fits *= !when ? 0.7F : str_ends(m->name, STR("_seconds")) ? 1.5F : 1.2F;
    if (!moment && asks(a, WISH_AGO))
        fits *= has_part(m->name, "uptime") ? 1.5F : 0.7F;
    if (says_number(a, m->name))
        fits *= 1.5F;
    if (counts_head(a, m->name))
        fits *= 1.15F;
    if (info || up)
        fits *= ranks ? 0.6F : 1;
    if (up && (asks(a, WISH_DEAD) || asks(a, WISH_ALIVE)))
        fits *= 1.5F;
    if (m->whole.len > 0 && (share || asks(a, WISH_MORE)))
        fits *= 1.3F;
    if (m->whole.len == 0 && share && !up && strcmp(m->type, "gauge") == 0)
        fits *= has_part(m->name, "ratio") || has_part(m->name, "percent") ? 1.3F : 0.65F;
    if (asks(a, WISH_AVERAGE) && m->whole.len > 0 && has_part(m->name, "_time_seconds_total"))
        fits *= 1.6F;
    if ((asks(a, WISH_STATE) || asks(a, WISH_FAIL)) && has_part(m->name, "_success"))
        fits *= moment ? 1 : 1.4F;
    if (asks(a, WISH_TOTAL) && !share && has_part(m->name, "Total"))
        fits *= 1.4F;
    return is_usual(m->name) ? 1.25F * fits : fits;
}

float pick_fits(const struct asked *a, const struct sketch_metric *m)
{
    return weigh(a, m, read_qualities(a));
}

static void sort(struct pick *picks, unsigned count)
{
    for (unsigned i = 1; i < count; i++) /* few: by insertion, which keeps the order of equals */
        for (unsigned k = i; k > 0 && picks[k].hit.score > picks[k - 1].hit.score; k--) {
            struct pick p = picks[k];
            picks[k] = picks[k - 1];
            picks[k - 1] = p;
        }
}

unsigned pick_cut(struct pick *picks, unsigned count, unsigned max, const struct asked *a)
{
    struct said said = read_qualities(a);
    for (unsigned i = 0; i < count; i++)
        picks[i].hit.score *= weigh(a, &picks[i].metric, said);
    sort(picks, count);
    return count < max ? count : max;
}

void pick_order(struct pick *picks, unsigned count, const struct rank *r, const struct asked *a)
{
    for (unsigned i = 0; i < count; i++) {
        const struct sketch_metric *m = &picks[i].metric;
        picks[i].hit.score *= 1 + 0.3F * (float)labels_said(r, m);
        picks[i].hit.score *= sketch_groups(a, m) ? 1.2F : 1;
    }
    weigh_subject(picks, count, a);
    sort(picks, count);
}
