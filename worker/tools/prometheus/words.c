#include "worker/tools/prometheus/words.h"

#include <string.h>
#include "common/check.h"
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

static void read_wishes(struct words *w, struct str text);
static void take_phrases(struct words *w, struct buf *text);
static void take_words(struct words *w, struct str text);
static void take_word(struct words *w, struct str word);
static void take_joined(struct words *w, struct str before, struct str word);
static bool is_stop(struct str word);
static int begin_group(struct words *w, struct str own);
static void add(struct words *w, unsigned group, struct str word, float weight);
static void add_named(struct words *w, unsigned group, const struct same *s, float weight);

void words_read(struct words *w, struct str question)
{
    *w = (struct words){0};
    if (question.len > WORDS_QUESTION_MAX)
        question.len = WORDS_QUESTION_MAX;
    scoped_buf(text, WORDS_TEXT_MAX);
    words_normalise(question, &text);
    read_wishes(w, buf_str(&text));
    take_phrases(w, &text);
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

static bool has(struct str text, const char *needle)
{
    return text.len > 0 && memmem(text.at, text.len, needle, strlen(needle)) != NULL;
}

/* Before the stop words go: these say nothing of a name, but of its type. */
static void read_wishes(struct words *w, struct str text)
{
    static const char *const distributions[] = {
        "percentil", "quantil", "median",         "perzentil", " p50 ",       " p90 ",
        " p95 ",     " p99 ",   " p999 ",         "histogram", "mediana",     "百分位",
        "分位",      "中位",    "パーセンタイル", "中央値",    "distribution"};
    static const char *const rates[] = {"per second", " rate ", "pro sekunde", "por segundo",
                                        "毎秒",       "每秒",   "1秒",         "per minute",
                                        " rps ",      " qps ",  "throughput",  "/s "};
    for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++)
        w->wants_distribution = w->wants_distribution || has(text, distributions[i]);
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        w->wants_rate = w->wants_rate || has(text, rates[i]);
}

/* In languages without blanks between words all are phrases. */
static bool is_phrase(struct str said)
{
    return (unsigned char)said.at[0] >= 0xE3 || memchr(said.at, '_', said.len) != NULL;
}

/* As it stands in a question: " a b ", or the bare letters where there are no blanks. */
static void write_phrase(struct str said, struct buf *b)
{
    bool bare = (unsigned char)said.at[0] >= 0xE3;
    buf_clear(b);
    buf_puts(b, bare ? "" : " ");
    for (size_t i = 0; i < said.len; i++)
        buf_putc(b, said.at[i] == '_' ? ' ' : said.at[i]);
    buf_puts(b, bare ? "" : " ");
}

/* What is found is taken out, so that a part of it is not found again. */
static bool take(struct buf *text, struct buf *phrase)
{
    char *at = memmem(text->at, text->len, phrase->at, phrase->len);
    if (!at)
        return false;
    memset(at, ' ', phrase->len);
    return true;
}

static void take_phrases(struct words *w, struct buf *text)
{
    scoped_buf(phrase, 128);
    for (size_t i = 0; i < SAMES; i++) {
        struct str rest = str_of(sames[i].said), said;
        bool found = false;
        while (str_split(&rest, ' ', &said)) {
            if (said.len == 0 || !is_phrase(said))
                continue;
            write_phrase(said, &phrase);
            found = take(text, &phrase) || found;
        }
        int group = found ? begin_group(w, STR("")) : -1;
        if (group >= 0)
            add_named(w, (unsigned)group, &sames[i], 0.9F);
    }
}

static void take_words(struct words *w, struct str text)
{
    struct str word, before = {NULL, 0};
    while (str_split(&text, ' ', &word)) {
        if (word.len == 0)
            continue;
        bool stop = is_stop(word);
        if (!stop) {
            take_word(w, word);
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

static bool is_stop(struct str word)
{
    for (size_t i = 0; i < STOPS; i++) {
        struct str rest = str_of(stops[i]), stop;
        while (str_split(&rest, ' ', &stop))
            if (str_eq(stop, word))
                return true;
    }
    return false;
}

/* ~a is found inside of longer words too. */
static bool says(struct str said, struct str word, struct str stem)
{
    char other[WORDS_STEM_MAX + 1];
    if (said.len > 1 && said.at[0] == '~') {
        said = str_skip(said, 1);
        return word.len >= said.len && memmem(word.at, word.len, said.at, said.len) != NULL;
    }
    if (said.len == 0 || said.at[0] != word.at[0])
        return false;
    return str_eq(stem, (struct str){other, words_stem(said, other)});
}

static bool row_says(const struct same *s, struct str word, struct str stem)
{
    struct str rest = str_of(s->said), said;
    while (str_split(&rest, ' ', &said))
        if (says(said, word, stem))
            return true;
    return false;
}

static void take_word(struct words *w, struct str word)
{
    char text[WORDS_STEM_MAX + 1];
    struct str stem = {text, words_stem(word, text)};
    for (unsigned i = 0; i < w->count; i++)
        if (w->words[i].weight >= 1 &&
            str_eq(stem, (struct str){w->words[i].stem, w->words[i].len}))
            return; /* it is asked for already */
    int group = begin_group(w, word);
    if (group < 0)
        return;
    add(w, (unsigned)group, word, 1);
    for (size_t i = 0; i < SAMES; i++)
        if (row_says(&sames[i], word, stem))
            add_named(w, (unsigned)group, &sames[i], trade_weight);
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
    struct word *added = &w->words[w->count];
    if (w->count == WORDS_MAX || word.len == 0)
        return;
    added->len = (uint8_t)words_stem(word, added->stem);
    for (unsigned i = 0; i < w->count; i++)
        if (w->words[i].group == group && strcmp(w->words[i].stem, added->stem) == 0)
            return;
    added->group = (uint8_t)group;
    added->weight = weight;
    unsigned start = words_start(added->stem, added->len);
    added->next = w->first[start];
    w->first[start] = (uint8_t)(++w->count);
}

static void add_named(struct words *w, unsigned group, const struct same *s, float weight)
{
    struct str rest = str_of(s->named), named;
    float less = weight;
    while (str_split(&rest, ' ', &named)) {
        add(w, group, named, less);
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
    bool found = false;
    if (own.len < 4)
        return false;
    for (size_t i = 0; i < SAMES && !found; i++) {
        struct str rest = str_of(sames[i].said), said;
        while (!found && str_split(&rest, ' ', &said)) {
            if (said.len == 0 || is_phrase(said) || !words_near(own, said))
                continue;
            found = true;
            add(w, group, said, 0.9F);
            add_named(w, group, &sames[i], trade_weight);
        }
    }
    return found;
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
