#include "worker/turn/claims.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <jansson.h>
#include "common/check.h"

/* What is looked at of an answer: longer ones are a model's that does not stop. */
enum { ANSWER_BYTES_MAX = 64 << 10 };
enum { STATED_MAX = 64, DERIVED_FROM_MAX = 8, READINGS_MAX = 2, DIGITS_MAX = 40 };

/* One number of an answer. Where a comma may be a decimal sign or not, it has two readings. */
struct stated {
    struct str text; /* with its unit */
    double values[READINGS_MAX], slacks[READINGS_MAX];
    unsigned readings;
    const struct unit *unit;
    bool supported;
    double value; /* the reading that is supported */
};

/* What a unit may stand for, in the base that results have. */
static const struct unit {
    const char *words; /* by blanks, in lower case */
    double scales[3];  /* 0: no more */
} units[] = {
    {"%", {1, 0.01}},
    {"ki kib", {1024}},
    {"mi mib", {1048576}},
    {"gi gib", {1073741824}},
    {"ti tib", {1099511627776.0}},
    {"kb kbyte kilobytes", {1000, 1024}},
    {"mb mbyte megabytes", {1e6, 1048576}},
    {"gb gbyte gigabytes", {1e9, 1073741824}},
    {"tb terabytes", {1e12, 1099511627776.0}},
    {"k thousand tausend mil", {1000}},
    {"m million millionen millones", {1e6}},
    {"b billion milliarden", {1e9}},
    {"ns", {1e-9, 1}},
    {"µs us μs", {1e-6, 1}},
    {"ms millisecond milliseconds millisekunden milisegundos 毫秒 ミリ秒", {1e-3, 1}},
    {"min mins minute minutes minuten minuto minutos 分钟 分", {60, 1}},
    {"h hour hours stunde stunden hora horas 小时 時間", {3600, 1}},
    {"d day days tag tage tagen día días 天 日", {86400, 1}},
    {"万", {1e4}},
    {"亿 億", {1e8}},
};

static bool read_stated(struct str text, size_t *at, struct stated *s);
static bool supported(struct claims *c, struct stated *s);
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
        c->cap = c->cap ? 2 * c->cap : 256;
        c->numbers = xrealloc(c->numbers, c->cap * sizeof(*c->numbers));
    }
    c->numbers[c->count++] = number;
    c->sorted = false;
}

void claims_know(struct claims *c, struct str text)
{
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
        i += len;
    }
}

/* People add up and average what a list shows. */
static void know_sum(struct claims *c, const json_t *list, const char *key)
{
    double sum = 0;
    size_t i;
    const json_t *row;
    json_array_foreach(list, i, row)
    {
        if (!json_is_number(json_object_get(row, key)))
            return;
        sum += json_number_value(json_object_get(row, key));
    }
    if (i == 0)
        return;
    know(c, sum);
    know(c, sum / (double)i);
}

static void know_lists(struct claims *c, const json_t *v)
{
    const char *key;
    size_t i;
    const json_t *child;
    if (json_is_array(v)) {
        know(c, (double)json_array_size(v));
        know_sum(c, v, "value");
        know_sum(c, v, "last");
    }
    json_array_foreach(v, i, child) know_lists(c, child);
    json_object_foreach((json_t *)v, key, child) know_lists(c, child);
}

void claims_know_result(struct claims *c, struct str content)
{
    claims_know(c, content);
    json_auto_t *root = json_loadb(content.at, content.len, JSON_ALLOW_NUL, NULL);
    know_lists(c, root);
    double shown = json_number_value(json_object_get(root, "series_shown"));
    double total = json_number_value(json_object_get(root, "series_total"));
    c->partial = c->partial || json_is_true(json_object_get(root, "partial")) ||
                 json_is_true(json_object_get(root, "truncated")) || shown < total;
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
    return len;
}

/* decimal: which sign parts the decimals; the others group thousands. False: it can't be so. */
static bool read_digits(struct str digits, char decimal, double *value, double *slack)
{
    char plain[DIGITS_MAX];
    size_t n = 0, decimals = 0, zeros = 0, group = 0;
    bool behind = false, grouped = false;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.at[i];
        if (n + 2 > sizeof(plain))
            return false;
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
    *value = strtod(plain, NULL);
    *slack = 0.5 * pow(10, -(double)decimals);
    if (decimals == 0 && zeros >= 2) /* 12,000 is rounded, but not by much */
        *slack = fmax(*slack, fmin(0.5 * pow(10, (double)zeros), 0.02 * *value));
    return true;
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
                (ascii && word.at[0] != '%' && end < text.len &&
                 letter((unsigned char)text.at[end])))
                continue;
            found = &units[i];
            longest = word.len;
        }
    }
    *len = found ? from + longest - at : 0;
    return found;
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
        (before == '-' && (isalnum(before2) || before2 == '_')))
        return false;
    if ((after == ':' || after == '-' || after == '/') && isdigit(after2))
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
    return count;
}

/* ---- the comparison ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool near_any(const struct claims *c, double value, double slack)
{
    unsigned low = 0, high = c->count;
    slack += fabs(value) * 1e-9;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (c->numbers[middle] < value - slack)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->count && c->numbers[low] <= value + slack;
}

static bool supported(struct claims *c, struct stated *s)
{
    static const struct unit none = {"", {1}};
    const struct unit *unit = s->unit ? s->unit : &none;
    for (unsigned i = 0; i < s->readings; i++)
        for (unsigned k = 0; k < 3 && unit->scales[k] > 0; k++) {
            double value = s->values[i] * unit->scales[k], slack = s->slacks[i] * unit->scales[k];
            if (!near_any(c, value, slack) && !near_any(c, -value, slack))
                continue;
            s->supported = true;
            s->value = s->values[i];
            return true;
        }
    return false;
}

static bool close_to(const struct stated *s, double value)
{
    for (unsigned i = 0; i < s->readings; i++)
        if (fabs(s->values[i] - fabs(value)) <= s->slacks[i] * 1.5)
            return true;
    return false;
}

/* Of numbers that the answer states and that are supported, when they are few: else anything is. */
static bool derived(const struct stated *all, unsigned count, struct stated *s)
{
    double known[DERIVED_FROM_MAX], sum = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        if (all[i].supported) {
            if (n == DERIVED_FROM_MAX)
                return false;
            known[n++] = all[i].value;
            sum += all[i].value;
        }
    if (n >= 2 && (close_to(s, sum) || close_to(s, sum / n)))
        return true;
    for (unsigned i = 0; i < n; i++) {
        bool percent = s->unit == &units[0];
        if (percent && (close_to(s, 100 - known[i]) || close_to(s, 100 * (1 - known[i]))))
            return true;
        for (unsigned k = 0; k < n; k++) {
            double a = known[i], b = known[k];
            if (i == k || b == 0)
                continue;
            if (close_to(s, a - b) ||
                (percent && (close_to(s, 100 * a / b) || close_to(s, 100 * (a - b) / b))) ||
                (!s->unit && close_to(s, a / b)))
                return true;
        }
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
    for (unsigned i = 0; i < count; i++)
        supported(c, &all[i]);
    for (unsigned i = 0; i < count && found < max; i++) {
        if (all[i].supported || derived(all, count, &all[i]))
            continue;
        snprintf(out[found].text, sizeof(out[found].text), "%.*s",
                 (int)(all[i].text.len < CLAIM_TEXT_MAX - 1 ? all[i].text.len : CLAIM_TEXT_MAX - 1),
                 all[i].text.at);
        found += !told(out, found, out[found].text);
    }
    return found;
}

bool claims_admits(struct str answer)
{
    static const char *const words[] = {
        "partial",    "incomplete",     "truncat",   "cut off",       "was cut",    "missing",
        "not all",    "only the first", "no data",   "at least",      "left out",   "more than",
        "unvollst",   "teilweise",      "fehl",      "abgeschnitten", "nicht alle", "keine daten",
        "mindestens", "parcial",        "incomplet", "faltan",        "truncad",    "al menos",
        "no todos",   "sin datos",      "部分",      "不完整",        "缺",         "截断",
        "至少",       "没有数据",       "一部",      "不完全",        "欠け",       "欠損",
        "少なくとも", "データがあり"};
    if (answer.len > ANSWER_BYTES_MAX) /* at its end, where it says so if it does */
        answer = str_skip(answer, answer.len - ANSWER_BYTES_MAX);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        for (size_t at = 0; at + strlen(words[i]) <= answer.len; at++)
            if (strncasecmp(answer.at + at, words[i], strlen(words[i])) == 0)
                return true;
    return false;
}
