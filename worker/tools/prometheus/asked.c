#include "worker/tools/prometheus/asked.h"

#include <ctype.h>
#include <string.h>

#define WISH(name, words) words,
#define UNIT(seconds, words)
#define NUMBER(value, words)
static const char *const wish_words[] = {
#include "worker/tools/prometheus/asked.def"
};
#undef WISH
#undef UNIT
#define WISH(name, words)
#define UNIT(seconds, words) {seconds, words},
static const struct amount {
    unsigned value;
    const char *words;
} units[] = {
#include "worker/tools/prometheus/asked.def"
};
#undef UNIT
#undef NUMBER
#define UNIT(seconds, words)
#define NUMBER(value, words) {value, words},
static const struct amount numbers[] = {
#include "worker/tools/prometheus/asked.def"
};
#undef WISH
#undef UNIT
#undef NUMBER
/* What has a word of a wish in it and means none. Longer ones first. */
static const char idioms[] =
    "load_average average_load carga_media durchschnittslast 平均负载 ロードアベレージ at_most "
    "at_least at_the_most como_máximo al_menos por_lo_menos per_second per_sec per_minute "
    "each_second every_second pro_sekunde je_sekunde pro_minute je_minute por_segundo por_minuto "
    "cada_segundo a_second";
/* A rate that is a share. */
static const char hit_rates[] =
    "hit_rate hitrate success_rate trefferquote tasa_de_aciertos 命中率 "
    "ヒット率 成功率";
enum {
    UNITS = sizeof(units) / sizeof(units[0]),
    NUMBERS = sizeof(numbers) / sizeof(numbers[0]),
};

static void make_wishes(struct phrases *wishes);
static void read_wishes(struct asked *a);
static void read_signs(struct asked *a, struct str question);
static void read_window(struct asked *a);
static void read_percent(struct asked *a);
static void read_top(struct asked *a);

/* Those of wish_words, each in the row of its wish, made of them once in a process. */
static struct phrases wishes;

static struct str text_of(const struct asked *a) { return str_of(a->said); }

/* From the first letter on; len: of its letters. */
static const char *find(const struct asked *a, struct str text, struct str said, size_t *len)
{
    struct phrase p = phrase_of(said);
    *len = p.said.len;
    const char *at = letters_may_have(&a->letters, &p) ? phrase_find(&p, text) : NULL;
    return at ? at + p.before : NULL;
}

const char *asked_at(const struct asked *a, struct str phrase)
{
    size_t len;
    return phrase.len > 0 ? find(a, text_of(a), phrase, &len) : NULL;
}

const char *asked_any(const struct asked *a, const char *words)
{
    struct str rest = str_of(words), word;
    const char *at = NULL;
    while (!at && str_split(&rest, ' ', &word))
        at = asked_at(a, word);
    return at;
}

const char *asked_wish(const struct asked *a, enum wish wish)
{
    return asked_any(a, wish_words[wish]);
}

/* What is found of them is taken out. */
static void blank(struct asked *a, const char *phrases)
{
    struct str rest = str_of(phrases), phrase;
    while (str_split(&rest, ' ', &phrase)) {
        size_t len;
        char *at = phrase.len > 0 ? (char *)find(a, text_of(a), phrase, &len) : NULL;
        if (!at)
            continue;
        memset(at, ' ', len);
        letters_add(&a->letters, (struct str){at - 1, len + 2}); /* blanks are around each text */
    }
}

void asked_read(struct asked *a, const struct words *words, struct str question)
{
    *a = (struct asked){.words = words};
    scoped_buf(text, sizeof(a->said) - 1);
    words_normalise(str_cut(question, WORDS_QUESTION_MAX), &text);
    memcpy(a->said, buf_cstr(&text), text.len);
    letters_add(&a->letters, buf_str(&text));
    uint64_t early = 0; /* what only an idiom says */
    if (asked_any(a, "at_most at_the_most como_máximo höchstens"))
        early |= 1ULL << WISH_PEAK;
    if (asked_any(a, hit_rates))
        early |= 1ULL << WISH_SHARE;
    blank(a, hit_rates);
    if (asked_wish(a, WISH_RATE))
        early |= 1ULL << WISH_RATE;
    blank(a, idioms);
    a->wishes = early;
    read_wishes(a);
    read_signs(a, question);
    read_window(a);
    read_percent(a);
    /* "how long has it been up", but not "how long is the longest" */
    if (asks(a, WISH_LONG) && !asks(a, WISH_SLOW) && !asks(a, WISH_AVERAGE) &&
        !asks(a, WISH_MOST) && !asks(a, WISH_LEAST) && a->percent == 0)
        a->wishes |= 1ULL << WISH_AGO;
    read_top(a);
}

static void make_wishes(struct phrases *all)
{
    for (unsigned i = 0; i < WISHES; i++) {
        struct str rest = str_of(wish_words[i]), word;
        while (str_split(&rest, ' ', &word))
            if (word.len > 0)
                phrases_add(all, phrase_of(word), i);
    }
}

static void read_wishes(struct asked *a)
{
    if (wishes.count == 0)
        make_wishes(&wishes);
    phrases_found found = {0};
    phrases_find(&wishes, text_of(a), found);
    for (unsigned i = phrases_next(found, 0, wishes.count); i < wishes.count;
         i = phrases_next(found, i + 1, wishes.count))
        a->wishes |= 1ULL << wishes.all[i].row;
}

/* What words_normalise takes out. */
static void read_signs(struct asked *a, struct str question)
{
    if (memmem(question.at, question.len, "/s", 2) && asked_at(a, STR("s")))
        a->wishes |= 1ULL << WISH_RATE;
    if (question.len > 0 && memchr(question.at, '%', question.len))
        a->wishes |= 1ULL << WISH_PERCENT;
    a->root =
        asked_any(a, "root_filesystem root_fs root_partition root_disk 根文件系统 根分区 ルート "
                     "wurzel* raíz") ||
        (question.len > 0 && memmem(question.at, question.len, " / ", 3)) ||
        (question.len > 1 && memcmp(question.at + question.len - 2, " /", 2) == 0);
}

/* ---- numbers and windows ---- */

static bool is_wide(char c) { return (unsigned char)c >= 0x80; }

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
        while (str_split(&rest, ' ', &word)) {
            const char *from = end - word.len; /* a word of its own, where blanks part them */
            if ((size_t)(end - text) > word.len && memcmp(from, word.at, word.len) == 0 &&
                (is_wide(word.at[0]) || from[-1] == ' '))
                return numbers[i].value;
        }
    }
    return 0;
}

/* "per minute" is no window. */
static bool is_per(const char *text, const char *at)
{
    static const char *const pers[] = {" per ", " pro ",   " je ",  " por ", " cada ",
                                       " a ",   " every ", " each", "每",    "毎"};
    while (at > text && at[-1] == ' ')
        at--;
    for (size_t i = 0; i < sizeof(pers) / sizeof(pers[0]); i++) {
        size_t len = strlen(pers[i]) - (pers[i][0] == ' ' && pers[i][strlen(pers[i]) - 1] == ' ');
        if ((size_t)(at - text) >= len && memcmp(at - len, pers[i], len) == 0)
            return true;
    }
    return false;
}

/* "5m", "24h": seconds; 0: it is none. */
static unsigned compact_duration(struct str word)
{
    static const struct {
        const char *end;
        unsigned seconds;
    } ends[] = {{"m", 60},    {"min", 60},   {"mins", 60}, {"h", 3600},
                {"hr", 3600}, {"hrs", 3600}, {"d", 86400}, {"w", 604800}};
    size_t digits = 0;
    while (digits < word.len && isdigit((unsigned char)word.at[digits]))
        digits++;
    uint64_t value;
    if (digits == 0 || !str_u64((struct str){word.at, digits}, 1000, &value))
        return 0;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (str_is(str_skip(word, digits), ends[i].end))
            return (unsigned)value * ends[i].seconds;
    return 0;
}

static unsigned window_of_unit(const struct asked *a, const struct amount *unit)
{
    struct str rest = str_of(unit->words), word;
    while (str_split(&rest, ' ', &word)) {
        size_t len;
        struct str text = text_of(a);
        for (const char *at; word.len > 0 && (at = find(a, text, word, &len)) != NULL;) {
            unsigned number = number_before(a->said, at);
            if (!is_per(a->said, at))
                return (number > 0 ? number : 1) * unit->value;
            text = str_skip(text, (size_t)(at + len - text.at));
        }
    }
    return 0;
}

/* "in the last five minutes", "24h", "today", but not "per minute". */
static void read_window(struct asked *a)
{
    struct str rest = text_of(a), word;
    while (a->window_s == 0 && str_split(&rest, ' ', &word))
        a->window_s = word.len > 1 ? compact_duration(word) : 0;
    for (unsigned i = 0; asks(a, WISH_LATELY) && a->window_s < 60 && i < UNITS; i++) {
        unsigned window = window_of_unit(a, &units[i]);
        a->window_s = window > 0 ? window : a->window_s;
    }
    a->minutes = window_of_unit(a, &units[1]) / units[1].value;
    if (a->window_s < 60) /* "samples per second in the last round" */
        a->window_s = asks(a, WISH_TODAY) ? 86400 : 0;
}

/* "p95", "95th percentile", "percentil 99", "median" */
static void read_percent(struct asked *a)
{
    struct str rest = text_of(a), word;
    if (!a->words->wants_distribution)
        return;
    a->percent = asked_any(a, "median mediana medianwert 中位 中央値") ? 5000 : 9500;
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
            a->percent = (unsigned)value * 100;
        else if (p)
            a->percent = (unsigned)value * 10;
        named = named || p || th;
    }
}

/* The number that begins at a word, in digits or words; 0: none does. */
static unsigned number_at(const char *at)
{
    while (*at == ' ')
        at++;
    const char *end = at;
    while (isdigit((unsigned char)*end))
        end++;
    uint64_t value;
    if (end > at)
        return str_u64((struct str){at, (size_t)(end - at)}, 99, &value) && !isalpha(*end)
                   ? (unsigned)value
                   : 0;
    for (unsigned i = NUMBERS; i-- > 0;) {
        struct str rest = str_of(numbers[i].words), word;
        while (str_split(&rest, ' ', &word))
            if (strncmp(at, word.at, word.len) == 0 && (is_wide(word.at[0]) || at[word.len] == ' '))
                return numbers[i].value;
    }
    return 0;
}

/* "top 5", "which three", "los 3" */
static void read_top(struct asked *a)
{
    static const char tops[] = "top トップ 上位 前 which what the welche die qué cuáles las los";
    struct str rest = str_of(tops), word;
    while (a->top == 0 && (asks(a, WISH_MOST) || asks(a, WISH_LEAST)) &&
           str_split(&rest, ' ', &word)) {
        const char *at = asked_at(a, word);
        if (at)
            a->top = number_at(at + word.len);
    }
}
