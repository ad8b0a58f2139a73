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
#include "worker/turn/claim_side.h"
#include "worker/turn/digits.h"
#include "worker/turn/spelt.h"
#include "worker/turn/tally.h"
#include "worker/turn/unit.h"

/* What is looked at of an answer: longer ones are a model's that does not stop. */
enum { ANSWER_BYTES_MAX = 64 << 10 };
/* Longer texts are results, whose numbers have no units behind them, and no "last hour". */
enum { PERIODS_BYTES_MAX = 2000, UNITS_BYTES_MAX = 32 << 10 };
enum { FEW_ROWS = 8 };
enum { STATED_MAX = 64, DERIVED_FROM_MAX = 8, READINGS_MAX = 2 };

/* One number of an answer. Where a comma may be a decimal sign or not, it has two readings. */
struct stated {
    struct str text; /* with its unit */
    double values[READINGS_MAX], slacks[READINGS_MAX];
    unsigned readings;
    const struct unit *unit;
    bool supported, counts;
    bool spelt, total, none; /* in words (spelt.h) */
    double known;            /* the number that supports it */
    double whole, smallest;  /* of a duration in parts: "6h 56m"; seconds, and of its last unit */
};

static bool letter(unsigned char c);
static bool read_stated(struct str text, size_t *at, struct stated *s);
static bool derived(const struct stated *all, unsigned count, struct stated *s);

void claims_free(struct claims *c)
{
    free(c->numbers.at);
    free(c->plain.at);
    *c = (struct claims){0};
}

/* ---- what is known ---- */

static void add(struct claims_numbers *n, double number)
{
    if (n->count == CLAIMS_NUMBERS_MAX || !isfinite(number))
        return;
    if (n->count == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 4; /* a question alone has few or none */
        n->at = xrealloc(n->at, n->cap * sizeof(*n->at));
    }
    n->at[n->count++] = number;
    n->sorted = false;
}

static void know(struct claims *c, double number)
{
    add(&c->numbers, number);
    add(&c->plain, number);
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
            add(&c->numbers, value * letters[i].seconds);
    const struct unit *unit = unit_find(text, end, &unit_len);
    if (unit && unit->scales[0] >= 60 && unit->scales[1] == 1)
        add(&c->numbers, value * unit->scales[0]);
    if (at > 0 && (text.at[at - 1] | 32) == 'p' && value >= 1)
        add(&c->numbers, value / pow(10, (double)len));
}

/* "over the last hour" */
static void know_periods(struct claims *c, struct str text)
{
    double seconds;
    for (unsigned i = 0; unit_period(text, &i, &seconds);)
        know(c, seconds);
}

static void know_text(struct claims *c, struct str text, bool plain)
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
        add(&c->numbers, value);
        if (plain)
            add(&c->plain, value);
        if (signed_number)
            add(&c->numbers, -value);
        if (text.len < UNITS_BYTES_MAX)
            know_unit(c, text, i, len, value);
        i += len;
    }
}

void claims_know(struct claims *c, struct str text) { know_text(c, text, true); }

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

static void know_notes(struct claims *c, const json_t *notes)
{
    size_t i;
    const json_t *note;
    json_array_foreach(notes, i, note) know_text(c, json_text(note), true);
}

/* Those of values and notes. */
static void know_plain(struct claims *c, const json_t *v)
{
    const char *key;
    size_t i;
    const json_t *child;
    if (json_is_number(v))
        add(&c->plain, json_number_value(v));
    json_array_foreach(v, i, child) know_plain(c, child);
    json_object_foreach((json_t *)v, key, child)
    {
        if (strcmp(key, "notes") == 0)
            know_notes(c, child);
        else if (strcmp(key, "labels") != 0)
            know_plain(c, child);
    }
}

/* Of few rows people tell how they differ. */
static void know_rows(struct claims *c, const json_t *list)
{
    static const char *const keys[] = {"value", "last", "min", "max", "avg"};
    size_t i;
    const json_t *row;
    json_array_foreach(list, i, row)
    {
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
            const json_t *value = json_object_get(row, keys[k]);
            if (!json_is_number(value))
                continue;
            if (c->row_count < CLAIMS_ROWS_MAX)
                c->rows[c->row_count] = json_number_value(value);
            c->row_count++;
        }
    }
}

static void know_lists(struct claims *c, const json_t *v)
{
    const char *key;
    size_t i;
    const json_t *child;
    if (json_is_array(v)) {
        know(c, (double)json_array_size(v));
        tally_list(v, c->same, c->over);
        know_rows(c, v);
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
    c->compared +=
        json_number_value(total) > 0 && tally_compares(json_text(json_object_get(root, "query")));
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
    json_auto_t *root = json_loadb(content.at, content.len, JSON_ALLOW_NUL, NULL);
    know_text(c, content, root == NULL);
    know_lists(c, root);
    know_plain(c, root);
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

/* 2026-11-30: four digits, and two behind the sign. */
static bool is_date(struct str text, size_t at, size_t len)
{
    size_t next = at + len + 1;
    return len == 4 && digits_here(text, next) && digits_here(text, next + 1) &&
           !digits_here(text, next + 2);
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
    if (after == '.' && after2 == 'x') /* 2.x */
        return false;
    if (is_named(text, at) || is_ordinal(str_skip(text, at + len)))
        return false;
    if (dots > 1 && !memchr(text.at + at, ',', len)) { /* 2.42.0; but 1.234.567 groups thousands */
        double value, slack;
        if (!digits_read((struct str){text.at + at, len}, ',', &value, &slack))
            return false;
    }
    size_t line = at;
    while (line > 0 && text.at[line - 1] != '\0' && strchr(" \t*>-#", text.at[line - 1]))
        line--;
    bool begins = line == 0 || text.at[line - 1] == '\n';
    return !(begins && (after == '.' || after == ')') && (after2 == ' ' || after2 == '\n'));
}

/* 50, 0.3, 2000: of one digit. */
static bool is_rough(struct str digits)
{
    unsigned count = 0;
    for (size_t i = 0; i < digits.len; i++)
        count += digits.at[i] >= '1' && digits.at[i] <= '9';
    return count == 1;
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
        if (!digits_read(digits, ".,"[i], value, slack))
            continue;
        s->readings += s->readings == 0 || s->values[0] != *value;
    }
    s->unit = unit_find(text, from + len, &unit_len);
    if (from >= 9 && memcmp(text.at + from - 9, "百分之", 9) == 0)
        s->unit = unit_percent();
    if (is_rough(digits) && claim_about(text, from))
        s->slacks[0] = fmax(s->slacks[0], 0.06 * s->values[0]);
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
        if (last && last->unit && s.unit && last->unit->scales[0] > s.unit->scales[0] &&
            s.unit->scales[0] == 1e4 && end == s.text.at) { /* 1億2345万 */
            last->whole = last->values[0] * last->unit->scales[0] + s.values[0] * 1e4;
            last->smallest = 1e4;
            last->text.len += s.text.len;
            continue;
        }
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

static bool read_spelt(struct str text, size_t *at, struct stated *s)
{
    struct spelt word;
    size_t unit_len;
    if (!spelt_read(text, *at, &word)) {
        (*at)++;
        return false;
    }
    *s = (struct stated){.values = {word.value},
                         .slacks = {word.slack},
                         .readings = 1,
                         .spelt = true,
                         .total = word.total,
                         .none = word.none};
    s->unit = unit_find(text, *at + word.len, &unit_len);
    s->text = (struct str){text.at + *at, word.len + unit_len};
    *at += s->text.len;
    return true;
}

static struct str as_ascii(struct str answer, struct buf *narrow)
{
    if (answer.len > ANSWER_BYTES_MAX)
        answer.len = ANSWER_BYTES_MAX;
    digits_narrow(answer, narrow);
    return buf_str(narrow);
}

/* http://host:9090/graph?step=15 */
static bool is_address(struct str rest)
{
    return str_starts(rest, STR("http://")) || str_starts(rest, STR("https://"));
}

static unsigned read_all(struct str answer, struct stated all[STATED_MAX])
{
    unsigned count = 0;
    for (size_t at = 0; at < answer.len && count < STATED_MAX;) {
        if (answer.at[at] == '`')
            at = after_code(answer, at);
        else if (is_address(str_skip(answer, at)))
            while (at < answer.len && !strchr(" \n)>", answer.at[at]))
                at++;
        else if (isdigit((unsigned char)answer.at[at]))
            count += read_stated(answer, &at, &all[count]);
        else
            count += read_spelt(answer, &at, &all[count]);
    }
    return join_parts(answer, all, count);
}

/* ---- the comparison ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(struct claims_numbers *n)
{
    if (!n->sorted && n->count > 0)
        qsort(n->at, n->count, sizeof(*n->at), by_value);
    n->sorted = true;
}

/* The known number that is nearest to a value, within its slack. */
static bool near_any(const struct claims_numbers *n, double value, double slack, double *known)
{
    unsigned low = 0, high = n->count;
    slack += fabs(value) * 1e-9;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (n->at[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    double below = low > 0 ? value - n->at[low - 1] : INFINITY;
    double above = low < n->count ? n->at[low] - value : INFINITY;
    *known = below < above ? value - below : value + above;
    return fmin(below, above) <= slack;
}

static bool supported_as(struct claims *c, struct stated *s, const struct unit *unit)
{
    const struct claims_numbers *n = s->spelt ? &c->plain : &c->numbers;
    for (unsigned i = 0; i < s->readings; i++)
        for (unsigned k = 0; k < 3 && unit->scales[k] > 0; k++) {
            double value = s->values[i] * unit->scales[k], slack = s->slacks[i] * unit->scales[k];
            if (!near_any(n, value, slack, &s->known) && !near_any(n, -value, slack, &s->known) &&
                !(c->bits && unit->scales[0] > 100 && near_any(n, 8 * value, 8 * slack, &s->known)))
                continue;
            s->supported = true;
            return true;
        }
    return false;
}

/* A count in words. "None of them": not where all that came are those that a comparison left. */
static bool spelt_supported(struct claims *c, struct stated *s)
{
    double value = s->values[0];
    if (c->queries == 0) /* "two ways", "one moment": of nothing that was counted */
        return s->supported = true;
    if (s->none)
        return s->supported = c->compared < c->queries;
    bool lists = value == 1 && c->size_count > 0 && c->sizes[0] > 1; /* of up many are 1 */
    s->supported = (!lists && near_any(&c->plain, value, s->slacks[0], &s->known)) ||
                   (value <= 0 && c->empty > 0) || tally_has(c->same, value) ||
                   (!s->total && tally_has(c->over, value));
    return s->supported;
}

/* As it is written, or with the unit of the number behind it: "50, 70 and 30 MiB". */
static bool supported(struct claims *c, struct stated *s, const struct stated *next)
{
    static const struct unit none = {"", {1}};
    if (s->spelt && !s->unit)
        return spelt_supported(c, s);
    if (s->smallest > 0)
        return s->supported = near_any(&c->numbers, s->whole, s->smallest, &s->known);
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
            double scale = unit && unit != unit_percent() ? unit->scales[k] : 1;
            if (fabs(s->values[i] * scale - fabs(value)) <= s->slacks[i] * scale * 1.5)
                return true;
        }
    return false;
}

/* "below 50 ms", "over 90 %": of a number that is not far from it. */
static bool is_bound(struct str answer, const struct stated *s, double known)
{
    static const struct unit none = {"", {1}};
    const struct unit *unit = s->unit ? s->unit : &none;
    enum claim_side side = claim_side(answer, (size_t)(s->text.at - answer.at));
    for (unsigned k = 0; side != CLAIM_AT && k < 3 && unit->scales[k] > 0; k++) {
        double bound = s->values[0] * unit->scales[k];
        if (side == CLAIM_BELOW ? known <= bound && known * 5 >= bound
                                : known >= bound && known <= bound * 2)
            return true;
    }
    return false;
}

/* Of two known numbers: how they differ. */
static bool differs(struct stated *s, double a, double b)
{
    bool percent = s->unit == unit_percent();
    if (b == 0)
        return false;
    s->known = a - b;
    return close_to(s, a - b) ||
           (percent && (close_to(s, 100 * a / b) || close_to(s, 100 * (a - b) / b) ||
                        (fabs(a) <= 1 && fabs(b) <= 1 && close_to(s, 100 * (a - b))))) ||
           (!s->unit && close_to(s, a / b));
}

/* What is left to 100 %. */
static bool is_rest(const struct stated *s, double known)
{
    return s->unit == unit_percent() && known >= 0 && known <= 100 &&
           (close_to(s, 100 - known) || close_to(s, 100 * (1 - known)));
}

/* Of numbers that the answer states and that are supported, when they are few: else anything is. */
static bool derived(const struct stated *all, unsigned count, struct stated *s)
{
    double known[DERIVED_FROM_MAX], sum = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        if (all[i].supported && (!all[i].spelt || all[i].unit)) {
            if (n == DERIVED_FROM_MAX)
                return false;
            known[n++] = all[i].known;
            sum += all[i].known;
        }
    if (n >= 2 && (close_to(s, sum) || close_to(s, sum / n)))
        return true;
    for (unsigned i = 0; i < n; i++) {
        if (is_rest(s, known[i]))
            return true;
        for (unsigned k = 0; k < n; k++) {
            if (i != k && differs(s, known[i], known[k]))
                return true;
            s->known = known[i] + known[k];
            if (i < k && close_to(s, known[i] + known[k]))
                return true;
        }
    }
    return false;
}

/* Of few rows: how they differ, what share one has, what is above or below what is stated. */
static bool of_rows(const struct claims *c, struct str answer, struct stated *s)
{
    double sum = 0;
    bool compares = claim_compares(answer, (size_t)(s->text.at - answer.at));
    if (c->row_count > CLAIMS_ROWS_MAX)
        return false;
    for (unsigned i = 0; i < c->row_count; i++)
        sum += c->rows[i];
    for (unsigned i = 0; i < c->row_count; i++) {
        double a = c->rows[i];
        if (is_rest(s, a) || (s->unit == unit_percent() && sum > 0 && close_to(s, 100 * a / sum)))
            return true;
        for (unsigned k = 0; compares && k < c->row_count; k++)
            if (i != k && differs(s, a, c->rows[k]))
                return true;
        if (is_bound(answer, s, a))
            return true;
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

unsigned claims_unsupported(struct claims *c, struct str written, struct claim *out, unsigned max)
{
    struct stated all[STATED_MAX];
    scoped_buf(narrow, ANSWER_BYTES_MAX);
    struct str answer = as_ascii(written, &narrow);
    unsigned count = read_all(answer, all), found = 0;
    sort(&c->numbers);
    sort(&c->plain);
    for (unsigned i = count; i-- > 0;)
        if (!supported(c, &all[i], i + 1 < count ? &all[i + 1] : NULL))
            all[i].counts = counts_some(c, all, count, i);
    bool follows[STATED_MAX] = {false};
    for (unsigned i = 0; i < count; i++)
        follows[i] = all[i].supported || all[i].counts ||
                     ((!all[i].spelt || all[i].unit) &&
                      (derived(all, count, &all[i]) || of_rows(c, answer, &all[i])));
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
static bool states_counts(const struct claims *c, struct str written)
{
    struct stated all[STATED_MAX];
    scoped_buf(narrow, ANSWER_BYTES_MAX);
    struct str answer = as_ascii(written, &narrow);
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
