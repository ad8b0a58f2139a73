#include "worker/turn/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "worker/tools/text.h"

enum { LABEL_ROWS_MAX = 64 }; /* each is compared with each */

static void set(uint64_t bits[4], size_t number)
{
    if (number <= TALLY_MAX)
        bits[number / 64] |= (uint64_t)1 << (number % 64);
}

bool tally_has(const uint64_t bits[4], double number)
{
    if (!(number >= 0 && number <= TALLY_MAX) || number != floor(number))
        return false;
    size_t n = (size_t)number;
    return (bits[n / 64] >> (n % 64) & 1) != 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted values: runs of the same, and how many are on each side of where they end. */
static void tally_values(const double *values, size_t count, uint64_t same[4], uint64_t over[4])
{
    size_t begin = 0;
    for (size_t i = 1; i <= count; i++) {
        if (i < count && values[i] == values[begin])
            continue;
        if (i - begin > 1 || count == 1)
            set(same, i - begin);
        set(over, i);
        set(over, count - i);
        begin = i;
    }
}

static bool same_label(const json_t *row, const char *name, const json_t *value)
{
    return json_equal(json_object_get(json_object_get(row, "labels"), name), (json_t *)value);
}

static void tally_labels(const json_t *list, uint64_t same[4])
{
    size_t count = json_array_size(list), i;
    const json_t *row, *value;
    const char *name;
    json_array_foreach(list, i, row)
    {
        json_object_foreach(json_object_get(row, "labels"), name, value)
        {
            size_t alike = 0;
            for (size_t k = 0; k < count; k++)
                alike += same_label(json_array_get(list, k), name, value);
            if (alike > 1)
                set(same, alike);
        }
    }
}

void tally_list(const json_t *list, uint64_t same[4], uint64_t over[4])
{
    double values[TALLY_MAX];
    size_t count = json_array_size(list), i;
    const json_t *row;
    if (count == 0 || count > TALLY_MAX)
        return;
    json_array_foreach(list, i, row)
    {
        const json_t *value = json_object_get(row, "value");
        if (!json_is_number(value))
            value = json_object_get(row, "last");
        if (!json_is_number(value))
            return;
        values[i] = json_number_value(value);
    }
    qsort(values, count, sizeof(values[0]), by_value);
    tally_values(values, count, same, over);
    if (count <= LABEL_ROWS_MAX)
        tally_labels(list, same);
}

bool tally_compares(struct str query)
{
    bool string = false, braces = false, compares = false;
    for (size_t i = 0; i < query.len; i++) {
        char c = query.at[i];
        string = c == '"' ? !string : string;
        if (string)
            continue;
        braces = c == '{' || (braces && c != '}');
        bool equal = (c == '=' || c == '!') && i + 1 < query.len && query.at[i + 1] == '=';
        compares = compares || (!braces && (equal || c == '<' || c == '>'));
    }
    return compares && !text_has(query, STR(" bool ")) && !text_has(query, STR(" or "));
}
