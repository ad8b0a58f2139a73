#include "gateway/switch.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "gateway/errand.h"
#include "proto/store/switching.h"

struct switching {
    struct errand errand;
    const char *name, *sentence;
};

static void begin(void *arg);
static void on_set(void *arg, enum err err, const struct store_answer *a);
static void on_list(void *arg, enum err err, const struct store_answer *a);

int switch_run(struct gateway *g, const char *name, const char *sentence)
{
    bool on = strcasecmp(sentence, "on") == 0;
    struct switching s = {.name = name, .sentence = on ? "" : sentence};
    if (!switch_name_ok(str_of(name))) {
        fprintf(stderr,
                "%s: there is turns, door:WORD (api, openai, mcp, agui, webhook), "
                "model:NAME and tool:NAME\n",
                name);
        return 1;
    }
    if (!on && !switch_sentence_ok(str_of(s.sentence))) {
        fprintf(stderr, "A sentence for people has 1 to 500 bytes, in one line; on: it is no "
                        "longer off\n");
        return 1;
    }
    s.errand = (struct errand){.gateway = g, .begin = begin, .arg = &s};
    return errand_run(&s.errand);
}

static void begin(void *arg)
{
    struct switching *s = arg;
    store_switch_set(s->errand.gateway->store, str_of(s->name), str_of(s->sentence),
                     STR("operator"), on_set, s);
}

static void on_set(void *arg, enum err err, const struct store_answer *a)
{
    struct switching *s = arg;
    (void)a;
    if (!errand_failed(&s->errand, err))
        store_switches_get(s->errand.gateway->store, on_list, s);
}

static void on_list(void *arg, enum err err, const struct store_answer *a)
{
    struct switching *s = arg;
    if (errand_failed(&s->errand, err))
        return;
    for (unsigned i = 0; i < a->switches->count; i++)
        printf("off   %s: %s\n", a->switches->at[i].name, a->switches->at[i].sentence);
    if (a->switches->count == 0)
        printf("Nothing is off in Redis\n");
    errand_end(&s->errand, 0);
}
