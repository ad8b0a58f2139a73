#include "worker/tools/prometheus/rank.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/heap.h"

struct rank_found {
    uint32_t metric;
    uint8_t parts, fits; /* of the name, and those of them that a word fits */
    uint64_t name[WORDS_MAX / 64], help[WORDS_MAX / 64]; /* bits: words */
};

static struct str name_of(const struct catalog *c, uint32_t metric)
{
    return catalog_name(c, &c->metrics[metric]);
}

static bool fit(const struct rank *r, struct str part, bool nearly, uint64_t bits[WORDS_MAX / 64]);
static void look_at(struct rank *r, const struct catalog *c, uint32_t metric);
static bool respell(struct rank *r);
static void weigh_words(struct rank *r, const struct catalog *c);
static float weigh(const struct rank *r, const struct catalog *c, const struct rank_found *f);
static void keep(struct rank *r, float score, uint32_t found);

void rank_init(struct rank *r, struct str question)
{
    *r = (struct rank){0};
    words_read(&r->words, question);
}

void rank_free(struct rank *r)
{
    free(r->found);
    r->found = NULL;
    r->found_count = r->found_cap = 0;
}

void rank_known(struct rank *r, const struct catalog *c, struct str name)
{
    const struct catalog_metric *m = catalog_find(c, name);
    uint32_t at = m ? (uint32_t)(m - c->metrics) : 0;
    if (m == NULL || r->known_count == RANK_KNOWN_MAX)
        return;
    for (unsigned i = 0; i < r->known_count; i++)
        if (r->known[i] == at)
            return;
    r->known[r->known_count++] = at;
}

/* Where it stands, or would. */
static unsigned used_at(const struct rank *r, uint32_t metric)
{
    unsigned low = 0, high = r->used_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (r->used[middle] < metric)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_used(const struct rank *r, uint32_t metric)
{
    unsigned at = used_at(r, metric);
    return at < r->used_count && r->used[at] == metric;
}

void rank_used(struct rank *r, const struct catalog *c, struct str name)
{
    const struct catalog_metric *m = catalog_find(c, name);
    uint32_t metric = m ? (uint32_t)(m - c->metrics) : 0;
    if (m == NULL || r->used_count == RANK_USED_MAX || is_used(r, metric))
        return;
    unsigned at = used_at(r, metric);
    memmove(&r->used[at + 1], &r->used[at], (r->used_count - at) * sizeof(r->used[0]));
    r->used[at] = metric;
    r->used_count++;
}

bool rank_step(struct rank *r, const struct catalog *c)
{
    if (r->words.count == 0)
        return false;
    if (r->at < c->count) {
        uint32_t end = c->count - r->at > RANK_SLICE ? r->at + RANK_SLICE : c->count;
        for (; r->at < end; r->at++)
            look_at(r, c, r->at);
        return true;
    }
    if (!r->respelt && respell(r))
        return true;
    if (r->weighed == 0)
        weigh_words(r, c);
    uint32_t slice = 2 * RANK_SLICE;
    uint32_t end = r->found_count - r->weighed > slice ? r->weighed + slice : r->found_count;
    for (; r->weighed < end; r->weighed++)
        keep(r, weigh(r, c, &r->found[r->weighed]), r->weighed);
    return r->weighed < r->found_count;
}

/* ---- looking ---- */

/* Of a group that is misspelt; few questions have one. */
static bool fit_nearly(const struct rank *r, struct str stem, uint64_t bits[WORDS_MAX / 64])
{
    bool fits = false;
    for (unsigned i = 0; i < r->words.count; i++) {
        const struct word *w = &r->words.words[i];
        if (w->weight < 1 || !(r->fuzzy >> w->group & 1) ||
            !words_near(stem, (struct str){w->stem, w->len}))
            continue;
        bits[i / 64] |= 1ULL << (i % 64);
        fits = true;
    }
    return fits;
}

/* The bits of the words that a part is, or nearly is. */
static bool fit(const struct rank *r, struct str part, bool nearly, uint64_t bits[WORDS_MAX / 64])
{
    char stem[WORDS_STEM_MAX + 1];
    const struct words *w = &r->words;
    unsigned next = w->first[words_start(part.at, part.len)];
    bool fits = false;
    bool maybe = nearly && r->letters >> (part.at[0] & 31) & 1;
    if (next == 0 && !maybe)
        return false;
    size_t len = words_stem(part, stem);
    for (; next > 0; next = w->words[next - 1].next) {
        const struct word *word = &w->words[next - 1];
        bool same = word->len == len && memcmp(word->stem, stem, len) == 0;
        /* "goroutin" of "goroutinecount", "temp" of "temperature"; "retrans" for "retransmit" */
        size_t least = word->len < len ? word->len : len;
        bool begins = word->weight >= 1 && least >= (len > least ? 4 : 5) &&
                      memcmp(word->stem, stem, least) == 0;
        if (same || begins) {
            bits[(next - 1) / 64] |= 1ULL << ((next - 1) % 64);
            fits = true;
        }
    }
    return maybe ? fit_nearly(r, (struct str){stem, len}, bits) || fits : fits;
}

/* Bits: whose own word is in it. */
static uint32_t groups_in(const struct rank *r, struct str text)
{
    uint64_t bits[WORDS_MAX / 64] = {0};
    uint32_t groups = 0;
    struct str part;
    while (words_part(&text, &part))
        fit(r, part, true, bits);
    for (unsigned i = 0; i < r->words.count; i++)
        if (bits[i / 64] >> (i % 64) & 1 && r->words.words[i].weight >= 1)
            groups |= 1U << r->words.words[i].group;
    return groups;
}

unsigned rank_says(const struct rank *r, struct str text, struct str name)
{
    return (unsigned)__builtin_popcount(groups_in(r, text) & ~groups_in(r, name));
}

static bool any(const uint64_t bits[WORDS_MAX / 64]) { return (bits[0] | bits[1]) != 0; }

static void count_words(uint32_t *counts, const uint64_t bits[WORDS_MAX / 64])
{
    for (unsigned half = 0; half < WORDS_MAX / 64; half++)
        for (uint64_t left = bits[half]; left != 0; left &= left - 1)
            counts[half * 64 + (unsigned)__builtin_ctzll(left)]++;
}

static bool is_known(const struct rank *r, uint32_t metric)
{
    for (unsigned i = 0; i < r->known_count; i++)
        if (r->known[i] == metric)
            return true;
    return false;
}

static void look_at(struct rank *r, const struct catalog *c, uint32_t metric)
{
    const struct catalog_metric *m = &c->metrics[metric];
    struct rank_found f = {.metric = metric};
    struct str rest = catalog_name(c, m), part, help = catalog_help(c, m);
    while (f.parts < UINT8_MAX && words_part(&rest, &part)) {
        f.parts++;
        f.fits = (uint8_t)(f.fits + fit(r, part, true, f.name));
    }
    struct str unit = catalog_unit(c, m);
    if (unit.len > 0)
        fit(r, unit, false, f.help);
    if (c->count <= RANK_HELPS_MAX)
        while (words_part(&help, &part))
            fit(r, part, false, f.help); /* long texts: much in them is nearly anything */
    if (!any(f.name) && !any(f.help) && !is_known(r, metric))
        return;
    count_words(r->names, f.name);
    count_words(r->helps, f.help);
    if (r->found_count == r->found_cap) {
        r->found_cap = r->found_cap ? 2 * r->found_cap : 256;
        r->found = xrealloc(r->found, r->found_cap * sizeof(*r->found));
    }
    r->found[r->found_count++] = f;
}

/* Groups that nothing fits are looked for once more, as words that are nearly written like that. */
static bool respell(struct rank *r)
{
    uint32_t there = 0;
    r->respelt = true;
    for (unsigned i = 0; i < r->words.count; i++)
        if (r->names[i] > 0 || r->helps[i] > 0)
            there |= 1U << r->words.words[i].group;
    for (unsigned g = 0; g < r->words.group_count; g++) {
        char first = r->words.own[g][0];
        if (there >> g & 1 || strlen(r->words.own[g]) < 4 || (first >= '0' && first <= '9'))
            continue;
        words_respell(&r->words, g);
        r->fuzzy |= 1U << g;
        r->letters |= 1U << (first & 31);
    }
    if (r->fuzzy == 0)
        return false;
    memset(r->names, 0, sizeof(r->names));
    memset(r->helps, 0, sizeof(r->helps));
    r->found_count = r->at = 0;
    return true;
}

/* ---- weighing ---- */

static bool worse(const void *a, const void *b)
{
    const struct rank_top *x = a, *y = b;
    return x->score != y->score ? x->score < y->score : x->found > y->found;
}

static const struct heap_of best_tops = {sizeof(struct rank_top), worse};

static void keep(struct rank *r, float score, uint32_t found)
{
    struct rank_top top = {score, found};
    if (score > 0 && heap_takes(&best_tops, r->top, r->top_count, RANK_TOP_MAX, &top))
        heap_put(&best_tops, r->top, &r->top_count, RANK_TOP_MAX, &top);
}

struct str rank_family(struct str name)
{
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t len = strlen(suffixes[i]);
        if (name.len > len && memcmp(name.at + name.len - len, suffixes[i], len) == 0)
            return (struct str){name.at, name.len - len};
    }
    return name;
}

/* Of a histogram or a summary both its sum and its count are there. */
static bool is_family(const struct catalog *c, struct str base)
{
    char text[512];
    if (base.len + sizeof("_count") > sizeof(text))
        return false;
    memcpy(text, base.at, base.len);
    memcpy(text + base.len, "_sum", 4);
    if (catalog_find(c, (struct str){text, base.len + 4}) == NULL)
        return false;
    memcpy(text + base.len, "_count", 6);
    return catalog_find(c, (struct str){text, base.len + 6}) != NULL;
}

static bool stands(const struct rank_hit *hits, unsigned count, const struct catalog *c,
                   struct str base)
{
    for (unsigned i = 0; i < count; i++)
        if (hits[i].family && str_eq(rank_family(name_of(c, hits[i].metric)), base))
            return true;
    return false;
}

unsigned rank_best(struct rank *r, const struct catalog *c, struct rank_hit *hits, unsigned max,
                   uint32_t *total)
{
    unsigned count = 0;
    heap_sort(&best_tops, r->top, r->top_count);
    for (unsigned i = 0; i < r->top_count && count < max; i++) {
        const struct rank_found *f = &r->found[r->top[i].found];
        struct str base = rank_family(name_of(c, f->metric));
        bool family = is_family(c, base);
        if (family && stands(hits, count, c, base))
            continue;
        const struct catalog_metric *whole = family ? catalog_find(c, base) : NULL;
        hits[count++] =
            (struct rank_hit){.metric = whole ? (uint32_t)(whole - c->metrics) : f->metric,
                              .score = r->top[i].score,
                              .family = family,
                              .known = is_known(r, f->metric)};
    }
    if (total)
        *total = r->found_count;
    return count;
}

static void weigh_words(struct rank *r, const struct catalog *c)
{
    for (unsigned i = 0; i < r->words.count; i++) {
        float have = (float)r->names[i] + 0.15F * (float)r->helps[i];
        r->idf[i] = logf(1 + (float)c->count / (have + 0.5F));
    }
}

static bool bit(const uint64_t bits[WORDS_MAX / 64], unsigned i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

/* What the question says of how its metric is made. */
static float type_factor(const struct rank *r, const struct catalog *c, uint32_t metric)
{
    const char *type = catalog_type(&c->metrics[metric]);
    struct str name = name_of(c, metric);
    bool distribution = strcmp(type, "histogram") == 0 || strcmp(type, "summary") == 0 ||
                        str_ends(name, STR("_bucket"));
    bool counter = strcmp(type, "counter") == 0 || str_ends(name, STR("_total"));
    float factor = 1;
    if (r->words.wants_distribution && distribution)
        factor *= 1.35F;
    if (r->words.wants_rate && counter)
        factor *= 1.1F;
    return str_ends(name, STR("_created")) ? 0.6F * factor : factor;
}

static float weigh(const struct rank *r, const struct catalog *c, const struct rank_found *f)
{
    float groups[WORDS_GROUPS_MAX] = {0}, sum = 0, numbers = 0;
    for (unsigned half = 0; half < WORDS_MAX / 64; half++)
        for (uint64_t left = f->name[half] | f->help[half]; left != 0; left &= left - 1) {
            unsigned i = half * 64 + (unsigned)__builtin_ctzll(left);
            const struct word *w = &r->words.words[i];
            float score = w->weight * r->idf[i] * (bit(f->name, i) ? 1 : 0.4F);
            groups[w->group] = score > groups[w->group] ? score : groups[w->group];
        }
    for (unsigned g = 0; g < r->words.group_count; g++) {
        sum += groups[g];
        numbers += groups[g] > 0 && isdigit((unsigned char)r->words.own[g][0]) ? groups[g] : 0;
    }
    if (sum <= numbers) /* "1" alone asks for nothing */
        sum = 0;
    unsigned rest = f->parts > f->fits ? f->parts - f->fits : 0;
    sum *= type_factor(r, c, f->metric) / (1 + 0.06F * (float)rest);
    if (is_known(r, f->metric))
        sum = sum * 1.4F + 1;
    else if (is_used(r, f->metric))
        sum *= 1.25F;
    return sum;
}
