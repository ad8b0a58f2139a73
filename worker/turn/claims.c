#include "worker/turn/claims.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <jansson.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/moment.h"
#include "worker/tools/prometheus/why.h"
#include "worker/turn/admits.h"

/* What is looked at of an answer: longer ones are a model's that does not stop. */
enum { ANSWER_BYTES_MAX = 64 << 10 };
/* Longer texts are results, whose numbers have no units behind them, and no "last hour". */
enum { PERIODS_BYTES_MAX = 2000, UNITS_BYTES_MAX = 32 << 10 };
enum { FEW_ROWS = 8 };
enum { STATED_MAX = 64, DERIVED_FROM_MAX = 8, READINGS_MAX = 2, DIGITS_MAX = 40 };

/* One number of an answer. Where a comma may be a decimal sign or not, it has two readings. */
struct stated {
    struct str text; /* with its unit */
    double values[READINGS_MAX], slacks[READINGS_MAX];
    unsigned readings;
    const struct unit *unit;
    bool supported, counts;
    double known;           /* the number that supports it */
    double whole, smallest; /* of a duration in parts: "6h 56m"; seconds, and of its last unit */
};

/* What a unit may stand for, in the base that results have. */
static const struct unit {
    const char *words; /* by blanks, in lower case */
    double scales[3];  /* 0: no more */
} units[] = {
    {"% percent percentage prozent prozentpunkte procent pourcent パーセント", {1, 0.01}},
    {"ki kib", {1024}},
    {"mi mib", {1048576}},
    {"gi gib", {1073741824}},
    {"ti tib", {1099511627776.0}},
    {"kb kbyte kilobytes", {1000, 1024}},
    {"mb mbyte megabytes", {1e6, 1048576}},
    {"gb gbyte gigabytes", {1e9, 1073741824}},
    {"tb terabytes", {1e12, 1099511627776.0}},
    {"k thousand tausend mil", {1000}},
    {"m", {1e6, 60}},
    {"million millionen millones", {1e6}},
    {"kbit kbits kbps", {125}},
    {"mbit mbits mbps megabit megabits", {125e3}},
    {"gbit gbits gbps gigabit gigabits", {125e6}},
    {"b billion milliarden", {1e9}},
    {"ns", {1e-9, 1}},
    {"µs us μs", {1e-6, 1}},
    {"ms millisecond milliseconds millisekunden milisegundos 毫秒 ミリ秒", {1e-3, 1}},
    {"min mins minute minutes minuten minuto minutos 分钟 分", {60, 1}},
    {"h hour hours stunde stunden hora horas 小时 時間", {3600, 1}},
    {"d day days tag tage tagen día días 天 日", {86400, 1}},
    {"week weeks woche wochen semana semanas 周 週間", {604800, 1}},
    {"万", {1e4}},
    {"亿 億", {1e8}},
};

static bool letter(unsigned char c);
static const struct unit *find_unit(struct str text, size_t at, size_t *len);
static bool read_stated(struct str text, size_t *at, struct stated *s);
static bool derived(const struct stated *all, unsigned count, struct stated *s);

void claims_free(struct claims *c)
{
    free(c->numbers);
    *c = (struct claims){0};
}

/* ---- what is known ---- */

static void know(struct claims *c, double number)
{
    if (c->count == CLAIMS_NUMBERS_MAX || !isfinite(number))
        return;
    if (c->count == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->numbers = xrealloc(c->numbers, c->cap * sizeof(*c->numbers));
    }
    c->numbers[c->count++] = number;
    c->sorted = false;
}

/* "now-1h", [5m]: as seconds; p95 is 0.95, too. */
static void know_unit(struct claims *c, struct str text, size_t at, size_t len, double value)
{
    static const struct {
        char letter;
        double seconds;
    } letters[] = {{'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    size_t end = at + len, unit_len;
    bool alone = end + 1 >= text.len || !letter((unsigned char)text.at[end + 1]);
    for (size_t i = 0; end < text.len && alone && i < sizeof(letters) / sizeof(letters[0]); i++)
        if (text.at[end] == letters[i].letter)
            know(c, value * letters[i].seconds);
    const struct unit *unit = find_unit(text, end, &unit_len);
    if (unit && unit->scales[0] >= 60 && unit->scales[1] == 1)
        know(c, value * unit->scales[0]);
    if (at > 0 && (text.at[at - 1] | 32) == 'p' && value >= 1)
        know(c, value / pow(10, (double)len));
}

/* "over the last hour" */
static void know_periods(struct claims *c, struct str text)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct str rest = str_of(units[i].words), word;
        while (units[i].scales[0] >= 60 && units[i].scales[1] == 1 && str_split(&rest, ' ', &word))
            if (word.len > 2 && memmem(text.at, text.len, word.at, word.len))
                know(c, units[i].scales[0]);
    }
}

void claims_know(struct claims *c, struct str text)
{
    if (text.len > 0 && text.len < PERIODS_BYTES_MAX)
        know_periods(c, text);
    for (size_t i = 0; i < text.len;) {
        char digits[DIGITS_MAX];
        size_t len = 0;
        bool signed_number = i > 0 && text.at[i - 1] == '-';
        if (!isdigit((unsigned char)text.at[i])) {
            i++;
            continue;
        }
        for (; i + len < text.len && len + 1 < sizeof(digits); len++) {
            char ch = text.at[i + len], before = len > 0 ? (char)tolower(text.at[i + len - 1]) : 0;
            bool exponent = (ch == 'e' || ch == 'E') && i + len + 1 < text.len &&
                            strchr("+-0123456789", text.at[i + len + 1]) != NULL;
            if (!isdigit((unsigned char)ch) && ch != '.' && !exponent &&
                !((ch == '+' || ch == '-') && before == 'e'))
                break;
            digits[len] = ch;
        }
        digits[len] = '\0';
        double value = strtod(digits, NULL);
        know(c, value);
        if (signed_number)
            know(c, -value);
        if (text.len < UNITS_BYTES_MAX)
            know_unit(c, text, i, len, value);
        i += len;
    }
}

/* People add up and average what a list shows. */
static void know_sum(struct claims *c, const json_t *list, const char *key)
{
    double sum = 0;
    size_t i;
    bool whole = true;
    const json_t *row;
    json_array_foreach(list, i, row)
    {
        double one = json_number_value(json_object_get(row, key));
        if (!json_is_number(json_object_get(row, key)))
            return;
        sum += one;
        whole = whole && one == floor(one);
    }
    if (i == 0)
        return;
    know(c, sum);
    know(c, sum / (double)i);
    for (size_t k = 0; whole && i <= FEW_ROWS && k < i; k++) { /* two counts; all but one */
        double one = json_number_value(json_object_get(json_array_get(list, k), key));
        know(c, sum - one);
        for (size_t n = k + 1; n < i; n++)
            know(c, one + json_number_value(json_object_get(json_array_get(list, n), key)));
    }
}

static void know_lists(struct claims *c, const json_t *v)
{
    const char *key;
    size_t i;
    const json_t *child;
    if (json_is_array(v)) {
        know(c, (double)json_array_size(v));
        if (c->size_count < CLAIMS_COUNTS_MAX)
            c->sizes[c->size_count++] = (double)json_array_size(v);
        know_sum(c, v, "value");
        know_sum(c, v, "last");
    }
    json_array_foreach(v, i, child) know_lists(c, child);
    json_object_foreach((json_t *)v, key, child) know_lists(c, child);
}

/* Lists that are looked through, not told: that one goes on is no matter. */
static bool is_told(struct str kind)
{
    static const char *const searched[] = {
        "metrics",  "label_names", "label_values", "tools",     "panels", "dashboards",
        "projects", "documents",   "metric",       "dashboard", NULL};
    for (unsigned i = 0; searched[i]; i++)
        if (str_is(kind, searched[i]))
            return false;
    return kind.len > 0;
}

/* Shown of total: more are there than were seen. */
static void know_page(struct claims *c, const json_t *root, const char *shown, const char *total)
{
    const json_t *of = json_object_get(root, total);
    double count = json_number_value(of);
    if (!json_is_number(of) || json_number_value(json_object_get(root, shown)) >= count)
        return;
    c->partial = true;
    if (c->count_count < CLAIMS_COUNTS_MAX)
        c->counts[c->count_count++] = count;
}

/* A result without a series; not where a comparison was false for all there are. */
static void know_empty(struct claims *c, const json_t *root)
{
    const json_t *total = json_object_get(root, "series_total"), *note;
    size_t i;
    bool answers = false;
    if (!json_is_number(total))
        return;
    json_array_foreach(json_object_get(root, "notes"), i, note)
    {
        struct str text = json_text(note);
        answers = answers || (text.len > 0 && memmem(text.at, text.len, WHY_NONE_PASSES,
                                                     strlen(WHY_NONE_PASSES)) != NULL);
    }
    c->queries++;
    c->empty += json_number_value(total) <= 0 && !answers;
}

/* How long the time is that a result is of. */
static void know_span(struct claims *c, const json_t *root)
{
    int64_t start, end;
    if (moment_parse(json_text(json_object_get(root, "start")), 0, STR("UTC"), &start, NULL) &&
        moment_parse(json_text(json_object_get(root, "end")), 0, STR("UTC"), &end, NULL))
        know(c, (double)(end - start) / 1000);
}

void claims_know_result(struct claims *c, struct str content)
{
    static const char *const eights[] = {"* 8", "*8", "8 *", "8*", "_bits", "bps"};
    for (size_t i = 0; content.len > 0 && i < sizeof(eights) / sizeof(eights[0]); i++)
        c->bits = c->bits || memmem(content.at, content.len, eights[i], strlen(eights[i]));
    claims_know(c, content);
    json_auto_t *root = json_loadb(content.at, content.len, JSON_ALLOW_NUL, NULL);
    know_lists(c, root);
    bool cut = json_is_true(json_object_get(root, "partial")) ||
               json_is_true(json_object_get(root, "truncated")) ||
               json_object_get(root, "structured_cut") != NULL;
    c->unsaid = c->unsaid || cut;
    c->partial = c->partial || cut;
    know_span(c, root);
    know_page(c, root, "series_shown", "series_total");
    know_page(c, root, "lines_shown", "lines_total");
    if (is_told(json_text(json_object_get(root, "kind"))))
        know_page(c, root, "shown", "total");
    know_empty(c, root);
}

/* ---- what is stated ---- */

static bool letter(unsigned char c) { return isalpha(c) || c == '_' || c >= 0x80; }

static bool digit_at(struct str text, size_t at)
{
    return at < text.len && isdigit((unsigned char)text.at[at]);
}

/* "12 000": a blank, and three digits behind it. */
static bool groups(struct str text, size_t at)
{
    return text.at[at] == ' ' && digit_at(text, at + 1) && digit_at(text, at + 2) &&
           digit_at(text, at + 3) && !digit_at(text, at + 4);
}

/* A number's digits with what groups them: "1,234.5", "1.234,5", "12 000". */
static size_t digits_len(struct str text, size_t at)
{
    size_t len = 0;
    while (at + len < text.len) {
        char c = text.at[at + len];
        bool parts = (c == ',' || c == '.' || c == '\'') && digit_at(text, at + len + 1);
        if (!isdigit((unsigned char)c) && !parts && !groups(text, at + len))
            break;
        len++;
    }
    size_t e = at + len, sign = e + 1 < text.len && strchr("+-", text.at[e + 1]) ? 1 : 0;
    if (len > 0 && e < text.len && (text.at[e] | 32) == 'e' && digit_at(text, e + 1 + sign))
        for (len += 1 + sign; digit_at(text, at + len);) /* 3.2e-05 */
            len++;
    return len;
}

/* decimal: which sign parts the decimals; the others group thousands. False: it can't be so. */
static bool read_digits(struct str digits, char decimal, double *value, double *slack)
{
    char plain[DIGITS_MAX];
    size_t n = 0, decimals = 0, zeros = 0, group = 0;
    bool behind = false, grouped = false;
    double power = 1;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.at[i];
        if (n + 2 > sizeof(plain))
            return false;
        if ((c | 32) == 'e') {
            power = pow(10, strtod(digits.at + i + 1, NULL));
            break;
        }
        if (isdigit((unsigned char)c)) {
            plain[n++] = c;
            decimals += behind;
            group++;
            zeros = c == '0' ? zeros + 1 : 0;
        } else if (c == decimal && !behind) {
            if (grouped && group != 3)
                return false;
            behind = true;
            plain[n++] = '.';
            zeros = 0;
        } else {
            if (behind || (grouped ? group != 3 : group > 3))
                return false;
            grouped = true;
            group = 0;
        }
    }
    if (grouped && !behind && group != 3)
        return false;
    plain[n] = '\0';
    *value = strtod(plain, NULL) * power;
    *slack = 0.5 * pow(10, -(double)decimals) * power;
    if (power == 1 && decimals == 0 && zeros >= 2) /* 12,000 is rounded, but not by much */
        *slack = fmax(*slack, fmin(0.5 * pow(10, (double)zeros), 0.02 * *value));
    return true;
}

/* Of ASCII or of Latin with accents: a unit before it is a word's beginning. */
static bool latin(char c)
{
    return (letter((unsigned char)c) && (unsigned char)c < 0x80) || (unsigned char)c == 0xC3;
}

static const struct unit *find_unit(struct str text, size_t at, size_t *len)
{
    size_t from = at < text.len && text.at[at] == ' ' ? at + 1 : at;
    const struct unit *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct str rest = str_of(units[i].words), word;
        while (str_split(&rest, ' ', &word)) {
            size_t end = from + word.len;
            bool ascii = (unsigned char)word.at[0] < 0x80;
            if (word.len <= longest || end > text.len ||
                strncasecmp(text.at + from, word.at, word.len) != 0 ||
                (ascii && word.at[0] != '%' && end < text.len && latin(text.at[end])))
                continue;
            found = &units[i];
            longest = word.len;
        }
    }
    *len = found ? from + longest - at : 0;
    return found;
}

/* 2026-11-30: four digits, and two behind the sign. */
static bool is_date(struct str text, size_t at, size_t len)
{
    size_t next = at + len + 1;
    return len == 4 && digit_at(text, next) && digit_at(text, next + 1) &&
           !digit_at(text, next + 2);
}

/* The second number of "250-300 MB", not a part of a date or of a name. */
static bool is_range(struct str text, size_t at)
{
    size_t from = at - 1;
    while (from > 0 && (isdigit((unsigned char)text.at[from - 1]) || text.at[from - 1] == '.'))
        from--;
    unsigned char before = from > 0 ? (unsigned char)text.at[from - 1] : ' ';
    return from + 1 < at && strchr(" \n(~*", before) && before != '\0' &&
           !is_date(text, from, at - 1 - from);
}

/* "port 9090", "RFC 3339": a name. */
static bool is_named(struct str text, size_t at)
{
    static const char *const words[] = {"port ", "rfc ", "version ", "puerto ", "端口 ", "ポート"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);
        if (at >= len && strncasecmp(text.at + at - len, words[i], len) == 0 &&
            (at == len || !isalnum((unsigned char)text.at[at - len - 1])))
            return true;
    }
    return false;
}

/* 2nd, 95th; 5xx is a class. */
static bool is_ordinal(struct str rest)
{
    static const char *const words[] = {"st", "nd", "rd", "th", "xx"};
    bool ends = rest.len >= 2 && (rest.len == 2 || !letter((unsigned char)rest.at[2]));
    for (size_t i = 0; ends && i < sizeof(words) / sizeof(words[0]); i++)
        if (strncasecmp(rest.at, words[i], 2) == 0)
            return true;
    return false;
}

/* A time, a date, a version, a part of a name or of a list's numbering: no claim. */
static bool is_claim(struct str text, size_t at, size_t len)
{
    unsigned char before = at > 0 ? (unsigned char)text.at[at - 1] : ' ';
    unsigned char before2 = at > 1 ? (unsigned char)text.at[at - 2] : ' ';
    unsigned char after = at + len < text.len ? (unsigned char)text.at[at + len] : ' ';
    unsigned char after2 = at + len + 1 < text.len ? (unsigned char)text.at[at + len + 1] : ' ';
    unsigned dots = 0;
    for (size_t i = 0; i < len; i++)
        dots += text.at[at + i] == '.';
    bool ascii_before = before < 0x80 && letter(before);
    if (ascii_before || before == '.' || before == '/' || before == ':' || before == '@' ||
        (before == '-' && (isalnum(before2) || before2 == '_') && !is_range(text, at)))
        return false;
    if ((after == ':' || after == '/' || (after == '-' && is_date(text, at, len))) &&
        isdigit(after2))
        return false;
    if (is_named(text, at) || is_ordinal(str_skip(text, at + len)))
        return false;
    if (dots > 1 && !memchr(text.at + at, ',', len)) { /* 2.42.0; but 1.234.567 groups thousands */
        double value, slack;
        if (!read_digits((struct str){text.at + at, len}, ',', &value, &slack))
            return false;
    }
    size_t line = at;
    while (line > 0 && text.at[line - 1] != '\0' && strchr(" \t*>-#", text.at[line - 1]))
        line--;
    bool begins = line == 0 || text.at[line - 1] == '\n';
    return !(begins && (after == '.' || after == ')') && (after2 == ' ' || after2 == '\n'));
}

static bool read_stated(struct str text, size_t *at, struct stated *s)
{
    size_t from = *at, len = digits_len(text, from), unit_len;
    struct str digits = {text.at + from, len};
    *at = from + len;
    *s = (struct stated){0};
    if (!is_claim(text, from, len))
        return false;
    for (unsigned i = 0; i < READINGS_MAX; i++) {
        double *value = &s->values[s->readings], *slack = &s->slacks[s->readings];
        if (!read_digits(digits, ".,"[i], value, slack))
            continue;
        s->readings += s->readings == 0 || s->values[0] != *value;
    }
    s->unit = find_unit(text, from + len, &unit_len);
    *at += unit_len;
    s->text = (struct str){text.at + from, len + unit_len};
    return s->readings > 0;
}

/* Code is no claim: `rate(x[5m])`, and blocks between fences. */
static size_t after_code(struct str text, size_t at)
{
    size_t ticks = 0, i;
    while (at + ticks < text.len && text.at[at + ticks] == '`')
        ticks++;
    for (i = at + ticks; i + ticks <= text.len; i++) {
        size_t same = 0;
        while (same < ticks && text.at[i + same] == '`')
            same++;
        if (same == ticks)
            return i + ticks;
    }
    return ticks >= 3 ? text.len : at + ticks; /* a fence that is never closed */
}

/* Seconds of the unit behind a duration's part: "6h", "56 minutes"; 0: it is none. */
static double part_of(const struct stated *s, struct str text)
{
    size_t from = (size_t)(s->text.at - text.at), behind = from + digits_len(text, from);
    struct str rest = str_trim(str_skip(text, behind)), word = {rest.at, 0};
    if (s->unit && s->unit->scales[0] >= 60 && s->unit->scales[1] == 1)
        return s->unit->scales[0];
    while (word.len < rest.len && isalpha((unsigned char)rest.at[word.len]))
        word.len++;
    if (s->unit && s->unit->scales[1] == 60)
        return 60;
    return str_is(word, "s") || str_starts(word, STR("sec")) || str_starts(word, STR("sek")) ||
                   str_starts(word, STR("seg")) || str_starts(rest, STR("秒"))
               ? 1
               : 0;
}

/* What may stand between the parts of a duration. */
static bool joins(struct str between)
{
    static const char *const words[] = {"",  "and",   "und",   "y", "e",
                                        ",", ", and", ", und", "s", NULL};
    between = str_trim(between);
    for (size_t i = 0; words[i]; i++)
        if (str_is(between, words[i]))
            return true;
    return false;
}

/* "14 days, 6 hours and 56 minutes" is one number; such are cut, not rounded. */
static unsigned join_parts(struct str text, struct stated *all, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        struct stated *last = kept > 0 ? &all[kept - 1] : NULL, s = all[i];
        double part = part_of(&s, text);
        double before = last ? (last->smallest > 0 ? last->smallest : part_of(last, text)) : 0;
        const char *end = last ? last->text.at + last->text.len : NULL;
        if (last && part > 0 && before > part && end <= s.text.at && s.text.at - end < 12 &&
            joins((struct str){end, (size_t)(s.text.at - end)})) {
            last->whole =
                (last->smallest > 0 ? last->whole : last->values[0] * before) + s.values[0] * part;
            last->smallest = part;
            last->text.len = (size_t)(s.text.at + s.text.len - last->text.at);
            continue;
        }
        all[kept++] = s;
    }
    return kept;
}

static unsigned read_all(struct str answer, struct stated all[STATED_MAX])
{
    unsigned count = 0;
    if (answer.len > ANSWER_BYTES_MAX)
        answer.len = ANSWER_BYTES_MAX;
    for (size_t at = 0; at < answer.len && count < STATED_MAX;) {
        if (answer.at[at] == '`')
            at = after_code(answer, at);
        else if (isdigit((unsigned char)answer.at[at]))
            count += read_stated(answer, &at, &all[count]);
        else
            at++;
    }
    return join_parts(answer, all, count);
}

/* ---- the comparison ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The known number that is nearest to a value, within its slack. */
static bool near_any(const struct claims *c, double value, double slack, double *known)
{
    unsigned low = 0, high = c->count;
    slack += fabs(value) * 1e-9;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (c->numbers[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    double below = low > 0 ? value - c->numbers[low - 1] : INFINITY;
    double above = low < c->count ? c->numbers[low] - value : INFINITY;
    *known = below < above ? value - below : value + above;
    return fmin(below, above) <= slack;
}

static bool supported_as(struct claims *c, struct stated *s, const struct unit *unit)
{
    for (unsigned i = 0; i < s->readings; i++)
        for (unsigned k = 0; k < 3 && unit->scales[k] > 0; k++) {
            double value = s->values[i] * unit->scales[k], slack = s->slacks[i] * unit->scales[k];
            if (!near_any(c, value, slack, &s->known) && !near_any(c, -value, slack, &s->known) &&
                !(c->bits && unit->scales[0] > 100 && near_any(c, 8 * value, 8 * slack, &s->known)))
                continue;
            s->supported = true;
            return true;
        }
    return false;
}

/* As it is written, or with the unit of the number behind it: "50, 70 and 30 MiB". */
static bool supported(struct claims *c, struct stated *s, const struct stated *next)
{
    static const struct unit none = {"", {1}};
    if (s->smallest > 0)
        return s->supported = near_any(c, s->whole, s->smallest, &s->known);
    if (supported_as(c, s, s->unit ? s->unit : &none))
        return true;
    const char *end = s->text.at + s->text.len;
    bool near = !s->unit && next && next->unit && next->text.at >= end &&
                next->text.at - end < 12 && !memchr(end, '\n', (size_t)(next->text.at - end));
    if (near)
        s->unit = next->unit;
    return near && supported_as(c, s, s->unit);
}

/* value: in base units, or of a percentage in hundredths. */
static bool close_to(const struct stated *s, double value)
{
    const struct unit *unit = s->unit;
    for (unsigned i = 0; i < s->readings; i++)
        for (unsigned k = 0; k < 3 && (k == 0 || (unit && unit->scales[k] > 0)); k++) {
            double scale = unit && unit != &units[0] ? unit->scales[k] : 1;
            if (fabs(s->values[i] * scale - fabs(value)) <= s->slacks[i] * scale * 1.5)
                return true;
        }
    return false;
}

/* Of numbers that the answer states and that are supported, when they are few: else anything is. */
static bool derived(const struct stated *all, unsigned count, struct stated *s)
{
    double known[DERIVED_FROM_MAX], sum = 0;
    unsigned n = 0;
    bool percent = s->unit == &units[0];
    for (unsigned i = 0; i < count; i++)
        if (all[i].supported) {
            if (n == DERIVED_FROM_MAX)
                return false;
            known[n++] = all[i].known;
            sum += all[i].known;
        }
    if (n >= 2 && (close_to(s, sum) || close_to(s, sum / n)))
        return true;
    for (unsigned i = 0; i < n; i++) {
        if (percent && (close_to(s, 100 - known[i]) || close_to(s, 100 * (1 - known[i]))))
            return true;
        for (unsigned k = 0; k < n; k++) {
            double a = known[i], b = known[k];
            if (i == k || b == 0)
                continue;
            s->known = close_to(s, a - b) ? a - b : a + b;
            if (close_to(s, a - b) || (i < k && close_to(s, a + b)))
                return true;
            if ((percent && (close_to(s, 100 * a / b) || close_to(s, 100 * (a - b) / b) ||
                             close_to(s, 100 * (a - b)))) ||
                (!s->unit && close_to(s, a / b)))
                return true;
        }
    }
    return false;
}

/* "2 of the 20 pods": of a list that has 20. */
static bool counts_some(const struct claims *c, const struct stated *all, unsigned count,
                        unsigned at)
{
    const struct stated *s = &all[at];
    for (unsigned n = at > 0 ? at - 1 : 0; n <= at + 1 && n < count; n++) {
        const struct stated *first = n < at ? &all[n] : s, *second = n < at ? s : &all[n];
        const char *end = first->text.at + first->text.len;
        if (n == at || s->unit || all[n].unit || s->values[0] != floor(s->values[0]) ||
            s->values[0] > all[n].values[0] || second->text.at - end > 16)
            continue;
        for (unsigned k = 0; k < c->size_count; k++)
            if (c->sizes[k] == all[n].values[0])
                return true;
    }
    return false;
}

static bool told(const struct claim *out, unsigned count, const char *text)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(out[i].text, text) == 0)
            return true;
    return false;
}

unsigned claims_unsupported(struct claims *c, struct str answer, struct claim *out, unsigned max)
{
    struct stated all[STATED_MAX];
    unsigned count = read_all(answer, all), found = 0;
    if (!c->sorted && c->count > 0)
        qsort(c->numbers, c->count, sizeof(*c->numbers), by_value);
    c->sorted = true;
    for (unsigned i = count; i-- > 0;)
        if (!supported(c, &all[i], i + 1 < count ? &all[i + 1] : NULL))
            all[i].counts = counts_some(c, all, count, i);
    bool follows[STATED_MAX] = {false};
    for (unsigned i = 0; i < count; i++)
        follows[i] = all[i].supported || all[i].counts || derived(all, count, &all[i]);
    for (unsigned i = 0; i < count && found < max; i++) {
        if (follows[i])
            continue;
        snprintf(out[found].text, sizeof(out[found].text), "%.*s",
                 (int)(all[i].text.len < CLAIM_TEXT_MAX - 1 ? all[i].text.len : CLAIM_TEXT_MAX - 1),
                 all[i].text.at);
        found += !told(out, found, out[found].text);
    }
    return found;
}

/* ---- what is said of data that was lacking ---- */

/* A number of the answer that is how many there are. */
static bool states_counts(const struct claims *c, struct str answer)
{
    struct stated all[STATED_MAX];
    unsigned count = read_all(answer, all);
    for (unsigned k = 0; k < c->count_count; k++) {
        bool stated = false;
        for (unsigned i = 0; i < count; i++)
            for (unsigned r = 0; r < all[i].readings; r++)
                stated = stated || all[i].values[r] == c->counts[k];
        if (!stated)
            return false;
    }
    return c->count_count > 0;
}

enum claims_lack claims_conceals(const struct claims *c, struct str answer)
{
    if (c->queries > 0 && c->empty == c->queries && !admits_none(answer) && !admits_part(answer))
        return CLAIMS_LACK_ALL;
    bool told = admits_part(answer) || (!c->unsaid && states_counts(c, answer));
    return c->partial && !told ? CLAIMS_LACK_PART : CLAIMS_LACK_NOTHING;
}

bool claims_admits(struct str answer) { return admits_part(answer) || admits_none(answer); }
