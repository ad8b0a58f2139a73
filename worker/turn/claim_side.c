#include "worker/turn/claim_side.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Does one of the phrases stand just before it? */
static bool behind(struct str text, size_t at, const char *const *phrases)
{
    while (at > 0 && strchr(" *_(", text.at[at - 1]))
        at--;
    for (; *phrases; phrases++) {
        size_t len = strlen(*phrases);
        bool word = isalpha((unsigned char)(*phrases)[0]);
        if (at >= len && strncasecmp(text.at + at - len, *phrases, len) == 0 &&
            (!word || at == len || !isalpha((unsigned char)text.at[at - len - 1])))
            return true;
    }
    return false;
}

enum claim_side claim_side(struct str text, size_t number)
{
    static const char *const below[] = {
        "below",    "under", "less than", "fewer than", "unter",  "weniger als", "por debajo de",
        "menos de", "低于",  "不到",      "小于",       "不超过", "<",           NULL};
    static const char *const above[] = {
        "above",     "over",    "more than", "greater than", "exceeds",       "exceeded",
        "exceeding", "über",    "mehr als",  "übersteigt",   "por encima de", "más de",
        "supera",    "superan", "超过",      "高于",         "大于",          ">",
        NULL};
    return behind(text, number, below)   ? CLAIM_BELOW
           : behind(text, number, above) ? CLAIM_ABOVE
                                         : CLAIM_AT;
}

bool claim_compares(struct str text, size_t number)
{
    static const char *const words[] = {
        "more",   "less",   "higher",   "lower",       "fewer",     "than",      "rose",
        "rise",   "grew",   "increase", "fell",        "drop",      "decreas",   " by ",
        "factor", "times",  "differ",   "double",      "vs",        "ratio",     "up ",
        "down ",  "mehr",   "weniger",  "höher",       "niedriger", "gestiegen", "gefallen",
        " um ",   "faktor", "mal so",   "unterschied", "más",       "menos",     "veces",
        "subi",   "baj",    "aument",   "diferencia",  "+",         "多",        "少",
        "增",     "减",     "上升",     "下降",        "倍",        "比",        "差",
        "増",     "減",     NULL};
    enum { AROUND = 48 };
    size_t from = number > AROUND ? number - AROUND : 0;
    size_t to = number + AROUND < text.len ? number + AROUND : text.len;
    for (const char *const *word = words; *word; word++)
        for (size_t i = from; i + strlen(*word) <= to; i++)
            if (strncasecmp(text.at + i, *word, strlen(*word)) == 0)
                return true;
    return false;
}

bool claim_about(struct str text, size_t number)
{
    static const char *const about[] = {"about",
                                        "around",
                                        "roughly",
                                        "approximately",
                                        "some",
                                        "nearly",
                                        "almost",
                                        "circa",
                                        "ca.",
                                        "rund",
                                        "etwa",
                                        "ungefähr",
                                        "knapp",
                                        "unos",
                                        "unas",
                                        "cerca de",
                                        "alrededor de",
                                        "casi",
                                        "aproximadamente",
                                        "约",
                                        "大约",
                                        "大概",
                                        "約",
                                        "およそ",
                                        "~",
                                        "≈",
                                        NULL};
    return behind(text, number, about);
}
