#include "worker/turn/unit.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"

/* What a unit may stand for, in the base that results have. */
static const struct unit units[] = {
    {"% ％ percent percentage per_cent por_ciento prozent prozentpunkte procent pourcent "
     "パーセント",
     {1, 0.01}},
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
    {"million millionen millones mio mio.", {1e6}},
    {"kbit kbits kbps", {125}},
    {"mbit mbits mbps megabit megabits", {125e3}},
    {"gbit gbits gbps gigabit gigabits", {125e6}},
    {"b billion milliarden mrd mrd.", {1e9}},
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

/* All their words, by what they begin with: a result of tools has a thousand numbers. */
enum { UNITS = sizeof(units) / sizeof(units[0]), WORDS_MAX = 255 };
static struct {
    struct word {
        struct str word;
        uint8_t unit, next; /* next: one more than that of the next that begins like it; 0: none */
    } words[WORDS_MAX];
    unsigned count;
    uint8_t first[256]; /* by the first byte, in lower case: one more than a word's index */
} spelt;

/* The last first, so that those that begin alike stand in the order of the table. */
static void spell(void)
{
    for (unsigned i = UNITS; i-- > 0;) {
        struct str rest = str_of(units[i].words), word;
        while (str_split(&rest, ' ', &word)) {
            CHECK(spelt.count < WORDS_MAX);
            uint8_t *first = &spelt.first[tolower((unsigned char)word.at[0])];
            spelt.words[spelt.count++] =
                (struct word){.word = word, .unit = (uint8_t)i, .next = *first};
            *first = (uint8_t)spelt.count;
        }
    }
}

const struct unit *unit_percent(void) { return &units[0]; }

/* Of ASCII or of Latin with accents: a unit before it is a word's beginning. */
static bool latin(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c == 0xC3;
}

/* In any case of its letters; _ is a blank. */
static bool same(const char *text, struct str word)
{
    for (size_t i = 0; i < word.len; i++)
        if (tolower((unsigned char)text[i]) !=
            (word.at[i] == '_' ? ' ' : tolower((unsigned char)word.at[i])))
            return false;
    return true;
}

const struct unit *unit_find(struct str text, size_t at, size_t *len)
{
    size_t from = at < text.len && text.at[at] == ' ' ? at + 1 : at;
    const struct unit *found = NULL;
    size_t longest = 0;
    if (spelt.count == 0)
        spell();
    unsigned next = from < text.len ? spelt.first[tolower((unsigned char)text.at[from])] : 0;
    for (; next > 0; next = spelt.words[next - 1].next) {
        struct str word = spelt.words[next - 1].word;
        size_t end = from + word.len;
        bool ascii = (unsigned char)word.at[0] < 0x80;
        if (word.len <= longest || end > text.len || !same(text.at + from, word) ||
            (ascii && word.at[0] != '%' && end < text.len && latin(text.at[end])))
            continue;
        found = &units[spelt.words[next - 1].unit];
        longest = word.len;
    }
    *len = found ? from + longest - at : 0;
    return found;
}

bool unit_period(struct str text, unsigned *i, double *seconds)
{
    for (; *i < UNITS; ++*i) {
        struct str rest = str_of(units[*i].words), word;
        while (units[*i].scales[0] >= 60 && units[*i].scales[1] == 1 &&
               str_split(&rest, ' ', &word))
            if (word.len > 2 && memmem(text.at, text.len, word.at, word.len)) {
                *seconds = units[(*i)++].scales[0];
                return true;
            }
    }
    return false;
}
