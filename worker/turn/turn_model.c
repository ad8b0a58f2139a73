/* Which model a turn asks: what is off is passed over; and whether it may answer yet. */
#include "worker/turn/turn.h"

const char *turn_choose_model(struct turn *t, struct str wanted)
{
    const struct turn_config *c = t->config;
    const char *off = NULL;
    for (;; t->fallback++) {
        t->model = models_choose(c->models, wanted, t->fallback, &t->fallback_left);
        const char *now =
            t->model ? switched_off(c->switched, "model", str_of(t->model->name)) : NULL;
        off = off ? off : now;
        if (!now)
            return NULL;
        if (!t->fallback_left)
            return off;
    }
}

bool turn_must_answer(const struct turn *t) { return t->model->small && t->doubt.repeats; }

/* A small model guesses rather than looks. */
bool turn_must_call(const struct turn *t)
{
    enum { STEPS_MAX = 7 }; /* three rounds of calls that give nothing are enough */
    return t->model->small && t->config->check_answers && t->lookup.text && !t->doubt.queried &&
           t->agent.step <= STEPS_MAX;
}
