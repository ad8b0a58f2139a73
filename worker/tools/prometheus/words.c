#include "worker/tools/prometheus/words.h"

#include <string.h>
#include "common/check.h"
#include "worker/tools/prometheus/phrases.h"
#include "worker/tools/text.h"

static const char *const stops[] = {
#define STOP(words) words,
#define SAME(said, named)
#include "worker/tools/prometheus/words.def"
#undef STOP
#undef SAME
};
static const struct same {
    const char *said, *named;
} sames[] = {
#define STOP(words)
#define SAME(said, named) {said, named},
#include "worker/tools/prometheus/words.def"
#undef STOP
#undef SAME
};
enum { STOPS = sizeof(stops) / sizeof(stops[0]), SAMES = sizeof(sames) / sizeof(sames[0]) };
static const float trade_weight = 0.72F;

/* words.def as a question is held against it, made of its rows once in a process. */
enum {
    STOP_SLOTS = 1024, /* twice as many as there are, so that one is found soon */
    SAID_SLOTS = 2048,
    SAIDS_MAX = 2048,
    NAMED_MAX = 1024,
    ROWS = (SAMES + 63) / 64,
};
struct stem {
    char at[WORDS_STEM_MAX + 1];
    uint8_t len;
};
struct said { /* but for ~a */
    struct str word;
    struct stem stem;
    uint16_t row, next; /* next: one more than that of the next in its slot; 0: none */
};
static struct tables {
    bool made;
    struct str stops[STOP_SLOTS]; /* each where slot_of_stop says */
    unsigned stop_count;
    struct said saids[SAIDS_MAX];
    unsigned said_count;
    uint16_t said_slots[SAID_SLOTS]; /* by the hash of a stem: one more than a said's index */
    struct stem named[NAMED_MAX];
    uint16_t named_from[SAMES + 1]; /* of each row; of the next: their end */
    struct phrases phrases, parts;  /* a_b and what has no blanks; ~a */
    struct phrases wishes;          /* rows: enum type */
} tables;
enum type { OF_DISTRIBUTION, OF_RATE };

static void make_tables(struct tables *t);
static void read_wishes(struct words *w, struct str text);
static void take_phrases(struct words *w, struct str text);
static void take_words(struct words *w, struct str text);
static void take_word(struct words *w, struct str word, const phrases_found parts);
static void take_joined(struct words *w, struct str before, struct str word);
static bool is_stop(struct str word);
static int begin_group(struct words *w, struct str own);
static void add(struct words *w, unsigned group, struct str word, float weight);
static void add_stem(struct words *w, unsigned group, const struct stem *stem, float weight);
static void add_named(struct words *w, unsigned group, unsigned row, float weight);

void words_read(struct words *w, struct str question)
{
    *w = (struct words){0};
    if (!tables.made)
        make_tables(&tables);
    if (question.len > WORDS_QUESTION_MAX)
        question.len = WORDS_QUESTION_MAX;
    scoped_buf(text, WORDS_TEXT_MAX);
    words_normalise(question, &text);
    read_wishes(w, buf_str(&text));
    take_phrases(w, (struct str){text.at, text.len});
    take_words(w, buf_str(&text));
}

/* Signs of more than one byte: those of Latin-1 (¿ ¡ « »), general and CJK punctuation, and the
 * full width forms of ASCII's signs. How many bytes; 0: it is a letter. */
static size_t sign_bytes(struct str text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    if (text.len >= 2 && at[0] == 0xC2)
        return 2;
    if (text.len < 3)
        return 0;
    bool sign = (at[0] == 0xE2 && at[1] == 0x80) ||
                (at[0] == 0xE3 && at[1] == 0x80 && at[2] < 0x92) ||
                (at[0] == 0xEF && at[1] == 0xBC && at[2] < 0x90) ||
                (at[0] == 0xEF && at[1] == 0xBC && at[2] > 0x99 && at[2] < 0xA1);
    return sign ? 3 : 0;
}

/* One that languages without blanks are written in. */
static bool is_wide(unsigned char c, bool before)
{
    return c >= 0x80 && c < 0xC0 ? before : c >= 0xE3;
}

/* ASCII and Latin-1 letters in lower case, signs as blanks, a blank before and behind, and between
 * what is written with blanks and what is not. */
void words_normalise(struct str text, struct buf *b)
{
    bool wide = false;
    buf_putc(b, ' ');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        unsigned char before = i > 0 ? (unsigned char)text.at[i - 1] : 0;
        size_t sign = sign_bytes(str_skip(text, i));
        bool now = is_wide(c, wide);
        if (now != wide && b->at[b->len - 1] != ' ')
            buf_putc(b, ' ');
        wide = now;
        if (sign > 0) {
            buf_putc(b, ' ');
            i += sign - 1;
            wide = false;
        } else if (c >= 'A' && c <= 'Z') {
            bool camel = before >= 'a' && before <= 'z';
            if (camel)
                buf_putc(b, ' ');
            buf_putc(b, (char)(c + 32));
        } else if (before == 0xC3 && c >= 0x80 && c <= 0x9E) {
            buf_putc(b, (char)(c + 32));
        } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80) {
            buf_putc(b, (char)c);
        } else {
            buf_putc(b, ' ');
        }
    }
    buf_putc(b, ' ');
}

/* Before the stop words go: these say nothing of a name, but of its type. */
static void read_wishes(struct words *w, struct str text)
{
    phrases_found found = {0};
    phrases_find(&tables.wishes, text, found);
    unsigned count = tables.wishes.count;
    for (unsigned i = phrases_next(found, 0, count); i < count;
         i = phrases_next(found, i + 1, count)) {
        bool rate = tables.wishes.all[i].row == OF_RATE;
        w->wants_rate = w->wants_rate || rate;
        w->wants_distribution = w->wants_distribution || !rate;
    }
}

/* In languages without blanks between words all are phrases. */
static bool is_phrase(struct str said)
{
    return (unsigned char)said.at[0] >= 0xE3 || memchr(said.at, '_', said.len) != NULL;
}

/* What is found is taken out, so that a part of it is not found again. */
static bool take(struct str text, const struct phrase *p)
{
    char *at = (char *)phrase_find(p, text);
    if (!at)
        return false;
    memset(at, ' ', phrase_len(p));
    return true;
}

static void take_phrases(struct words *w, struct str text)
{
    const struct phrases *all = &tables.phrases;
    phrases_found found = {0};
    unsigned row = SAMES; /* none */
    phrases_find(all, text, found);
    for (unsigned i = phrases_next(found, 0, all->count); i < all->count;
         i = phrases_next(found, i + 1, all->count)) {
        if (!take(text, &all->all[i])) /* it was in one that was taken */
            continue;
        phrases_find(all, text, found); /* where it was are blanks now, for others to begin with */
        if (all->all[i].row == row)
            continue;
        row = all->all[i].row;
        int group = begin_group(w, STR(""));
        if (group >= 0)
            add_named(w, (unsigned)group, row, 0.9F);
    }
}

static void take_words(struct words *w, struct str text)
{
    struct str word, before = {NULL, 0};
    phrases_found parts = {0};
    phrases_find(&tables.parts, text, parts);
    while (str_split(&text, ' ', &word)) {
        if (word.len == 0)
            continue;
        bool stop = is_stop(word);
        if (!stop) {
            take_word(w, word, parts);
            take_joined(w, before, word);
        }
        before = stop ? (struct str){NULL, 0} : word;
    }
}

/* "api server" is "apiserver" in a name, "key space" "keyspace". */
static void take_joined(struct words *w, struct str before, struct str word)
{
    bool next = before.len > 0 && before.at + before.len + 1 == word.at;
    if (!next || w->group_count == 0 || before.len + word.len > WORDS_STEM_MAX)
        return;
    char joined[WORDS_STEM_MAX];
    memcpy(joined, before.at, before.len);
    memcpy(joined + before.len, word.at, word.len);
    add(w, w->group_count - 1, (struct str){joined, before.len + word.len}, 0.95F);
}

/* Where it is, or an empty one where it belongs. */
static struct str *slot_of_stop(struct tables *t, struct str word)
{
    size_t at = str_hash(STR_HASH_NONE, word) % STOP_SLOTS;
    while (t->stops[at].len > 0 && !str_eq(t->stops[at], word))
        at = (at + 1) % STOP_SLOTS;
    return &t->stops[at];
}

static bool is_stop(struct str word) { return slot_of_stop(&tables, word)->len > 0; }

static bool same_stem(const struct stem *stem, const char *at, size_t len)
{
    return stem->len == len && memcmp(stem->at, at, len) == 0;
}

static struct stem stem_of(struct str word)
{
    struct stem stem = {0};
    stem.len = (uint8_t)words_stem(word, stem.at);
    return stem;
}

static uint16_t *slot_of_stem(struct tables *t, const struct stem *stem)
{
    return &t->said_slots[str_hash(STR_HASH_NONE, (struct str){stem->at, stem->len}) % SAID_SLOTS];
}

/* Bits: the rows that say this word. ~a is found inside of longer words too; parts: those of them
 * that are somewhere in the question. */
static void rows_of(struct str word, const struct stem *stem, const phrases_found parts,
                    uint64_t rows[ROWS])
{
    for (unsigned next = *slot_of_stem(&tables, stem); next > 0;) {
        const struct said *s = &tables.saids[next - 1];
        if (s->word.at[0] == word.at[0] && same_stem(stem, s->stem.at, s->stem.len))
            rows[s->row / 64] |= 1ULL << (s->row % 64);
        next = s->next;
    }
    unsigned count = tables.parts.count;
    for (unsigned i = phrases_next(parts, 0, count); i < count;
         i = phrases_next(parts, i + 1, count)) {
        const struct phrase *p = &tables.parts.all[i];
        if (phrase_find(p, word))
            rows[p->row / 64] |= 1ULL << (p->row % 64);
    }
}

static void take_word(struct words *w, struct str word, const phrases_found parts)
{
    struct stem stem = stem_of(word);
    for (unsigned i = 0; i < w->count; i++)
        if (w->words[i].weight >= 1 && same_stem(&stem, w->words[i].stem, w->words[i].len))
            return; /* it is asked for already */
    int group = begin_group(w, word);
    if (group < 0)
        return;
    add_stem(w, (unsigned)group, &stem, 1);
    uint64_t rows[ROWS] = {0};
    rows_of(word, &stem, parts, rows);
    for (unsigned i = phrases_next(rows, 0, SAMES); i < SAMES; i = phrases_next(rows, i + 1, SAMES))
        add_named(w, (unsigned)group, i, trade_weight);
}

static int begin_group(struct words *w, struct str own)
{
    if (w->group_count == WORDS_GROUPS_MAX)
        return -1;
    size_t len = own.len < WORDS_STEM_MAX ? own.len : WORDS_STEM_MAX;
    if (len > 0)
        memcpy(w->own[w->group_count], own.at, len);
    return (int)w->group_count++;
}

static void add(struct words *w, unsigned group, struct str word, float weight)
{
    struct stem stem = stem_of(word);
    add_stem(w, group, &stem, weight);
}

static void add_stem(struct words *w, unsigned group, const struct stem *stem, float weight)
{
    struct word *added = &w->words[w->count];
    if (w->count == WORDS_MAX)
        return;
    for (unsigned i = 0; i < w->count; i++)
        if (w->words[i].group == group && same_stem(stem, w->words[i].stem, w->words[i].len))
            return;
    memcpy(added->stem, stem->at, sizeof(added->stem));
    added->len = stem->len;
    added->group = (uint8_t)group;
    added->weight = weight;
    unsigned start = words_start(added->stem, added->len);
    added->next = w->first[start];
    w->first[start] = (uint8_t)(++w->count);
}

static void add_named(struct words *w, unsigned group, unsigned row, float weight)
{
    float less = weight;
    for (unsigned i = tables.named_from[row]; i < tables.named_from[row + 1]; i++) {
        add_stem(w, group, &tables.named[i], less);
        less *= 0.94F; /* the first are the likeliest */
    }
}

bool words_near(struct str a, struct str b)
{
    size_t longer = a.len > b.len ? a.len : b.len, shorter = a.len > b.len ? b.len : a.len;
    if (shorter < 4 || longer - shorter > 2 || a.at[0] != b.at[0])
        return false;
    return text_distance(a, b) <= (shorter < 6 ? 1U : 2U);
}

bool words_respell(struct words *w, unsigned group)
{
    struct str own = str_of(w->own[group]);
    if (own.len < 4)
        return false;
    for (unsigned i = 0; i < tables.said_count; i++) {
        const struct said *s = &tables.saids[i];
        if (is_phrase(s->word) || !words_near(own, s->word))
            continue;
        add_stem(w, group, &s->stem, 0.9F);
        add_named(w, group, s->row, trade_weight);
        return true;
    }
    return false;
}

/* ---- the tables ---- */

static void make_wishes(struct phrases *wishes)
{
    static const char *const distributions[] = {
        "percentil", "quantil", "median",         "perzentil", " p50 ",       " p90 ",
        " p95 ",     " p99 ",   " p999 ",         "histogram", "mediana",     "百分位",
        "分位",      "中位",    "パーセンタイル", "中央値",    "distribution"};
    static const char *const rates[] = {"per second", " rate ", "pro sekunde", "por segundo",
                                        "毎秒",       "每秒",   "1秒",         "per minute",
                                        " rps ",      " qps ",  "throughput",  "/s "};
    for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++)
        phrases_add(wishes, phrase_part(str_of(distributions[i])), OF_DISTRIBUTION);
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        phrases_add(wishes, phrase_part(str_of(rates[i])), OF_RATE);
}

static void make_said(struct tables *t, struct str word, unsigned row)
{
    CHECK(t->said_count < SAIDS_MAX);
    struct said *s = &t->saids[t->said_count++];
    *s = (struct said){.word = word, .stem = stem_of(word), .row = (uint16_t)row};
    uint16_t *slot = slot_of_stem(t, &s->stem);
    s->next = *slot;
    *slot = (uint16_t)t->said_count;
    if (is_phrase(word))
        phrases_add(&t->phrases, phrase_of(word), row);
}

static void make_row(struct tables *t, unsigned row)
{
    struct str rest = str_of(sames[row].said), word;
    while (str_split(&rest, ' ', &word)) {
        if (word.at[0] == '~')
            phrases_add(&t->parts, phrase_part(str_skip(word, 1)), row);
        else
            make_said(t, word, row);
    }
    unsigned count = t->named_from[row];
    rest = str_of(sames[row].named);
    while (str_split(&rest, ' ', &word)) {
        CHECK(count < NAMED_MAX);
        t->named[count++] = stem_of(word);
    }
    t->named_from[row + 1] = (uint16_t)count;
}

static void make_tables(struct tables *t)
{
    t->made = true;
    for (size_t i = 0; i < STOPS; i++) {
        struct str rest = str_of(stops[i]), word;
        while (str_split(&rest, ' ', &word)) {
            struct str *slot = slot_of_stop(t, word);
            t->stop_count += slot->len == 0;
            CHECK(t->stop_count <= STOP_SLOTS / 2);
            *slot = word;
        }
    }
    for (unsigned row = 0; row < SAMES; row++)
        make_row(t, row);
    make_wishes(&t->wishes);
}

/* ---- stems and parts ---- */

static bool ends(const char *stem, size_t len, const char *suffix, size_t least)
{
    size_t n = strlen(suffix);
    return len >= n + least && memcmp(stem + len - n, suffix, n) == 0;
}

/* Both sides go through it, so that it need not be right, only the same for the same word. */
size_t words_stem(struct str word, char stem[WORDS_STEM_MAX + 1])
{
    size_t len = word.len < WORDS_STEM_MAX ? word.len : WORDS_STEM_MAX;
    for (size_t i = 0; i < len; i++)
        stem[i] = (char)(word.at[i] >= 'A' && word.at[i] <= 'Z' ? word.at[i] + 32 : word.at[i]);
    if (ends(stem, len, "ies", 2))
        stem[(len -= 2) - 1] = 'y';
    else if (ends(stem, len, "s", 2) && !ends(stem, len, "ss", 1) && !ends(stem, len, "is", 2) &&
             !(len > 5 && ends(stem, len, "us", 1)))
        len--;
    if (ends(stem, len, "ing", 4))
        len -= 3;
    else if (ends(stem, len, "ed", 4))
        len -= 2;
    else if (ends(stem, len, "ion", 4))
        len -= 3;
    if (len > 3 && stem[len - 1] == 'e')
        len--;
    if (len > 4 && stem[len - 1] == stem[len - 2] && stem[len - 1] != 's' && stem[len - 1] != 'l')
        len--;
    stem[len] = '\0';
    return len;
}

enum { SIGN, LOWER, UPPER, DIGIT };

/* One load a character: a catalog has millions of them. */
static const unsigned char kinds[256] = {
    ['0' ... '9'] = DIGIT, ['A' ... 'Z'] = UPPER, ['a' ... 'z'] = LOWER, [0x80 ... 0xff] = LOWER};

bool words_part(struct str *rest, struct str *part)
{
    if (rest->len == 0)
        return false;
    const unsigned char *at = (const unsigned char *)rest->at, *end = at + rest->len;
    while (at < end && kinds[*at] == SIGN)
        at++;
    if (at == end)
        return false;
    const unsigned char *from = at;
    unsigned before = kinds[*at++];
    bool digits = before == DIGIT;
    for (; at < end; at++) {
        unsigned kind = kinds[*at];
        if (kind == before) /* most */
            continue;
        if (kind == SIGN || (kind == UPPER && before == LOWER) ||
            ((kind == DIGIT) != digits && at - from > 2))
            break;
        before = kind;
    }
    *part = (struct str){(const char *)from, (size_t)(at - from)};
    *rest = (struct str){(const char *)at, (size_t)(end - at)};
    return true;
}
