#include "proto/store/loaded.h"

#include <stdlib.h>
#include "common/check.h"
#include "proto/store/pile.h"
#include "proto/store/reply.h"

enum {
    KEPT_BYTES_MAX = 256 << 10, /* of a conversation; of 256 turns at once 64 MiB */
    TEXTS_MAX = 10,
};

struct store_loaded {
    struct store_answer answer;
    struct store_load load;
    struct pile pile; /* the messages' texts */
    struct store_message *messages;
    char *texts[TEXTS_MAX];
    unsigned text_count;
};

static void own(struct store_loaded *l, struct str *text);

struct store_loaded *store_loaded_keep(const struct store_answer *a)
{
    if (!a->pile || a->pile->records.len > KEPT_BYTES_MAX)
        return NULL;
    struct store_loaded *l = xcalloc(1, sizeof(*l));
    l->load = *a->load;
    struct store_session *s = &l->load.session;
    struct str *texts[] = {&l->load.request,      &s->owner,   &s->title, &s->model,
                           &s->settings,          &s->summary, &s->share, &s->share_path,
                           &s->running_approvals, &s->versions};
    _Static_assert(sizeof(texts) / sizeof(*texts) == TEXTS_MAX, "each has its place");
    for (unsigned i = 0; i < TEXTS_MAX; i++)
        own(l, texts[i]);
    s->snippet = (struct str){NULL, 0}; /* of a search */
    l->load.decisions = NULL;
    l->load.decision_count = 0;
    l->answer = (struct store_answer){.session = a->session, .load = &l->load};
    l->pile = *a->pile;
    pile_init(a->pile);
    l->messages = pile_messages(&l->pile, &l->answer.message_count);
    l->answer.messages = l->messages;
    return l;
}

static void own(struct store_loaded *l, struct str *text)
{
    char *copy = l->texts[l->text_count++] = str_dup(*text);
    text->at = copy;
}

const struct store_answer *store_loaded_answer(const struct store_loaded *l) { return &l->answer; }

void store_loaded_free(struct store_loaded *l)
{
    if (!l)
        return;
    messages_free(l->messages, l->answer.message_count);
    pile_free(&l->pile);
    for (unsigned i = 0; i < l->text_count; i++)
        free(l->texts[i]);
    free(l);
}
