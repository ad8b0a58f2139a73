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
#include "worker/tools/prometheus/why.h"

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
        c->cap = c->cap ? 2 * c->cap : 16;
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

void claims_know_result(struct claims *c, struct str content)
{
    claims_know(c, content);
    json_auto_t *root = json_loadb(content.at, content.len, JSON_ALLOW_NUL, NULL);
    know_lists(c, root);
    bool cut = json_is_true(json_object_get(root, "partial")) ||
               json_is_true(json_object_get(root, "truncated")) ||
               json_object_get(root, "structured_cut") != NULL;
    c->unsaid = c->unsaid || cut;
    c->partial = c->partial || cut;
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

/* ---- what is said of data that was lacking ---- */

static bool word_char(char c) { return isalnum((unsigned char)c) || (unsigned char)c >= 0x80; }

/* "was not cut off", "nothing is missing", "nicht unvollständig": just before. */
static bool negated(struct str answer, size_t at)
{
    static const char *const no[] = {"not ",     "n't ",    "nothing ", "never ",  "nicht ",
                                     "keine ",   "nichts ", "neither ", "no son ", "no es ",
                                     "no está ", "没有",    "并未",     "并不",    "不是"};
    enum { BEFORE = 14 };
    size_t from = at > BEFORE ? at - BEFORE : 0;
    struct str before = {answer.at + from, at - from};
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        for (size_t k = 0; k + strlen(no[i]) <= before.len; k++)
            if (strncasecmp(before.at + k, no[i], strlen(no[i])) == 0)
                return true;
    return false;
}

/* One of the phrases; those of letters at a word's beginning. A # is a number. */
static bool says(struct str answer, const char *const *phrases)
{
    if (answer.len > ANSWER_BYTES_MAX) /* at its end, where it says so if it does */
        answer = str_skip(answer, answer.len - ANSWER_BYTES_MAX);
    for (; *phrases; phrases++) {
        size_t len = strlen(*phrases);
        bool number = (*phrases)[len - 1] == '#';
        len -= number;
        for (size_t at = 0; at + len <= answer.len; at++) {
            if (tolower((unsigned char)answer.at[at]) != (unsigned char)(*phrases)[0])
                continue; /* most of it */
            bool begins =
                (unsigned char)(*phrases)[0] >= 0x80 || at == 0 || !word_char(answer.at[at - 1]);
            if (!begins || strncasecmp(answer.at + at, *phrases, len) != 0)
                continue;
            if ((!number || digit_at(answer, at + len)) && !negated(answer, at))
                return true;
        }
    }
    return false;
}

static bool says_part(struct str answer)
{
    static const char *const phrases[] = {
        "partial", "incomplete", "truncat", "cut off", "was cut", "were cut", "is cut", "are cut",
        "missing data", "data is missing", "data are missing", "data was missing", "some data is",
        "not all", "not every", "only the first", "only part", "only a part", "left out",
        "not complete", "not whole", "not shown", "at least #", "more than are shown",
        "there may be more", "there are more", "could not be read", "couldn't be read",
        /* German */
        "unvollst", "teilweise", "abgeschnitten", "nicht alle", "nicht vollst", "gekürzt",
        "daten fehlen", "fehlende daten", "es fehlen", "mindestens #", "nur ein teil",
        "nur einen teil", "nur die ersten",
        /* Spanish */
        "parcial", "incomplet", "truncad", "faltan", "no todos", "no todas", "al menos #",
        "solo una parte", "sólo una parte", "recortad",
        /* Chinese and Japanese */
        "部分", "不完整", "截断", "数据缺失", "缺失", "缺少", "不全", "至少", "一部", "不完全",
        "欠け", "欠損", "切り捨て", "切り詰め", "少なくとも", "すべてではな", "全てではな", NULL};
    return says(answer, phrases);
}

static bool says_none(struct str answer)
{
    static const char *const phrases[] = {
        "no data", "no series", "no result", "no metric", "no such", "no sample", "no value",
        "no matching", "no information", "no log", "no line", "no entries", "not found", "not find",
        "not exist", "not available", "not collected", "not exposed", "not recorded", "not have",
        "not any data", "not return", "unavailable", "unable", "nothing match", "nothing was found",
        "nothing came", "nothing return", "returned nothing", "found nothing", "is empty",
        "are empty", "was empty", "were empty", "empty result", "came back empty", "cannot",
        "can't", "couldn't", "doesn't exist", "don't exist", "doesn't have", "don't have",
        "isn't any", "aren't any", "didn't return", "isn't available", "aren't available",
        "could not",
        /* German */
        "keine daten", "keine serie", "keine zeitreihe", "keine metrik", "keine ergebnis",
        "kein ergebnis", "keine werte", "keinen wert", "nicht gefunden", "nicht vorhanden",
        "nicht verfügbar", "leer", "nichts gefunden", "gibt es nicht", "existiert nicht",
        /* Spanish */
        "sin datos", "no hay datos", "no hay serie", "no hay métrica", "no hay result",
        "no se encontr", "no existe", "no devolvi", "no está disponible", "vacío", "vacía",
        "ningún dato", "ninguna serie", "ningún resultado",
        /* Chinese and Japanese */
        "没有数据", "没有任何数据", "没有找到", "未找到", "没有结果", "没有返回", "无数据", "为空",
        "不存在", "没有这", "没有该", "没有匹配", "データがあり", "データはあり", "データが見つか",
        "データなし", "見つかりません", "見つからな", "存在しません", "存在しない", "空です",
        "結果がありません", "結果はありません", "ありませんでした", NULL};
    return says(answer, phrases);
}

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
    if (c->queries > 0 && c->empty == c->queries && !says_none(answer) && !says_part(answer))
        return CLAIMS_LACK_ALL;
    bool told = says_part(answer) || (!c->unsaid && states_counts(c, answer));
    return c->partial && !told ? CLAIMS_LACK_PART : CLAIMS_LACK_NOTHING;
}

bool claims_admits(struct str answer) { return says_part(answer) || says_none(answer); }
