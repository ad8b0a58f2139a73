/* find_tools: the tools that are not offered from the start, by words. What it names is offered
 * from then on (worker/turn/offer.h). */
#include <string.h>
#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/handlers.h"
#include "worker/tools/run.h"
#include "worker/tools/text.h"

enum { SHOWN_MAX = 8, DESCRIPTION_SHOWN = 200, WORDS_MAX = 12, WORD_MAX = 24 };

static unsigned fit(const struct tool_spec *spec, char words[WORDS_MAX][WORD_MAX + 1],
                    unsigned count)
{
    unsigned score = 0;
    if (strcmp(spec->name, "find_tools") == 0)
        return 0;
    for (unsigned i = 0; i < count; i++)
        score += text_has(str_of(spec->name), str_of(words[i]))          ? 3
                 : text_has(str_of(spec->description), str_of(words[i])) ? 1
                                                                         : 0;
    return score;
}

/* Most tools do so. */
static bool says_nothing(struct str word)
{
    static const char *const words[] = {"search", "list", "get", "find", "show", "query", "querie",
                                        "tool",   "run",  "for", "the",  "read", "all",   "look"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_is(word, words[i]))
            return true;
    return false;
}

/* In lower case; a plural finds the singular. */
static unsigned read_words(struct str text, char words[WORDS_MAX][WORD_MAX + 1])
{
    unsigned count = 0;
    struct str word;
    while (count < WORDS_MAX && str_split(&text, ' ', &word)) {
        size_t len = word.len < WORD_MAX ? word.len : WORD_MAX;
        for (size_t i = 0; i < len; i++)
            words[count][i] =
                (char)(word.at[i] >= 'A' && word.at[i] <= 'Z' ? word.at[i] + 32 : word.at[i]);
        if (len > 3 && words[count][len - 1] == 's')
            len--;
        words[count][len] = '\0';
        count += len >= 3 && !says_nothing((struct str){words[count], len});
    }
    return count;
}

static void write_tool(const struct tool_spec *spec, bool first, struct buf *b)
{
    buf_puts(b, first ? "{\"name\":" : ",{\"name\":");
    json_str(b, str_of(spec->name));
    json_key(b, "description");
    text_json(b, str_of(spec->description), DESCRIPTION_SHOWN);
    buf_putc(b, '}');
}

void find_tools(struct tool_run *r)
{
    char words[WORDS_MAX][WORD_MAX + 1];
    const struct tools *t = r->tools;
    unsigned count = read_words(args_str(r->args, "words"), words), shown = 0, most = 0;
    for (unsigned i = 0; i < t->offered_count; i++) {
        unsigned score = fit(&t->offered[i], words, count);
        most = score > most ? score : most;
    }
    buf_puts(&r->content, "{\"kind\":\"tools\",\"tools\":[");
    for (unsigned wanted = most; wanted > 0 && shown < SHOWN_MAX; wanted--)
        for (unsigned i = 0; i < t->offered_count && shown < SHOWN_MAX; i++)
            if (fit(&t->offered[i], words, count) == wanted)
                write_tool(&t->offered[i], shown++ == 0, &r->content);
    buf_puts(&r->content, shown > 0 ? "],\"notes\":[\"You can call them from now on.\"]}"
                                    : "],\"notes\":[\"No tool fits: say in other words what it "
                                      "should do, as logs, dashboards, alerts, documents.\"]}");
    run_done(r);
}
