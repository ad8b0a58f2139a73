#include "worker/turn/spelt.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { WORD_BYTES_MAX = 40, SENTENCE_BYTES_MAX = 400 };

static const struct {
    double value;
    const char *words;
} numbers[] = {
#define SPELT(value, words) {value, words},
#include "worker/turn/spelt.def"
#undef SPELT
};

/* What stands before a number that only points at what was said, or is no count. */
static const char pointing[] =
    "in within en binnen the these those both last past next previous first top other every each "
    "per or than version "
    "step phase level number die der den dem diese diesen dieser letzten letzte nächsten ersten "
    "anderen beiden jede jeden oder vor los las estos estas esos últimos últimas "
    "primeros primeras otros otras cada hace o";
/* What stands behind a number that counts no data. */
static const char others[] =
    "ways way things thing reasons reason steps step options option parts part halves queries "
    "query metrics metric cases kinds kind types type sorts possibilities questions points ideas "
    "explanations causes categories sentences words other others more digits decimals "
    "decimal sides approaches possible different main likely separate further additional places "
    "numbers values fifths quarters thirds tenths examples results panels charts tables sections "
    "tools calls scrapes scrape samples sample intervals windows uhr ago earlier "
    "later before after dimensions orders conditions and or to "
    "wege dinge gründe schritte möglichkeiten optionen teile teil bruchteil abfragen abfrage "
    "metriken metrik fälle arten fragen punkte weitere andere verschiedene mögliche werte "
    "nachkommastellen fünftel viertel drittel zehntel ursachen kategorien ergebnisse beispiele "
    "größenordnungen hälften paar "
    "kleine kleiner kleines und oder bis zuvor später "
    "formas cosas razones pasos opciones partes parte consultas consulta métricas métrica casos "
    "tipos preguntas puntos causas posibles posible más valores categorías resultados "
    "ejemplos tercios cuartos quintos décimos decimales y o antes después";
/* Before "one": it is a number there. */
static const char only[] = "only just exactly nur genau lediglich solo sólo solamente únicamente";
static const char ones[] = "one ein eine einer eines einen uno una un";
static const char totals[] =
    "there-are there-were there-is es-gibt es-sind es-waren gibt-es hay había existen "
    "insgesamt total-of all alle todos todas";
static const char kinds[] =
    "that which whose with above over below under more less than exceed reach who "
    "die mit über unter mehr weniger deren que con encima debajo más menos superan";

/* How long something takes, and before that: "for two hours"; else it is to come, or gone. */
static const char periods[] =
    "second seconds minute minutes hour hours day days week weeks sekunde sekunden minute minuten "
    "stunde stunden tag tage tagen woche wochen segundo segundos minuto minutos hora horas día "
    "días semana semanas";
static const char lasting[] = "for seit lleva took takes take lasts lasted about almost nearly "
                              "dauert dauerte rund etwa fast dura duró tarda unas unos casi";
/* "three times as many": a ratio. */
static const char times[] = "times veces mal";
static const char ratios[] =
    "as more higher faster larger bigger longer slower the less lower que más mayor menos so mehr "
    "höher schneller größer länger over";

static bool begins(struct str text, size_t at);
static bool read_words(struct str text, size_t at, struct spelt *s);
static bool read_numeral(struct str text, size_t at, struct spelt *s);
static bool read_none(struct str text, size_t at, struct spelt *s);

bool spelt_read(struct str text, size_t at, struct spelt *s)
{
    *s = (struct spelt){.slack = 0.5};
    if ((unsigned char)text.at[at] >= 0xE3)
        return read_numeral(text, at, s);
    return begins(text, at) && (read_none(text, at, s) || read_words(text, at, s));
}

/* ---- words ---- */

static bool of_word(char c) { return isalpha((unsigned char)c) || (unsigned char)c == 0xC3; }

/* Of a letter with an accent the second byte is no letter: 0xC3 is its first. */
static struct str word_at(struct str text, size_t at)
{
    size_t end = at;
    while (end < text.len && of_word(text.at[end]))
        end += (unsigned char)text.at[end] == 0xC3 && end + 1 < text.len ? 2 : 1;
    return (struct str){text.at + at, end - at};
}

static bool begins(struct str text, size_t at)
{
    unsigned char before = at > 0 ? (unsigned char)text.at[at - 1] : ' ';
    return of_word(text.at[at]) && !isalnum(before) && before < 0x80 &&
           !strchr("_-./:@'\"`{=", before ? before : ' ');
}

static bool among(const char *words, struct str word)
{
    struct str rest = str_of(words), one;
    while (word.len > 0 && str_split(&rest, ' ', &one))
        if (one.len == word.len && strncasecmp(one.at, word.at, word.len) == 0)
            return true;
    return false;
}

static bool plain_value(struct str word, double *value)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (among(numbers[i].words, word)) {
            *value = numbers[i].value;
            return true;
        }
    return false;
}

/* fünfundzwanzig, einundzwanzig */
static bool word_value(struct str word, double *value)
{
    double unit = 1, tens;
    if (word.len == 0 || word.len > WORD_BYTES_MAX)
        return false;
    if (plain_value(word, value))
        return true;
    for (size_t i = 2; i + 3 < word.len; i++) {
        struct str first = {word.at, i}, rest = str_skip(word, i + 3);
        if (strncasecmp(word.at + i, "und", 3) == 0 &&
            (among("ein", first) || plain_value(first, &unit)) && plain_value(rest, &tens) &&
            unit < 10 && tens >= 20 && tens < 100) {
            *value = unit + tens;
            return true;
        }
    }
    return false;
}

/* The word before a place, and where it begins. */
static struct str word_before(struct str text, size_t at, size_t *from)
{
    size_t end = at;
    while (end > 0 && (text.at[end - 1] == ' ' || text.at[end - 1] == '*'))
        end--;
    size_t begin = end;
    while (begin > 0 && (of_word(text.at[begin - 1]) || (unsigned char)text.at[begin - 1] >= 0x80))
        begin--;
    *from = begin;
    return (struct str){text.at + begin, end - begin};
}

static struct str word_behind(struct str text, size_t at)
{
    while (at < text.len && (text.at[at] == ' ' || text.at[at] == '*'))
        at++;
    return at < text.len ? word_at(text, at) : (struct str){text.at, 0};
}

/* What goes on with the number: "hundred (and) five", "-five", "y cinco". */
static void read_more(struct str text, size_t at, struct spelt *s)
{
    double more;
    for (unsigned n = 0; n < 3; n++) {
        size_t next = at + s->len;
        if (next >= text.len || (text.at[next] != ' ' && text.at[next] != '-'))
            return;
        struct str word = word_at(text, next + 1);
        bool joins = among("and y", word);
        size_t skip = joins ? word.len + 1 : 0;
        if (joins)
            word = word_at(text, next + 1 + skip);
        if (!word_value(word, &more))
            return;
        bool hundreds = more == 100 && !joins && s->value < 10;
        bool tens = s->value >= 20 && fmod(s->value, 10) == 0 && more < 10 && more > 0;
        bool rest = s->value >= 100 && more < 100;
        if (!hundreds && !tens && !rest)
            return;
        s->value = hundreds ? s->value * more : s->value + more;
        s->len = next + 1 + skip + word.len - at;
    }
}

static struct str sentence_behind(struct str text, size_t at)
{
    size_t end = at;
    while (end < text.len && end - at < SENTENCE_BYTES_MAX && !strchr(".!?;\n", text.at[end]))
        end++;
    return (struct str){text.at + at, end - at};
}

/* "There are two pods": not how many of a kind. */
static bool is_total(struct str text, size_t at, size_t behind)
{
    size_t from, first;
    struct str before = word_before(text, at, &from), two = word_before(text, from, &first);
    scoped_buf(pair, 2 * WORD_BYTES_MAX);
    buf_add_str(&pair, two);
    buf_putc(&pair, '-');
    buf_add_str(&pair, before);
    if (!among(totals, before) && !among(totals, buf_str(&pair)))
        return false;
    struct str rest = sentence_behind(text, behind);
    for (size_t i = 0; i < rest.len; i++) {
        struct str word = word_at(rest, i);
        if (among(kinds, word))
            return false;
        i += word.len;
    }
    return true;
}

static bool read_words(struct str text, size_t at, struct spelt *s)
{
    struct str word = word_at(text, at);
    size_t from;
    struct str before = word_before(text, at, &from);
    s->len = word.len;
    if (among(ones, word)) {
        struct str next = word_behind(text, at + s->len);
        double scale;
        s->value = 1;
        if (word_value(next, &scale) && scale == 100) { /* one hundred */
            s->value = 1;
            read_more(text, at, s);
            return s->value > 1;
        }
        if (among("dozen dutzend docena", next)) {
            s->len = (size_t)(next.at + next.len - (text.at + at));
            s->value = 12;
            s->slack = 2.5;
            return true;
        }
        return among(only, before) && !among(others, next) && next.len > 0;
    }
    if (among("a", word) && among("dozen", word_behind(text, at + s->len))) {
        s->value = 12;
        s->slack = 2.5;
        s->len += 6;
        return true;
    }
    if (!word_value(word, &s->value))
        return false;
    read_more(text, at, s);
    size_t end = at + s->len;
    struct str next = word_behind(text, end);
    bool joined = end < text.len && (text.at[end] == '-' || text.at[end] == '_');
    size_t behind = next.len > 0 ? (size_t)(next.at + next.len - text.at) : end;
    bool ratio = among(times, next) && among(ratios, word_behind(text, behind));
    if (joined || ratio || (among(periods, next) && !among(lasting, before)) ||
        among(pointing, before) || among(others, next))
        return false;
    s->slack = s->value >= 100 ? fmax(0.5, 0.02 * s->value) : 0.5;
    s->total = is_total(text, at, end);
    return true;
}

static bool read_none(struct str text, size_t at, struct spelt *s)
{
    static const char *const nones[] = {"none of",    "none are",   "none is",     "none were",
                                        "keiner der", "keines der", "keine der",   "keins der",
                                        "ninguno de", "ninguna de", "ningún objet"};
    for (size_t i = 0; i < sizeof(nones) / sizeof(nones[0]); i++) {
        size_t len = strlen(nones[i]);
        if (text.len - at < len || strncasecmp(text.at + at, nones[i], len) != 0)
            continue;
        s->none = true;
        s->len = len;
        return true;
    }
    return false;
}

/* ---- numerals: 二十五个, 三つ ---- */

static bool starts_one(struct str text, const char *signs, size_t *len)
{
    struct str rest = str_of(signs), one;
    while (str_split(&rest, ' ', &one))
        if (str_starts(text, one)) {
            *len = one.len;
            return true;
        }
    return false;
}

/* One sign of a numeral: a digit, or what multiplies those before it. */
static bool numeral_sign(struct str text, double *value)
{
    static const struct {
        const char *sign;
        double value;
    } signs[] = {{"零", 0},  {"一", 1},   {"二", 2},    {"两", 2},   {"兩", 2},  {"三", 3},
                 {"四", 4},  {"五", 5},   {"六", 6},    {"七", 7},   {"八", 8},  {"九", 9},
                 {"十", 10}, {"百", 100}, {"千", 1000}, {"万", 1e4}, {"亿", 1e8}};
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (str_starts(text, str_of(signs[i].sign))) {
            *value = signs[i].value;
            return true;
        }
    return false;
}

static bool read_numeral(struct str text, size_t at, struct spelt *s)
{
    static const char counters[] = "个 個 台 次 回 条 條 项 項 名 件 つ 本 枚 座 处";
    static const char before[] =
        "第 每 这 那 前 后 上 下 近 去 同 任 另 其 几 数 の 各 唯 统 之 过";
    static const char no_data[] =
        "查询 指标 方法 原因 步骤 方面 部分 问题 可能 选项 种 クエリ 理由 "
        "方法 可能性 種類 メトリクス 点";
    double total = 0, one = 0, sign;
    size_t len, ignored;
    while (s->len < text.len - at && numeral_sign(str_skip(text, at + s->len), &sign)) {
        if (sign >= 1e4) {
            total = (total + one) * sign;
            one = 0;
        } else if (sign >= 10) {
            total += (one > 0 ? one : 1) * sign;
            one = 0;
        } else {
            one = sign;
        }
        s->len += strlen("一");
    }
    s->value = total + one;
    if (s->len == 0) {
        s->len = 3; /* any other sign */
        return false;
    }
    struct str rest = str_skip(text, at + s->len);
    struct str back = at >= 3 ? (struct str){text.at + at - 3, 3} : STR("");
    if (s->value < 2 || !starts_one(rest, counters, &len) || starts_one(back, before, &ignored))
        return false;
    rest = str_skip(rest, len);
    s->total = starts_one(back, "有 共", &len) && memmem(rest.at, rest.len, "超", 3) == NULL;
    return !starts_one(rest, no_data, &len);
}
